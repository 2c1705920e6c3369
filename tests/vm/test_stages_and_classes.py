"""Every stage, class and origin of a refusal is reached by a real guest: what the judge can say, a kernel has said.

Most comes from committed cases on a kernel that refuses them. What no committed case shows is one of tests/inputs (made
after reports of people who ship eBPF; or `refused-...`), or a case of this test's own (`OWN`), made from a committed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from projects import ROOT, TemporaryProject

from harness.model.refusals import NAMES, UNCLASSIFIED
from harness.model.refusals_verifier import BEFORE, VERIFIER
from harness.model.results import Origin, OutcomeKind, Report, Stage
from harness.run.matrix import run_matrix
from harness.run.options import Options
from harness.supply.project import Project

pytestmark = pytest.mark.vm

NEWEST, OLDEST, OLD_ARM64, NO_BTF, NO_JIT = "7.3-x86_64", "5.10-x86_64", "6.1-arm64", "6.1-s390x", "6.12-s390x"
INPUTS = ROOT / "tests/inputs"

NO_OBJECT = "broken.bpf.o"
HEAD_OF_AN_OBJECT = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + bytes([1, 0, 247, 0])
"""An ELF file for BPF, little-endian, that ends where its first sections are to come."""


# --- cases of this test's own -----------------------------------------------------------------------------------------


def nothing(_case: dict[str, Any]) -> None:
    """Leave case.yaml as it is."""


def jit_off(case: dict[str, Any]) -> None:
    case["sysctls"] = {"net.core.bpf_jit_enable": 0}


def ends_with_its_first_refusal(case: dict[str, Any]) -> None:
    last = next(index for index, step in enumerate(case["steps"]) if "refused" in step)
    case["steps"] = case["steps"][: last + 1]
    del case["steps"][last]["refused"]


def empties_an_empty_slot(case: dict[str, Any]) -> None:
    case["steps"] = [{"do": "load", "object": "target"}, {"do": "tail-call", "map": "target.idle"}]


def demands_all(case: dict[str, Any]) -> None:
    for step in case["steps"]:
        step.pop("refused", None)


def wants(key: str) -> Callable[[dict[str, Any]], None]:
    """Return a change: what is seen at last must carry another return value than it does."""

    def change(case: dict[str, Any]) -> None:
        case[key]["trace"][-1]["retval"] = 99

    return change


def has_no_object(case: dict[str, Any]) -> None:
    case["target"]["object"] = NO_OBJECT


def returns_another(case: dict[str, Any]) -> None:
    case["trigger"]["retval"] = 99


@dataclass(frozen=True, kw_only=True)
class Own:
    """A case made from the committed one `base`: a change of its case.yaml, and text replaced in its sources."""

    base: str
    change: Callable[[dict[str, Any]], None] = nothing
    replace: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def without_rules(self, case: dict[str, Any]) -> None:
        """Change a case.yaml, and take away its rules: they may name steps that it no longer has."""
        self.change(case)
        case.pop("expect", None)


UNSIZED = """struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, int);
	__type(value, int);
} unsized SEC(".maps");"""
HIDDEN = 'SEC("tc") __attribute__((used)) static int hidden(struct __sk_buff *skb) { return 0; }'
OWN = {
    "another-prototype": Own(
        base="freplace-in-array",
        replace={
            "freplace.bpf.c": ("replacement(struct __sk_buff *skb)", "replacement(struct __sk_buff *skb, int more)")
        },
    ),
    "empty-slot": Own(base="freplace-in-array", change=empties_an_empty_slot),
    "extension-in-array": Own(base="freplace-in-array", change=demands_all),
    "freplace-interpreted": Own(base="freplace-in-array", change=jit_off),
    "freplace-static": Own(
        base="freplace-in-array",
        replace={"target.bpf.c": ("__attribute__((noinline)) int stub", "static __attribute__((noinline)) int stub")},
    ),
    "freplace-traced-function": Own(base="freplace-fentry-exclusive", change=ends_with_its_first_refusal),
    "helper-of-tracers": Own(base="tc", replace={"target.bpf.c": ("\treturn 7", "\treturn bpf_get_func_ip(ctx)")}),
    "map-of-no-size": Own(base="tc", replace={"target.bpf.c": ("char LICENSE", f"{UNSIZED}\nchar LICENSE")}),
    "static-program": Own(base="tc", replace={"target.bpf.c": ("char LICENSE", f"{HIDDEN}\nchar LICENSE")}),
    "legacy-maps": Own(base="tc", replace={"target.bpf.c": ("char LICENSE", 'int old SEC("maps");\nchar LICENSE')}),
    # Both are in the kprobes' blacklist (kernel/notifier.c, NOKPROBE_SYMBOL()); the second is notrace as well.
    "no-probe-here": Own(
        base="kprobe-direct", replace={"target.bpf.c": ("kprobe/tcp_connect", "kprobe/atomic_notifier_call_chain")}
    ),
    "no-trace-here": Own(base="kprobe-direct", replace={"target.bpf.c": ("kprobe/tcp_connect", "kprobe/notify_die")}),
    "not-an-object": Own(base="tc", change=has_no_object),
    "return-out-of-range": Own(base="cgroup-skb", replace={"target.bpf.c": ("return 3", "return 7")}),
    "wrong-control": Own(base="tc", change=wants("control")),
    "wrong-look": Own(base="tc", change=wants("observe")),
    "wrong-retval": Own(base="tc", change=returns_another),
}


# --- what each guest shows --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One cell: where it ends, with which errno, in which class (none: it misbehaves, or is lost), who refused."""

    kernel: str
    case: str
    stage: Stage
    errno: str | None
    name: str = ""
    kind: OutcomeKind = OutcomeKind.REFUSED
    origin: Origin | None = Origin.SYSTEM_CALL


READ, ALONE = Origin.LIBBPF_KERNEL, Origin.LIBBPF

ROWS = (
    Row(NEWEST, "kprobe-argument-layout-pt-regs", Stage.LOAD_TRACER, "EACCES", "argument-layout"),
    Row(NEWEST, "tracer-attach-twice", Stage.ATTACH_TRACER, "EINVAL", "attached-before"),
    Row(NEWEST, "refuse-tp-btf", Stage.LOAD_TRACER, "EINVAL", "attach-type"),
    Row(NEWEST, "freplace-traced-function", Stage.ATTACH_TRACER, "EBUSY", "busy"),
    Row(NEWEST, "sk-lookup-wrong-context", Stage.LOAD_TRACER, "EACCES", "context-not-known"),
    Row(NEWEST, "freplace-interpreted", Stage.LOAD_TRACER, "EINVAL", "extension-not-jited"),
    Row(NEWEST, "refuse-fmod-ret", Stage.LOAD_TRACER, "EINVAL", "fmod-ret"),
    Row(NEWEST, "refuse-missing-function", Stage.LOAD_TRACER, "EINVAL", "function-missing"),
    Row(NEWEST, "helper-of-tracers", Stage.LOAD_TARGET, "EINVAL", "helper-missing"),
    Row(NO_JIT, "kernel-function", Stage.LOAD_TRACER, "ENOMEM", "jit-not-built"),
    Row(NO_JIT, "struct-ops", Stage.LOAD_TARGET, "ESRCH", "kernel-function-unknown", origin=READ),
    Row(OLDEST, "15-module-function", Stage.LOAD_TARGET, "ESRCH", "kernel-function-unknown", origin=READ),
    Row(NO_BTF, "subprog-global", Stage.LOAD_TARGET, "EINVAL", "kernel-without-btf"),
    Row(NEWEST, "no-probe-here", Stage.ATTACH_TARGET, "EINVAL", "kprobe-refused"),
    Row(NEWEST, "no-trace-here", Stage.ATTACH_TARGET, "EINVAL", "not-traceable"),
    Row(NEWEST, "map-of-no-size", Stage.LOAD_TARGET, "EINVAL", "map-without-size"),
    Row(NEWEST, "tracer-limit", Stage.ATTACH_TRACER, "E2BIG", "link-limit"),
    Row(NEWEST, "refuse-unprivileged", Stage.LOAD_TRACER, "EPERM", "no-permission"),
    Row(OLD_ARM64, "kernel-function", Stage.ATTACH_TRACER, "ENOTSUPP", "no-trampoline"),
    Row(NEWEST, "refuse-sleepable", Stage.LOAD_TRACER, "EINVAL", "not-sleepable"),
    Row(OLD_ARM64, "kprobe-multi", Stage.ATTACH_TARGET, "EOPNOTSUPP", "not-supported"),
    Row(NEWEST, "freplace-tail-call", Stage.LOAD_TRACER, "EINVAL", "packet-data"),
    Row(NEWEST, "extension-in-array", Stage.ATTACH_TARGET, "EINVAL", "program-array-mismatch"),
    Row(NEWEST, "another-prototype", Stage.LOAD_TRACER, "EINVAL", "prototype-mismatch"),
    Row(NEWEST, "tracing-third-level", Stage.LOAD_TRACER, "EINVAL", "recursion-rule"),
    Row(NEWEST, "return-out-of-range", Stage.LOAD_TARGET, "EINVAL", "return-value"),
    Row(NEWEST, "freplace-static", Stage.LOAD_TRACER, "EINVAL", "static-function"),
    Row(NO_JIT, "subprog-tail-call-loop", Stage.LOAD_TARGET, "EINVAL", "tail-call-in-subprogram"),
    Row(NEWEST, "refuse-interpreted-target", Stage.LOAD_TRACER, "EINVAL", "target-not-jited"),
    Row(NEWEST, "refuse-target-without-btf", Stage.LOAD_TRACER, "EINVAL", "target-without-btf", origin=ALONE),
    Row(NEWEST, "refuse-target-without-btf-kernel", Stage.LOAD_TRACER, "EINVAL", "target-without-btf"),
    Row(OLD_ARM64, "netfilter", Stage.LOAD_TARGET, "EINVAL", "program-type-unknown"),
    Row(OLD_ARM64, "fsession", Stage.LOAD_TRACER, "EINVAL", "attach-type-unknown"),
    Row(OLDEST, "kprobe-multi", Stage.ATTACH_TARGET, "EINVAL", "attach-type-unknown"),
    Row(OLDEST, "09d-map-type-unknown", Stage.LOAD_TARGET, "EINVAL", "map-type-unknown"),
    Row(OLDEST, "16-atomic-result", Stage.LOAD_TARGET, "EINVAL", "instruction-unknown"),
    Row(OLDEST, "tracer-link-create", Stage.ATTACH_TRACER, "EINVAL", "link-create-unsupported"),
    Row(NEWEST, "08-co-re-member", Stage.LOAD_TARGET, "EINVAL", "co-re-absent", origin=READ),
    Row(NEWEST, "refused-kernel-symbol", Stage.LOAD_TARGET, "ESRCH", "kernel-symbol-absent", origin=READ),
    Row(NEWEST, "refused-kfunc", Stage.LOAD_TARGET, "EINVAL", "kernel-symbol-absent", origin=READ),
    Row(NEWEST, "refused-kconfig", Stage.LOAD_TARGET, "ESRCH", "kconfig-absent", origin=READ),
    Row(NEWEST, "refused-pinned-map", Stage.LOAD_TARGET, "EINVAL", "pinned-map-differs", origin=ALONE),
    Row(NEWEST, "refused-inode-storage", Stage.LOAD_TARGET, "EINVAL", "lsm-not-enabled"),
    Row(NEWEST, "refused-section", Stage.LOAD_TARGET, "EINVAL", "section-unknown", origin=ALONE),
    Row(NEWEST, "refused-too-large", Stage.LOAD_TARGET, "E2BIG", "program-too-large"),
    Row(OLDEST, "refused-too-deep", Stage.LOAD_TARGET, "E2BIG", "program-too-large"),
    Row(NEWEST, "refused-map-too-large", Stage.LOAD_TARGET, "E2BIG", "map-too-large"),
    Row(OLDEST, "refused-map-too-large", Stage.LOAD_TARGET, "E2BIG", "map-too-large"),
    Row(NEWEST, "refused-map-attributes", Stage.LOAD_TARGET, "EINVAL", "map-attributes"),
    Row(OLDEST, "refused-map-attributes", Stage.LOAD_TARGET, "EINVAL", "map-attributes"),
    Row(NEWEST, "19-large-map", Stage.LOAD_TARGET, "ENOMEM", "out-of-memory"),
    Row(OLD_ARM64, "19b-larger-map", Stage.LOAD_TARGET, "ENOMEM", "out-of-memory"),
    Row(OLD_ARM64, "07-no-such-tracepoint", Stage.ATTACH_TARGET, "ENOENT", "attach-point-absent", origin=READ),
    Row(NEWEST, "07b-no-such-kprobe", Stage.ATTACH_TARGET, "ENOENT", "attach-point-absent"),
    Row(NEWEST, "07c-no-such-uprobe", Stage.ATTACH_TARGET, "ENOENT", "attach-point-absent", origin=ALONE),
    Row(NEWEST, "31d-syscall-name", Stage.ATTACH_TARGET, "ENOENT", "attach-point-absent"),
    Row(NEWEST, "refused-raw-tracepoint", Stage.ATTACH_TARGET, "ENOENT", "attach-point-absent"),
    Row(NEWEST, "refused-kprobe-multi", Stage.ATTACH_TARGET, "ENOENT", "attach-point-absent", origin=READ),
    Row(NEWEST, "31-target-at-run-time", Stage.ATTACH_TARGET, "EOPNOTSUPP", "no-attach-target", origin=ALONE),
    Row(NEWEST, "31c-fentry-bare", Stage.LOAD_TARGET, "EINVAL", "no-attach-target", origin=ALONE),
    Row(NEWEST, "refused-not-attachable", Stage.ATTACH_TARGET, "EOPNOTSUPP", "not-attachable-here", origin=ALONE),
    Row(NEWEST, "static-program", Stage.OPEN, "EOPNOTSUPP", "static-program", origin=ALONE),
    Row(NEWEST, "legacy-maps", Stage.OPEN, "EOPNOTSUPP", "legacy-maps", origin=ALONE),
    Row(NEWEST, "empty-slot", Stage.ATTACH_TARGET, "ENOENT", UNCLASSIFIED),
    # The other stages do not refuse: there the cell is lost, or misbehaves.
    Row(NEWEST, "not-an-object", Stage.BUILD, None, kind=OutcomeKind.LOST, origin=None),
    Row(NEWEST, "wrong-retval", Stage.TRIGGER, None, kind=OutcomeKind.MISBEHAVES, origin=None),
    Row(NEWEST, "wrong-look", Stage.OBSERVE, None, kind=OutcomeKind.MISBEHAVES, origin=None),
    Row(NEWEST, "wrong-control", Stage.DETACH, None, kind=OutcomeKind.MISBEHAVES, origin=None),
)


OF_OPENING = {"name-absent", "map-left-out", "variable-mismatch"}
"""Classes that no case reaches, since its names are looked up in its objects before: see test_vm_openings.py."""
OF_CHECK = {"refused-by-program"}
"""What only programs of one object that are attached together show: test_vm_check.py."""
OF_VERIFIER = {row.name for row in (*BEFORE, *VERIFIER)}
"""What programs of one's own are refused for: test_vm_check_verifier.py."""
OF_LOADERS = {"extern-without-type"}
"""What clang gives no more, and objects of other loaders still have: test_vm_other_loaders.py."""
OF_CANDIDATES = {"kernel-version-unknown"}
"""What only the name of a release candidate shows, and those come and go: docs/debian-tools.md has one."""


def run_kernel(kernel: str, folder: Path) -> Report:
    """Run the cases of one kernel's rows in one guest."""
    project = TemporaryProject(folder / kernel, kernels=[kernel])
    for row in ROWS:
        if row.kernel != kernel:
            continue
        own = OWN.get(row.case)
        if (INPUTS / row.case).is_dir():
            (project.folder / "bpf" / row.case).symlink_to(INPUTS / row.case)
            continue
        if own is None:
            project.committed(row.case)
            continue
        made = project.case(row.case, own.without_rules, replace=own.replace, base=ROOT / "bpf" / own.base)
        (made / NO_OBJECT).write_bytes(HEAD_OF_AN_OBJECT)
    arch = kernel.rpartition("-")[2]
    return run_matrix(Options(project=Project(matrix_file=project.matrix_file), arches=[arch], jobs=1)).report


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """One guest for each kernel, one after the other: two runs in one process would end each other's guests."""
    folder = tmp_path_factory.mktemp("stages-and-classes")
    return {kernel: run_kernel(kernel, folder) for kernel in dict.fromkeys(row.kernel for row in ROWS)}


NOT_IN_THIS_CLANG = "Invalid usage of the XADD return value"
"""What clang 21 says, and 19 does not, of an atomic operation whose result is used, with -mcpu=v2."""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.case}-{row.kernel}")
def test_a_real_guest_ends_there(reports: dict[str, Report], row: Row) -> None:
    outcome = reports[row.kernel].cell(row.kernel, row.case).outcome
    if outcome.stage == Stage.BUILD and NOT_IN_THIS_CLANG in outcome.log:
        pytest.skip(f"this clang does not compile what {row.kernel} refuses: {NOT_IN_THIS_CLANG}")
    assert (outcome.kind, outcome.stage, outcome.errno_name, outcome.refusal, outcome.origin) == (
        *(row.kind, row.stage, row.errno, row.name, row.origin),
    ), f"{outcome.reason}\n{outcome.log}\n{outcome.asked}"
    assert bool(outcome.advice) == (row.name not in ("", UNCLASSIFIED))


def test_each_kernel_took_one_guest(reports: dict[str, Report]) -> None:
    """But the case that has a command line of its own has a guest of its own."""
    boots = {**dict.fromkeys(reports, 1), NEWEST: 2}
    assert {kernel: report.kernels[0].boots for kernel, report in reports.items()} == boots


def test_every_class_is_reached() -> None:
    elsewhere = OF_OPENING | OF_CHECK | OF_VERIFIER | OF_LOADERS | OF_CANDIDATES
    assert {row.name for row in ROWS if row.name} == {*NAMES, UNCLASSIFIED} - elsewhere


def test_every_origin_is_reached() -> None:
    """But `unknown`: no guest has shown a refusal that the table does not know."""
    assert {row.origin for row in ROWS if row.origin} == {*Origin} - {Origin.UNKNOWN}


def test_every_stage_is_reached_and_every_stage_that_can_refuse_refuses() -> None:
    assert {row.stage for row in ROWS} == set(Stage)
    can_refuse = {Stage.OPEN, Stage.LOAD_TARGET, Stage.LOAD_TRACER, Stage.ATTACH_TRACER, Stage.ATTACH_TARGET}
    assert {row.stage for row in ROWS if row.kind == OutcomeKind.REFUSED} == can_refuse
