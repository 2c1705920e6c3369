"""Guests that die, fall silent or are not what they should be: each ends as what it is, and never green.

Real QEMU, real kernels. The faults inside the guest come from an agent with a few lines more than the real one.
What befalls restored guests and their snapshots is in test_faults_snapshots.py; here guests are booted.
"""

from __future__ import annotations

import dataclasses
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from faulty_guests import SERVICE, faulty, prepare, with_deadlines, with_program
from projects import FLAGSHIP, INPUTS, KERNEL, ROOT, alive, guests, load_input, until

from harness.config.case import WrittenCase
from harness.config.case_folders import load_case
from harness.errors import ConfigError
from harness.facts.kernel import KernelFacts
from harness.judge.cells import cells as cells_of
from harness.model.results import CellResult, OutcomeKind, Stage, Verdict
from harness.run.one_kernel import facts_of, run_kernel
from harness.scenario.case import Case
from harness.scenario.from_yaml import compile_case
from harness.supply.guest_plan import GuestPlan

pytestmark = pytest.mark.vm

NAMES = ("first", "second", "third")
WITHOUT_MODULES = "7.1-x86_64"

Boot = Callable[..., tuple[KernelFacts, dict[str, CellResult]]]


def written() -> list[WrittenCase]:
    """The flagship under three names."""
    flagship = load_case(FLAGSHIP)
    return [flagship.model_copy(update={"id": name}) for name in NAMES]


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[GuestPlan, tuple[Case, ...]]:
    """A plan for the fastest kernel of the matrix, whose `folder` is to be replaced, and its cases."""
    return prepare(KERNEL, written(), folder=tmp_path_factory.mktemp("unused"))


@pytest.fixture(scope="module")
def prepared(planned: tuple[GuestPlan, tuple[Case, ...]]) -> GuestPlan:
    return planned[0]


@pytest.fixture(scope="module")
def cases(planned: tuple[GuestPlan, tuple[Case, ...]]) -> tuple[Case, ...]:
    return planned[1]


@pytest.fixture
def plan(prepared: GuestPlan, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GuestPlan]:
    """The plan with a folder of its own; whatever the guest came to, nothing of it is left."""
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    yield dataclasses.replace(prepared, folder=tmp_path / "kernel")
    assert not guests(os.getpid()), "a QEMU was left behind"
    assert not list(temporary.iterdir()), "a guest's temporary folder was left behind"


def judged(plan: GuestPlan, cases: Sequence[Case], run: KernelFacts) -> dict[str, CellResult]:
    return {cell.case: cell for cell in cells_of(run, cases)}


def boot(plan: GuestPlan, cases: Sequence[Case]) -> tuple[KernelFacts, dict[str, CellResult]]:
    run = run_kernel(plan, cases)
    return run, judged(plan, cases, run)


def boot_and(plan: GuestPlan, cases: Sequence[Case], harm: Callable[[int], object]) -> dict[str, CellResult]:
    """Boot a guest, and do `harm` to its QEMU (by process id) once the agent is in the case `second`."""
    lines = plan.folder / "agent.jsonl"
    with ThreadPoolExecutor(max_workers=1) as pool:
        future = pool.submit(run_kernel, plan, cases)

        def in_the_case() -> bool:
            if future.done():
                raise AssertionError(f"the guest ended before it was harmed: {future.result()}")
            return lines.exists() and b'"type": "case", "case": "second"' in lines.read_bytes()

        until(in_the_case, what="the case `second` begins")
        (qemu,) = guests(os.getpid())
        harm(qemu)
        run = future.result(timeout=120)
        assert not alive(qemu)
    return judged(plan, cases, run)


def assert_unharmed(cells: dict[str, CellResult], *names: str) -> None:
    assert {name: cells[name].verdict for name in names} == dict.fromkeys(names, Verdict.PASS)


def test_a_panic_is_a_crash_and_the_other_cases_get_another_boot(plan: GuestPlan, cases: Sequence[Case]) -> None:
    plan = faulty(plan, 'open("/proc/sysrq-trigger", "w").write("c")')
    run, cells = boot(plan, cases)
    second = cells["second"]
    assert (second.outcome.kind, second.verdict) == (OutcomeKind.CRASHED, Verdict.FAIL)
    reason = "the kernel died: Kernel panic - not syncing: sysrq triggered crash, in the step trigger tcp-connect"
    assert second.outcome.reason == reason
    assert second.outcome.stage == Stage.TRIGGER, "of the step that had begun, as the console tells"
    assert "Kernel Offset: " in second.outcome.console_tail[-1], "the last words of a dying kernel"
    assert_unharmed(cells, "first", "third")
    assert (run.boots, run.problems) == (2, ())
    assert run.seconds["cases"] < 120, "a dead kernel must be noticed at once, not by a deadline"
    assert "sysrq triggered crash" in (plan.folder / "console.log").read_text()


@pytest.mark.nightly
def test_a_panic_is_a_crash_over_a_serial_port_too(plan: GuestPlan) -> None:
    sound, cases = prepare(WITHOUT_MODULES, written(), folder=plan.folder)
    serial = faulty(sound, 'open("/proc/sysrq-trigger", "w").write("c")')
    assert serial.serial
    run, cells = boot(serial, cases)
    assert cells["second"].outcome.kind == OutcomeKind.CRASHED
    assert_unharmed(cells, "first", "third")
    assert run.boots == 2
    assert run.seconds["cases"] < 240, "a dead kernel must be noticed at once, not by a deadline"


def test_a_complaint_of_the_kernel_is_misbehaviour_though_all_was_seen(plan: GuestPlan, cases: Sequence[Case]) -> None:
    # A record without its end of line is shown to nobody before the next one (kernel/printk, prb_commit()).
    warning = "<4>WARNING: CPU: 0 PID: 1 at kernel/bpf/trampoline.c:1 here+0x1/0x2"
    plan = faulty(plan, f'open("/dev/kmsg", "w").write("{warning}\\n")')
    run, cells = boot(plan, cases)
    second = cells["second"]
    assert (second.outcome.kind, second.verdict) == (OutcomeKind.MISBEHAVES, Verdict.FAIL)
    assert second.outcome.reason.startswith("the kernel complained: WARNING: CPU: 0")
    assert len(second.outcome.splats) == 3, "one at each of its triggers"
    assert_unharmed(cells, "first", "third")
    assert (run.boots, run.notices, run.problems) == (1, (), ())


def test_a_silent_reset_is_a_crash(plan: GuestPlan, cases: Sequence[Case]) -> None:
    plan = faulty(plan, 'open("/proc/sysrq-trigger", "w").write("b")')
    _, cells = boot(plan, cases[1:2])
    second = cells["second"]
    assert (second.outcome.kind, second.verdict) == (OutcomeKind.CRASHED, Verdict.FAIL)
    assert "reset the machine without any text" in second.outcome.reason


def test_a_killed_agent_is_lost(plan: GuestPlan, cases: Sequence[Case]) -> None:
    plan = faulty(plan, "os.kill(os.getppid(), 9)\nos._exit(0)")
    _, cells = boot(plan, cases[1:2])
    second = cells["second"]
    assert (second.outcome.kind, second.verdict) == (OutcomeKind.LOST, Verdict.ERROR)
    assert "the agent ended without its completion marker" in second.outcome.reason
    assert second.outcome.console_tail


DEAD = {
    "at its first line": ("import ctypes\n", "raise SystemExit(3)\n"),
    "when it is about to take the job": ('    start = head["agent"]\n', "    os.abort()\n"),
    "while it takes the job": ("        write(os.open(path,", "        os.abort()\n        write(os.open(path,"),
    "when it loads the agent": ("    sys.meta_path.", "    os.abort()\n    sys.meta_path."),
    "before it answers": ("    serve(job,", "    os.abort()\n    serve(job,"),
}


AT_NIGHT = ("when it is about to take the job", "when it loads the agent")
"""The deaths of DEAD that are just after, or before, another one."""


@pytest.mark.parametrize(
    "when", [pytest.param(when, marks=[pytest.mark.nightly] if when in AT_NIGHT else []) for when in DEAD]
)
def test_a_service_that_dies_is_told_at_once(when: str, plan: GuestPlan, cases: Sequence[Case]) -> None:
    old, new = DEAD[when]
    plan = with_program(plan, SERVICE, old=old, new=new)
    run, cells = boot(plan, cases[:1])
    first = cells["first"]
    assert (first.outcome.kind, first.verdict) == (OutcomeKind.LOST, Verdict.ERROR)
    assert "the agent ended without its completion marker" in first.outcome.reason
    assert run.seconds["push"] + run.seconds.get("agent", 0) < 60, "it must be noticed at once, not by a deadline"


def test_a_service_that_does_not_take_the_job_meets_the_case_deadline(plan: GuestPlan, cases: Sequence[Case]) -> None:
    plan = with_program(
        with_deadlines(plan, case=1.0), SERVICE, old="    ctypes.CDLL(", new="    time.sleep(3600)\n    ctypes.CDLL("
    )
    _, cells = boot(plan, cases[:1])
    first = cells["first"]
    assert (first.outcome.kind, first.verdict) == (OutcomeKind.LOST, Verdict.ERROR)
    assert "the case deadline of 1 s passed while waiting for the agent" in first.outcome.reason


def test_a_case_that_kills_its_own_process_is_lost_and_no_other(plan: GuestPlan, cases: Sequence[Case]) -> None:
    plan = faulty(plan, "ctypes.string_at(8)")
    run, cells = boot(plan, cases)
    second = cells["second"]
    assert (second.outcome.kind, second.verdict) == (OutcomeKind.LOST, Verdict.ERROR)
    assert "killed by SIGSEGV" in second.outcome.reason
    assert_unharmed(cells, "first", "third")
    assert run.boots == 1


def test_a_case_that_hangs_meets_its_deadline_in_the_guest_and_no_other_does(
    plan: GuestPlan, cases: Sequence[Case]
) -> None:
    plan = faulty(plan, "time.sleep(3600)")
    cases = [cases[0], dataclasses.replace(cases[1], deadline=1.0), cases[2]]
    run, cells = boot(plan, cases)
    second = cells["second"]
    assert (second.outcome.kind, second.verdict) == (OutcomeKind.LOST, Verdict.ERROR)
    assert "the case deadline passed" in second.outcome.reason
    assert_unharmed(cells, "first", "third")
    assert run.boots == 1


def test_words_that_are_no_protocol_are_lost(plan: GuestPlan, cases: Sequence[Case]) -> None:
    plan = faulty(plan, r'os.write(self.reporter.fd, b"\x1b[2J<script>all is well</script>\n")')
    _, cells = boot(plan, cases[1:2])
    second = cells["second"]
    assert (second.outcome.kind, second.verdict) == (OutcomeKind.LOST, Verdict.ERROR)
    assert "not its protocol" in second.outcome.reason
    assert "\x1b" not in second.outcome.reason


def test_a_killed_qemu_is_lost_and_its_signal_named(plan: GuestPlan, cases: Sequence[Case]) -> None:
    plan = faulty(plan, "time.sleep(3600)")
    cells = boot_and(plan, cases[1:2], lambda pid: os.kill(pid, signal.SIGKILL))
    second = cells["second"]
    assert (second.outcome.kind, second.verdict) == (OutcomeKind.LOST, Verdict.ERROR)
    assert "QEMU was killed by SIGKILL" in second.outcome.reason
    assert second.outcome.console_tail


def test_a_stopped_qemu_meets_the_case_deadline(plan: GuestPlan, cases: Sequence[Case]) -> None:
    plan = faulty(plan, "time.sleep(3600)")
    cells = boot_and(with_deadlines(plan, case=5.0), cases[1:2], lambda pid: os.kill(pid, signal.SIGSTOP))
    second = cells["second"]
    assert (second.outcome.kind, second.verdict) == (OutcomeKind.LOST, Verdict.ERROR)
    assert "the case deadline of 5 s passed while running second" in second.outcome.reason
    assert any("dropbear" in line or "Pubkey" in line for line in second.outcome.console_tail)


def test_a_boot_that_hangs_meets_the_boot_deadline_once(plan: GuestPlan, cases: Sequence[Case]) -> None:
    # What follows `--` are init's own words (Documentation/admin-guide/kernel-parameters.rst).
    plan = dataclasses.replace(plan, cmdline="loglevel=7 rdinit=/usr/bin/busybox -- sleep 3600")
    run, cells = boot(with_deadlines(plan, boot=8.0), cases)
    assert set(cells) == set(NAMES)
    for cell in cells.values():
        assert (cell.outcome.kind, cell.verdict) == (OutcomeKind.LOST, Verdict.ERROR)
        assert "the boot deadline of 8 s passed while waiting for the guest's SSH service" in cell.outcome.reason
        assert cell.outcome.console_tail
    assert run.boots == 2, "one repetition, and what every guest of this kernel would do must not cost one per case"
    assert len(run.notices) == 1 and "did not come up" in run.notices[0]


def test_a_kernel_that_dies_while_booting_says_nothing_of_any_case(plan: GuestPlan, cases: Sequence[Case]) -> None:
    plan = dataclasses.replace(plan, cmdline="rdinit=/usr/bin/busybox -- true")
    run, cells = boot(plan, cases)
    for cell in cells.values():
        assert (cell.outcome.kind, cell.verdict) == (OutcomeKind.LOST, Verdict.ERROR)
        assert "Kernel panic - not syncing: Attempted to kill init!" in cell.outcome.reason
        assert "before the case's first step" in cell.outcome.reason
    assert run.boots == 2
    assert run.seconds["boot"] < 120, "a dead kernel must be noticed at once, not by a deadline"


DIES = {
    "stage": Stage.TRIGGER,
    "step": "trigger call",
    "panic": ["Attempted to kill init", "out of memory|System is deadlocked", "Oops"],
}
"""A signature for the inputs 27 and 27b, which gave none."""


@pytest.mark.parametrize("name", ["27-expected-to-crash", "27b-expected-to-crash-alone"])
def test_a_death_at_boot_is_an_error_though_the_case_expects_a_crash(name: str, plan: GuestPlan) -> None:
    with pytest.raises(ConfigError, match='the outcome "crashed" needs the key "step"'):
        load_case(INPUTS / name)
    rule = {"outcome": "crashed", "reason": "a bug", "source": "a report", **DIES}
    expecting = compile_case(load_input(name, expect=[rule], isolated=True))
    dead = dataclasses.replace(plan, cmdline="rdinit=/usr/bin/busybox -- true")
    _, cells = boot(dead, [expecting])
    (cell,) = cells.values()
    assert (cell.expectation.outcome, cell.outcome.kind, cell.verdict) == (
        OutcomeKind.CRASHED,
        OutcomeKind.LOST,
        Verdict.ERROR,
    )


@pytest.mark.parametrize("memory", [64])
@pytest.mark.parametrize("name", ["freplace-loop", "kprobe-fentry-fexit"])
def test_too_little_memory_to_boot_is_an_error_whatever_is_expected(name: str, memory: int, tmp_path: Path) -> None:
    """6.1 dies in freplace-loop, as the case says; with 64 MiB it dies before any case."""
    case = load_case(ROOT / "bpf" / name)
    plan, cases = prepare(KERNEL, [case], folder=tmp_path)
    plan = dataclasses.replace(plan, settings=dataclasses.replace(plan.settings, memory=memory))
    _, cells = boot(plan, cases)
    (cell,) = cells.values()
    assert (cell.outcome.kind, cell.verdict) == (OutcomeKind.LOST, Verdict.ERROR)


def test_a_guest_that_does_not_power_off_is_a_problem_of_its_kernel(plan: GuestPlan, cases: Sequence[Case]) -> None:
    # Without ACPI the kernel cannot switch the machine off: it halts (kernel/reboot.c, reboot(2)).
    plan = dataclasses.replace(plan, cmdline="acpi=off")
    run, cells = boot(with_deadlines(plan, shutdown=1.0), cases[:1])
    assert_unharmed(cells, "first")
    assert run.problems == ("the shutdown deadline of 1 s passed; QEMU was ended",)


def test_another_kernel_than_the_one_asked_for_is_lost(plan: GuestPlan, cases: Sequence[Case]) -> None:
    kernel = dataclasses.replace(plan.kernel, release="6.1.0-999-cloud-amd64")
    run, cells = boot(dataclasses.replace(plan, kernel=kernel), cases)
    for cell in cells.values():
        assert (cell.outcome.kind, cell.verdict) == (OutcomeKind.LOST, Verdict.ERROR)
        assert cell.outcome.reason == (
            f"the guest runs {plan.kernel.release}, but 6.1.0-999-cloud-amd64 was booted for {KERNEL}"
        )
    assert run.boots == 1


def test_no_answer_of_any_kind_is_ever_a_good_one(cases: Sequence[Case], plan: GuestPlan) -> None:
    """A run of which nothing is known: every cell is there, and lost."""
    cells: dict[str, Any] = judged(plan, cases, facts_of(plan))
    assert {cell.outcome.kind for cell in cells.values()} == {OutcomeKind.LOST}
    assert {cell.outcome.stage for cell in cells.values()} == {Stage.OPEN}
    assert set(cells) == set(NAMES)
