"""The evidence of a cell: everything that a report can hold of it is shown."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from pages_samples import leaves
from reports_sample import BUG, REFUSED, kernel, nasty_report, quiet_report

from harness.answers.explain import Again
from harness.model.results import (
    AllowedSplat,
    CellResult,
    Difference,
    DifferenceKind,
    Fault,
    KernelResult,
    Mark,
    Origin,
    Outcome,
    OutcomeKind,
    OverBudget,
    PartResult,
    Stage,
    Start,
    Verdict,
)
from harness.reports import cell_evidence

SPLAT = AllowedSplat(line="allowed_", count=2, pattern="", reason="allowed_why_", link="link_", expires="2027-01-31")
FULL = Outcome(
    kind=OutcomeKind.REFUSED,
    reason="reason_",
    stage=Stage.LOAD_TRACER,
    errno=13,
    errno_name="EACCES",
    origin=Origin.LIBBPF_KERNEL,
    refusal="refusal_",
    advice="advice_",
    asked={"api": "asked_"},
    candidates=("candidate_",),
    log="0: r1 = 2\nlog_ says it\nprocessed 1 insns\n",
    events=({"kind": "event_"},),
    splats=("splat_\nCall Trace:",),
    allowed_splats=(SPLAT,),
    differences=(Difference(step="s", kind=DifferenceKind.EVENTS, text="difference_"),),
    step="step_",
    crash="crash_\nRIP: 0010",
    reset="reset_",
    cause="sysctl",
    cause_name="cause_name_",
    console_tail=("[ 1.0] console_",),
    seconds=0.25,
    fault=Fault.HOST,
    mark=Mark.NOT_COUNTED,
    mark_reason="mark_reason_",
    measured={"verified-instructions": 4711},
    output="output_",
    xdp={"link": "native"},
    programs={"target.main": {"jited-bytes": 4712}},
    over_budget=(OverBudget(program="p", measure="verified-instructions", value=9, most=8, text="over_budget_"),),
    stages={"open": 0.0125, "load-tracer": 0.5},
)
SAID = {
    **{
        name: (f"{name}_",)
        for name in ("reason", "refusal", "advice", "asked", "log", "step", "crash", "reset", "output")
    },
    **{"cause_name": ("cause_name_",), "mark_reason": ("mark_reason_",), "candidates": ("candidate_",)},
    "kind": ("refused",),
    "stage": ("load-tracer",),
    "errno": ("(13)",),
    "errno_name": ("EACCES",),
    "origin": ("libbpf after reading this kernel",),
    "events": ("event_",),
    "splats": ("splat_",),
    "allowed_splats": ("allowed_", "allowed_why_", "link_", "2027-01-31"),
    "differences": ("difference_",),
    "cause": ("sysctl",),
    "console_tail": ("console_",),
    "seconds": ("0.2 s",),
    "fault": ("host",),
    "mark": ("not-counted",),
    "measured": ("instructions: 4711",),
    "xdp": ("link: native",),
    "stages": ("0.013 s", "0.500 s"),
    "programs": ("target.main", "JITed bytes: 4712"),
    "over_budget": ("over_budget_",),
}
"""What is shown of each field of an outcome."""
UNSHOWN = {"counted_splats", "ours", "wrong_input"}
"""Fields that say of others how they count; those are shown."""


def evidence(cell: CellResult, command: str = "bpfmatrix matrix") -> dict[str, Any]:
    report = quiet_report()
    again = Again(replace(report, run=replace(report.run, command=command)), program="bpfmatrix")
    return cell_evidence.of_cell(cell, again=again)


def test_everything_of_an_outcome_is_shown_of_cells_and_parts() -> None:
    assert SAID.keys() | UNSHOWN == {each.name for each in fields(Outcome)}
    cell = replace(quiet_report().cells[0], outcome=FULL)
    part = PartResult(name="part_", outcome=FULL, verdict=Verdict.FAIL, verdict_reason="why_", about="about_")
    plain = replace(quiet_report().cells[0], parts=(part,))
    for found in (evidence(cell), evidence(plain)["parts"][0]):
        text = "\n".join(leaves(found))
        for name, said in SAID.items():
            for each in said:
                assert each in text, name


def test_the_line_that_decides_is_marked() -> None:
    blocks = {
        label: (text, line) for label, text, line in evidence(replace(quiet_report().cells[0], outcome=FULL))["blocks"]
    }
    assert blocks["The kernel's death"][1] == "0"
    refused = replace(FULL, crash="", splats=(), over_budget=())
    found = evidence(replace(quiet_report().cells[0], outcome=refused))["blocks"]
    assert ("The verifier's log", refused.log, "1") in found
    assert ("Its output", "output_", "") in found


def test_the_stages_say_where_the_case_ended() -> None:
    found = evidence(replace(quiet_report().cells[0], outcome=FULL))["stages"]
    assert found == [("open", "0.013 s", "done"), ("load-tracer", "0.500 s", "stopped")]
    old = replace(FULL, stages={})
    assert evidence(replace(quiet_report().cells[0], outcome=old))["stages"] == [("load-tracer", "", "stopped")]
    works = replace(quiet_report().cells[0].outcome, stages={"open": 1.0})
    assert evidence(replace(quiet_report().cells[0], outcome=works))["stages"] == [("open", "1.000 s", "done")]


def test_what_was_expected_has_its_reason_source_and_kernels() -> None:
    found = dict(evidence(replace(quiet_report().cells[0], expectation=BUG))["expected"])
    assert found["Expected"] == "misbehaves (a known bug)"
    assert found["Source"] == "before 6.7"
    assert found["Rule for"].startswith("x86_64; >=5.10; since 5.15.7")
    assert (
        "EACCES or EINVAL"
        in dict(evidence(replace(quiet_report().cells[0], expectation=REFUSED))["expected"])["Expected"]
    )


def test_the_guest_and_the_commands_to_see_it_again_are_said() -> None:
    cell = replace(nasty_report().cells[3], kernel="6.1", case="my-object", start=Start.WARM, isolated=True)
    found = evidence(cell, command="bpfmatrix check my.bpf.o --jobs 1 --accel tcg")
    assert ["Guest", "restored from a snapshot, its own"] in [list(pair) for pair in found["facts"]]
    assert found["again"] == "bpfmatrix check --kernel 6.1 my.bpf.o --accel tcg"
    assert found["parts"][0]["again"] == "bpfmatrix check --kernel 6.1 --program prog_works my.bpf.o --accel tcg"
    assert found["columns"][:3] == ("part", "section", "answer")
    assert len(found["rows"]) == len(cell.parts)


def test_everything_of_a_kernel_is_shown() -> None:
    texts = dict.fromkeys(
        ("release", "version", "distribution", "accel", "transport", "qemu_version", "libbpf_version", "run"), "x"
    )
    of = kernel(
        "6.1",
        **{name: f"{name}_" for name in texts},
        userland="userland_",
        compiler="compiler_",
        clang_version="clang_version_",
        problems=("problems_",),
        console_tail=("console_tail_",),
        inputs={"agent": "inputs_"},
        memory=171.5,
        boots=3,
    )
    text = "\n".join(leaves(cell_evidence.of_kernel(of)))
    for each in fields(KernelResult):
        said = {
            "name": "6.1",
            "arch": "x86_64",
            "package": "linux-image-6.1",
            "seconds": "boot 3.2",
            "environment": "btf",
        }
        assert said.get(each.name, {"boots": "3", "memory": "172 MiB"}.get(each.name, f"{each.name}_")) in text, (
            each.name
        )
