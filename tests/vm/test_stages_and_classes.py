"""Every stage, and every class of refusal, is reached by a real guest: what the judge can say, a kernel has said.

Most comes from committed cases on a kernel that refuses them. What no committed case shows is a case of this test's
own (`OWN`), made from a committed one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from projects import ROOT, TemporaryProject

from harness.matrix_run import Options, run_matrix
from harness.model import OutcomeKind, Report, Stage
from harness.preparation import Project
from harness.refusals import NAMES, TABLE, UNCLASSIFIED

pytestmark = pytest.mark.vm

NEWEST, OLD_ARM64, NO_BTF, NO_JIT = "7.3-x86_64", "6.1-arm64", "6.1-s390x", "6.12-s390x"

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
    "no-probe-here": Own(base="kprobe-direct", replace={"target.bpf.c": ("kprobe/tcp_connect", "kprobe/notify_die")}),
    "not-an-object": Own(base="tc", change=has_no_object),
    "return-out-of-range": Own(base="cgroup-skb", replace={"target.bpf.c": ("return 3", "return 7")}),
    "wrong-control": Own(base="tc", change=wants("control")),
    "wrong-look": Own(base="tc", change=wants("observe")),
    "wrong-retval": Own(base="tc", change=returns_another),
}


# --- what each guest shows --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One cell: where it ends, with which errno, in which class (none: it misbehaves, or is lost)."""

    kernel: str
    case: str
    stage: Stage
    errno: str | None
    name: str = ""
    kind: OutcomeKind = OutcomeKind.REFUSED


ROWS = (
    Row(NEWEST, "kprobe-argument-layout-pt-regs", Stage.LOAD_TRACER, "EACCES", "argument-layout"),
    Row(NEWEST, "tracer-attach-twice", Stage.ATTACH_TRACER, "EINVAL", "attach-api"),
    Row(NEWEST, "refuse-tp-btf", Stage.LOAD_TRACER, "EINVAL", "attach-type"),
    Row(NEWEST, "freplace-traced-function", Stage.ATTACH_TRACER, "EBUSY", "busy"),
    Row(NEWEST, "sk-lookup-wrong-context", Stage.LOAD_TRACER, "EACCES", "context-not-known"),
    Row(NEWEST, "freplace-interpreted", Stage.LOAD_TRACER, "EINVAL", "extension-not-jited"),
    Row(NEWEST, "refuse-fmod-ret", Stage.LOAD_TRACER, "EINVAL", "fmod-ret"),
    Row(NEWEST, "refuse-missing-function", Stage.LOAD_TRACER, "EINVAL", "function-missing"),
    Row(NEWEST, "helper-of-tracers", Stage.LOAD_TARGET, "EINVAL", "helper-missing"),
    Row(NO_JIT, "kernel-function", Stage.LOAD_TRACER, "ENOMEM", "jit-not-built"),
    Row(NO_JIT, "struct-ops", Stage.LOAD_TARGET, "ESRCH", "kernel-function-unknown"),
    Row(NO_BTF, "subprog-global", Stage.LOAD_TARGET, "EINVAL", "kernel-without-btf"),
    Row(NEWEST, "no-probe-here", Stage.ATTACH_TARGET, "EINVAL", "kprobe-refused"),
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
    Row(NEWEST, "refuse-target-without-btf", Stage.LOAD_TRACER, "EINVAL", "target-without-btf"),
    Row(NEWEST, "refuse-target-without-btf-kernel", Stage.LOAD_TRACER, "EINVAL", "target-without-btf"),
    Row(OLD_ARM64, "netfilter", Stage.LOAD_TARGET, "EINVAL", "unknown-type"),
    Row(OLD_ARM64, "fsession", Stage.LOAD_TRACER, "EINVAL", "unknown-type"),
    Row(NEWEST, "empty-slot", Stage.ATTACH_TARGET, "ENOENT", UNCLASSIFIED),
    # The other stages do not refuse: there the cell is lost, or misbehaves.
    Row(NEWEST, "not-an-object", Stage.OPEN, None, kind=OutcomeKind.LOST),
    Row(NEWEST, "wrong-retval", Stage.TRIGGER, None, kind=OutcomeKind.MISBEHAVES),
    Row(NEWEST, "wrong-look", Stage.OBSERVE, None, kind=OutcomeKind.MISBEHAVES),
    Row(NEWEST, "wrong-control", Stage.DETACH, None, kind=OutcomeKind.MISBEHAVES),
)


def run_kernel(kernel: str, folder: Path) -> Report:
    """Run the cases of one kernel's rows in one guest."""
    project = TemporaryProject(folder / kernel, kernels=[kernel])
    for row in ROWS:
        if row.kernel != kernel:
            continue
        own = OWN.get(row.case)
        if own is None:
            project.committed(row.case)
            continue
        made = project.case(row.case, own.change, replace=own.replace, base=ROOT / "bpf" / own.base)
        (made / NO_OBJECT).write_bytes(HEAD_OF_AN_OBJECT)
    arch = kernel.rpartition("-")[2]
    report, _ = run_matrix(Options(project=Project(matrix_file=project.matrix_file), arches=[arch], jobs=1))
    return report


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """One guest for each kernel, one after the other: two runs in one process would end each other's guests."""
    folder = tmp_path_factory.mktemp("stages-and-classes")
    return {kernel: run_kernel(kernel, folder) for kernel in dict.fromkeys(row.kernel for row in ROWS)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.case}-{row.kernel}")
def test_a_real_guest_ends_there(reports: dict[str, Report], row: Row) -> None:
    outcome = reports[row.kernel].cell(row.kernel, row.case).outcome
    assert (outcome.kind, outcome.stage, outcome.errno_name, outcome.refusal) == (
        *(row.kind, row.stage, row.errno, row.name),
    ), f"{outcome.reason}\n{outcome.log}"
    assert bool(outcome.advice) == (row.name not in ("", UNCLASSIFIED))


def test_each_kernel_took_one_guest(reports: dict[str, Report]) -> None:
    assert {kernel: report.kernels[0].boots for kernel, report in reports.items()} == dict.fromkeys(reports, 1)


def test_every_class_is_reached() -> None:
    assert {row.name for row in ROWS if row.name} == {*NAMES, UNCLASSIFIED}


def test_every_stage_is_reached_and_every_stage_that_can_refuse_refuses() -> None:
    assert {row.stage for row in ROWS} == set(Stage)
    can_refuse = {stage for row in TABLE for stage in row.stages}
    assert {row.stage for row in ROWS if row.kind == OutcomeKind.REFUSED} == can_refuse
