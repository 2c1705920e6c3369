"""Which programs a report knows, and what of them."""

from __future__ import annotations

from dataclasses import replace

from answers_samples import WORKS, cell, report

from harness.model.results import Outcome, OutcomeKind, PartResult, Report, Stage, Verdict
from harness.reports.programs import programs_of

INSNS, LIMIT = "verified-instructions", "instruction-limit"
REFUSED = Outcome(kind=OutcomeKind.REFUSED, reason="no", stage=Stage.LOAD_TARGET)


def part(name: str, outcome: Outcome, about: str = "xdp") -> PartResult:
    return PartResult(name=name, outcome=outcome, verdict=Verdict.PASS, verdict_reason="", about=about)


def measured(**programs: int) -> Report:
    """Return a report of an object with programs of so many instructions, and of a case with one."""
    parts = tuple(part(name, replace(WORKS, measured={INSNS: count, LIMIT: 1000})) for name, count in programs.items())
    of_case = replace(WORKS, programs={"target.run": {INSNS: 7}})
    return report(
        {
            "6.1-x86_64": {
                "o": cell("6.1-x86_64", "o", "pass", parts=parts),
                "c": cell("6.1-x86_64", "c", "pass", outcome=of_case),
            }
        }
    )


def test_programs_are_those_of_objects_and_those_of_cases() -> None:
    found = {(each.case, each.name): each for each in programs_of(measured(a=10, b=20))}
    assert list(found) == [("o", "a"), ("o", "b"), ("c", "target.run")]
    assert found["o", "b"].share == 0.02
    assert found["c", "target.run"].share is None
    assert all(each.accepted and each.kernel == "6.1-x86_64" for each in found.values())


def test_what_a_kernel_refuses_to_load_is_a_program_and_all_together_or_a_test_is_none() -> None:
    parts = (
        part("refused", REFUSED),
        part("not-attached", replace(REFUSED, stage=Stage.ATTACH_TARGET)),
        part("all-together", REFUSED, about=""),
        part("works", WORKS),
    )
    found = list(programs_of(report({"k": {"o": cell("k", "o", "fail", parts=parts)}})))
    assert [(each.name, each.accepted, dict(each.measured)) for each in found] == [("refused", False, {})]


def test_an_empty_report_has_none() -> None:
    assert list(programs_of(report({}))) == []
