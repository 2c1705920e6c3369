"""Programs of all kinds, attached as their sections say: the workload makes each run, and says what gets in its way.

The sources are tests/inputs/programs; one program a line here that does not simply run.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from checked import PROGRAMS, HandmadeCase, checked, opened, step

from harness.model.results import CellResult, DifferenceKind, OutcomeKind, PartResult, Verdict
from harness.scenario.attaching import attachers_of
from harness.scenario.case import AgentStep

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

KERNELS = ("5.10-x86_64", "6.1-x86_64", "6.12-x86_64", "7.2-x86_64", "7.0-x86_64", "6.12-arm64")
CORE = "6.12-x86_64"
SECTION = re.compile(r'^(?:[A-Z]+\()?SEC\(([^)]*)\)\s*int (\w+)|^(?:PASS|RUNS|DO)\(("[^"]+"), (\w+)', re.MULTILINE)
SOCKETS = ("on_sk_msg", "stream_verdict", "stream_parser")
"""Programs that are attached to the object's own map of sockets."""


def programs(source: str) -> dict[str, str]:
    """Return the programs of a source with their sections."""
    found = SECTION.findall((PROGRAMS / f"{source}.bpf.c").read_text())
    return {first or second: (one or two).split('"')[1] for one, first, two, second in found}


def steps(source: str, program: str, section: str) -> Iterator[AgentStep]:
    own = {"object": source, "program": program}
    yield opened(source, only=[program], maps=["peers"] if program in SOCKETS else [])
    yield step("load", source, object=source, stats=True)
    yield step("measure", program, **own)
    if section != "syscall":
        yield step("attach", program, **own)
    yield step("workload", program, programs=[f"{source}.{program}"], enough=source != "harmful")
    if section != "syscall":
        yield step("detach", program, link=program)


def case(folder: Path, source: str, only: set[str] | None = None) -> HandmadeCase:
    known = {name: section for name, section in programs(source).items() if only is None or name in only}
    parts = {name: tuple(steps(source, name, section)) for name, section in known.items()}
    attachers = {name: attachers_of([section]) for name, section in known.items()}
    return HandmadeCase(source, [source], parts, folder, attachers=attachers)


def answer(part: PartResult) -> str:
    """Return what became of a program, in a few words."""
    outcome = part.outcome
    if outcome.kind == OutcomeKind.REFUSED:
        return f"refused {outcome.refusal}"
    if outcome.kind != OutcomeKind.WORKS:
        return outcome.kind.value
    if outcome.mark is not None:
        return outcome.mark.value
    assert outcome.measured["runs"] > 0
    return "ran"


REFUSED_UNIX = {
    f"{name}_unix": "refused attach-type-unknown"
    for name in ("connect", "sendmsg", "recvmsg", "getpeername", "getsockname")
}
ALWAYS = {
    "fentry_never": "did-not-run",
    "tp_never": "did-not-run",
    "uprobe_absent": "refused attach-point-absent",
    "stream_parser": "did-not-run",
    "seg6local": "refused not-attachable-here",
}
"""What does not simply run, on any kernel: hooks that nothing calls, a function that there is not, a parser without a
verdict, and what bpfmatrix does not attach."""
BEFORE_6_6 = {
    "fentry_sleepable": "refused not-sleepable",
    "tcx_egress": "refused attach-type-unknown",
    "netkit_primary": "refused not-supported",
    "on_netfilter": "refused program-type-unknown",
    **REFUSED_UNIX,
}
EXCEPT: dict[str, dict[str, str]] = {
    "5.10-x86_64": {
        **BEFORE_6_6,
        "lsm_exec": "did-not-run",  # the BPF LSM is not among those that the kernel starts with
        "lsm_mount": "did-not-run",
        "lsm_sleepable": "refused not-sleepable",
        "called": "refused program-type-unknown",
        "xdp_frags": "refused unclassified",
        "verdict": "refused attach-type-unknown",
        "stream_parser": "misbehaves",
    },
    "6.1-x86_64": BEFORE_6_6,
    "6.12-x86_64": {"fentry_sleepable": "refused not-sleepable"},
    # The C library has no rename() of its own there: it calls renameat().
    "6.12-arm64": {"fentry_sleepable": "refused not-sleepable", "ksyscall_rename": "did-not-run"},
    "7.0-x86_64": {
        "fentry_sleepable": "refused not-sleepable",
        **dict.fromkeys(("tc_pass", "on_classifier", "on_action"), "not-applicable"),
    },
}
"""... and on some."""


@pytest.fixture(
    scope="module", params=[pytest.param(name, marks=() if name == CORE else pytest.mark.nightly) for name in KERNELS]
)
def kernel(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def cells(kernel: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, CellResult]:
    folder = tmp_path_factory.mktemp("workload")
    cases = [case(folder, source) for source in ("hooks", "packets", "harmful")]
    return {cell.case: cell for cell in checked(folder, cases, [kernel]).cells}


@pytest.mark.parametrize("source", ["hooks", "packets"])
def test_programs_of_all_kinds_are_attached_and_run(source: str, kernel: str, cells: dict[str, CellResult]) -> None:
    found = {part.name: answer(part) for part in cells[source].parts}
    known = {**ALWAYS, **EXCEPT.get(kernel, {})}
    assert found == {name: known.get(name, "ran") for name in programs(source)}


def test_why_a_hook_is_never_called_is_said(kernel: str, cells: dict[str, CellResult]) -> None:
    reasons = {part.name: part.outcome.mark_reason for part in cells["hooks"].parts}
    assert ("`bpf` is not among the security modules" in reasons["lsm_exec"]) == (kernel == "5.10-x86_64")
    assert "security modules" not in reasons["fentry_never"]


def test_a_module_of_an_attacher_is_no_refusal_of_the_program(kernel: str, cells: dict[str, CellResult]) -> None:
    lacking = [part for part in cells["packets"].parts if part.outcome.kind == OutcomeKind.NOT_APPLICABLE]
    assert all(part.verdict == Verdict.NOT_APPLICABLE and part.outcome.ours for part in lacking)
    assert bool(lacking) == (kernel == "7.0-x86_64"), "that kernel comes without modules"


REFUSING = {
    "deny_open": ("files", "EPERM"),
    "deny_files": ("files", "EPERM"),
    "deny_fork": ("processes", "EPERM"),
    "deny_sockets": ("tcp", "EACCES"),
    "deny_exec": ("processes", "EPERM"),
    "modify": ("files", "EPERM"),
    "drop_all": ("udp", "ETIMEDOUT"),
    "drop_tc": ("udp", "ETIMEDOUT"),
    "drop_egress": ("udp", "EPERM"),
    "deny_connect": ("tcp", "EPERM"),
    "deny_create": ("tcp", "EPERM"),
    "deny_devices": ("devices", "EPERM"),
    "deny_sysctl": ("sysctls", "EPERM"),
}
"""What programs refuse or drop: a piece of the workload that fails then, and with what."""
BY_SECURITY = frozenset({"deny_open", "deny_files", "deny_fork", "deny_sockets", "deny_exec", "deny_bpf"})


@pytest.mark.parametrize("program", REFUSING)
def test_what_a_program_refuses_is_said_and_is_no_failure(
    program: str, kernel: str, cells: dict[str, CellResult]
) -> None:
    part = next(part for part in cells["harmful"].parts if part.name == program)
    if kernel == "5.10-x86_64" and program in BY_SECURITY:  # these security hooks are not called there
        assert answer(part) == "did-not-run"
        return
    if answer(part) == "not-applicable":
        assert (kernel, program) == ("7.0-x86_64", "drop_tc")
        return
    assert answer(part) == "ran", part.outcome.reason
    piece, errno = REFUSING[program]
    assert re.search(rf"while it was attached, .*\b{piece}\b[^;]* failed \({errno}\)", part.outcome.reason)


@pytest.mark.parametrize("program", ["kill_unlink", "kill_write", "kill_all", "kill_everything", "terminate"])
def test_a_program_that_kills_is_named_as_the_cause(program: str, kernel: str, cells: dict[str, CellResult]) -> None:
    outcome = next(part.outcome for part in cells["harmful"].parts if part.name == program)
    assert outcome.kind == OutcomeKind.MISBEHAVES, outcome.reason
    assert [each.kind for each in outcome.differences] == [DifferenceKind.KILLED]
    if outcome.reason.startswith("what answers in the guest was killed"):  # the program reached it first
        assert outcome.reason.endswith(f"the step attach {program}, while the program was attached")
        return
    signal = "SIGTERM" if program == "terminate" else "SIGKILL"
    assert f"killed by {signal} while the program was attached" in outcome.reason


def test_what_may_not_be_asked_for_is_not_counted(kernel: str, cells: dict[str, CellResult]) -> None:
    part = next(part for part in cells["harmful"].parts if part.name == "deny_bpf")
    if kernel == "5.10-x86_64":
        assert answer(part) == "did-not-run"
    else:
        assert "the kernel refuses to count runs (EPERM), while deny_bpf was attached" in part.outcome.mark_reason
        assert answer(part) == "not-counted"
