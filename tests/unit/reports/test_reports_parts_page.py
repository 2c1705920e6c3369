"""Sub-results of several runs in one table."""

from __future__ import annotations

from reports_sample import kernel, report_of_cells

from harness.model.results import CellResult, Expectation, Outcome, OutcomeKind, PartResult, Report, Verdict
from harness.reports.parts_page import parts_of, render_parts

WORKS = Outcome(kind=OutcomeKind.WORKS, reason="")


def part(name: str, verdict: Verdict) -> PartResult:
    kind = OutcomeKind.WORKS if verdict == Verdict.PASS else OutcomeKind.MISBEHAVES
    return PartResult(name=name, outcome=Outcome(kind=kind, reason=""), verdict=verdict, verdict_reason="")


def ran(**parts: list[PartResult]) -> Report:
    """A run whose one case has these parts on these kernels."""
    kernels = [name.replace("_", ".") for name in parts]
    cells = [
        CellResult(
            kernel=name,
            case="suite",
            title="",
            outcome=WORKS,
            expectation=Expectation(outcome=OutcomeKind.WORKS, reason=""),
            verdict=Verdict.PASS,
            verdict_reason="",
            parts=tuple(found),
        )
        for name, found in zip(kernels, parts.values(), strict=True)
    ]
    return report_of_cells([kernel(name) for name in kernels], cells)


FIRST = [part("a", Verdict.PASS), part("b", Verdict.FAIL), part("d", Verdict.FAIL)]
SECOND = [part("c", Verdict.NOT_APPLICABLE), part("d", Verdict.PASS)]


def test_each_kernel_has_the_parts_of_all_runs() -> None:
    reports = [ran(k6_1=FIRST, k6_12=FIRST), ran(k6_1=SECOND)]
    names = {name: "".join(sorted(found)) for name, found in parts_of(reports).items()}
    assert names == {"k6.1": "abcd", "k6.12": "abd"}
    table = [line for line in render_parts(reports).splitlines() if line.startswith("|")]
    assert table == [
        "| x86_64 | k6.1 | k6.12 |",
        "|---|:-:|:-:|",
        "| a | ✓ | ✓ |",
        "| b | ✗ | ✗ |",
        "| c | · |  |",
        "| d | ✓ | ✗ |",
        "| **all** | 2/3 | 1/3 |",
    ], "of a part in two runs the last counts; what could not be tried is in no sum"


def test_only_the_signs_that_are_there_are_explained() -> None:
    text = render_parts([ran(k6_1=FIRST)])
    assert "✗ fail: " in text and "not-applicable" not in text
    assert "Empty: not tried." in text
