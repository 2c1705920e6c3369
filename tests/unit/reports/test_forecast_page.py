"""What a terminal shows of a forecast, and precheck.md."""

from __future__ import annotations

from dataclasses import replace

from reports_of_runs import report_of

from harness.forecast.answers import Answer, Finding, ProgramForecast, Weight
from harness.forecast.comparing import compared
from harness.forecast.document import Forecast, LookedAt, ObjectForecast, ProgramOf
from harness.model.results import OutcomeKind, Stage
from harness.reports.forecast_page import IT_IS, comparison_lines, lines_of, render, render_comparison, summary_of

GONE = Finding(weight=Weight.MISSING, subject="struct a.b", text="no field struct a.b")
TESTED = Finding(weight=Weight.TESTED, subject="struct c", text="no struct c")
CHANGED = Finding(weight=Weight.CHANGED, subject="struct d.e", text="struct d.e is int | long")


def program(name: str, *findings: Finding) -> ProgramForecast:
    return ProgramForecast(program=name, findings=findings)


FORECAST = Forecast(
    version="1",
    started="2026-11-30T12:00:00+00:00",
    seconds=1.5,
    kernels=(
        LookedAt(name="6.1", arch="x86_64", version="6.1.1-1", distribution="debian"),
        LookedAt(name="5.10", arch="x86_64", version="5.10.1-1", distribution="debian"),
        LookedAt(name="lost", arch="x86_64", problem="its files are gone"),
    ),
    objects=(
        ObjectForecast(
            name="mine",
            title="mine.o",
            programs=(
                ProgramOf(name="it", section="xdp"),
                ProgramOf(name="two", section="tp/a|b"),
                ProgramOf(name="off", section="?xdp", on=False),
            ),
            kernels={
                "6.1": (program("it", TESTED), program("two", CHANGED), program("off", GONE)),
                "5.10": (program("it", GONE), program("two"), program("off", GONE)),
            },
            faults={"arm64": "no object"},
        ),
    ),
    notices=("left out: 6.1.2-1",),
)


def test_lines_of_a_terminal() -> None:
    assert list(lines_of(FORECAST)) == [
        ("mine (arm64): no object", Answer.MISSING),
        ("mine (x86_64, debian, 2 kernels)", None),
        ("  it: missing on 5.10.1-1: no field struct a.b; found on 6.1.1-1", Answer.MISSING),
        ("  two: found everywhere", Answer.FOUND),
        ("  off (off): missing everywhere: no field struct a.b", Answer.MISSING),
        ("lost: its files are gone", Answer.MISSING),
    ]
    assert summary_of(FORECAST) == "1 object on 2 kernels, program by program: 3 found, 1 missing"


def test_programs_of_which_the_same_is_said_are_one_line() -> None:
    names = [f"p{number}" for number in range(8)]
    found = replace(
        FORECAST.objects[0],
        programs=tuple(ProgramOf(name=name, section="xdp") for name in names),
        kernels={"6.1": tuple(program(name) for name in names)},
        faults={},
    )
    (_, (line, _), _) = lines_of(replace(FORECAST, objects=(found,)))
    assert line == "  p0, p1, p2, p3, p4, p5 and 2 more: found on 6.1.1-1"


def test_the_page() -> None:
    page = render(FORECAST)
    assert IT_IS in page
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    assert rows == [
        "| it | xdp | ✗ missing on 5.10.1-1: no field struct a.b<br>✓ found on 6.1.1-1 | "
        "no struct c, which it tests for (1 of 2) |",
        "| two | tp/a\\|b | ✓ found everywhere | struct d.e is int \\| long (1 of 2) |",
        "| off (off) | ?xdp | ✗ missing everywhere: no field struct a.b |  |",
    ]
    assert "- lost: its files are gone" in page
    assert "- left out: 6.1.2-1" in page


def test_a_comparison_names_each_disagreement() -> None:
    works, refused = report_of(OutcomeKind.WORKS), report_of(OutcomeKind.REFUSED, Stage.LOAD_TARGET)
    assert list(comparison_lines(compared(FORECAST, works))) == ["compared with the run on 1 kernel: row: 1 agree"]
    wrong = replace(FORECAST, objects=(replace(FORECAST.objects[0], kernels={"6.1": (program("it", GONE),)}),))
    assert list(comparison_lines(compared(wrong, works))) == [
        "compared with the run on 1 kernel: row: 1 missing, and yet attached",
        "  mine/it on row (6.1.1-1): forecast missing (no field struct a.b), run: works",
    ]
    page = render_comparison(compared(FORECAST, refused))
    assert "- mine/it on row (6.1.1-1): forecast found, run: refused at load-target" in page
