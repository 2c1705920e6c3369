from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from reports_sample import PASSED, kernel, nasty_report, quiet_report

from harness.model.results import Report
from harness.reports import html, markdown
from harness.reports.cost import MOST_CASES, MOST_PROGRAMS, by_kernel, by_program, slowest


def timed(*cells: tuple[str, str, float | None, bool], **kernels: Any) -> Report:
    """Return a report of cells (kernel, case, seconds, isolated); `kernels` are the kernels' seconds by phase."""
    one = quiet_report().cells[0]
    return replace(
        quiet_report(),
        kernels=tuple(kernel(name, seconds=seconds) for name, seconds in kernels.items()),
        cases=tuple((case, "t") for case in dict.fromkeys(cell[1] for cell in cells)),
        cells=tuple(
            replace(one, kernel=name, case=case, outcome=replace(PASSED, seconds=seconds), isolated=isolated)
            for name, case, seconds, isolated in cells
        ),
    )


def test_each_kernel_has_its_phases_and_its_cases_told_apart() -> None:
    report = timed(
        *(("a", "one", 1.0, False), ("a", "two", 0.5, False), ("a", "three", 4.0, True), ("a", "four", None, True)),
        *(("b", "one", 2.0, False), ("b", "two", None, False), ("b", "three", None, True), ("b", "four", None, True)),
        a={"boot": 3.0, "total": 130.0},
        b={"fetch": 0.25, "boot": 4.0, "strange": 9.0},
    )
    found = by_kernel(report)
    assert found.columns == ("kernel", "fetch", "boot", "total", "cases sharing a guest", "isolated cases")
    assert found.rows == (
        ("a", "-", "3.0 s", "2 min 10 s", "1.5 s (2)", "4.0 s (1)"),
        ("b", "0.2 s", "4.0 s", "-", "2.0 s (1)", "-"),
    )


def test_the_slowest_cases_are_those_that_cost_most_over_all_kernels() -> None:
    cells = [("a", f"case-{number}", float(number), False) for number in range(7)]
    cells += [("b", "case-1", 9.5, False), ("b", "case-6", 0.5, False)]
    found = slowest(timed(*cells, a={}, b={}))
    assert len(found.rows) == MOST_CASES
    assert found.rows[:3] == (
        ("case-1", "10.5 s", "2 kernels", "9.5 s", "b"),
        ("case-6", "6.5 s", "2 kernels", "6.0 s", "a"),
        ("case-5", "5.0 s", "1 kernel", "5.0 s", "a"),
    )


@pytest.mark.parametrize("render", [markdown.render, html.render])
def test_without_known_seconds_no_case_is_the_slowest(render: Any) -> None:
    assert slowest(timed(("a", "one", None, False), a={})).rows == ()
    assert "The slowest cases" not in render(timed(("a", "one", None, False), a={}))
    assert "The slowest cases" in render(nasty_report())


@pytest.mark.parametrize("render", [markdown.render, html.render])
def test_the_pages_show_what_each_kernel_cost(render: Any) -> None:
    text = render(nasty_report())
    for said in ("Where the time went", "cases sharing a guest", "0.8 s (1)", "0.5 s (1)", "2 min 05 s (1)"):
        assert said in text, said


def needing(**counts: Any) -> Report:
    """Return a report of one program on kernels: its instructions, and the kernel's limit."""
    cells = [(name, "o", 1.0, False) for name in counts]
    made = timed(*cells, **{name: {} for name in counts})
    numbers = {
        name: {k: v for k, v in zip(NAMES, given, strict=True) if v is not None} for name, given in counts.items()
    }
    return replace(
        made,
        cells=tuple(
            replace(cell, outcome=replace(PASSED, programs={"target.p": numbers[cell.kernel]})) for cell in made.cells
        ),
    )


NAMES = ("verified-instructions", "instruction-limit", "peak-states", "jited-bytes")


def test_each_program_has_its_range_and_the_kernel_where_it_is_nearest_to_its_limit() -> None:
    found = by_program(needing(a=(900, 131_072, 7, 50), b=(1000, 1_000_000, 9, 60), c=(950, 1_000_000, 7, None)))
    assert found.rows == (("o", "target.p", "3", "900 to 1000", "a", "0.7% of 131072", "7 to 9", "50 to 60"),)
    assert by_program(quiet_report()).rows == ()


def test_a_limit_that_no_kernel_names_is_not_made_up() -> None:
    ((*_, count, kernel_name, share, states, code),) = by_program(needing(a=(9, None, None, None))).rows
    assert (count, kernel_name, share, states, code) == ("9", "a", "not known", "-", "-")


def test_only_the_programs_nearest_to_a_limit_are_named_and_the_others_counted() -> None:
    one = needing(a=(1, 1000, 1, 1))
    programs = {f"t.p{n}": {NAMES[0]: n, NAMES[1]: 1000} for n in range(MOST_PROGRAMS + 3)}
    (cell,) = one.cells
    report = replace(one, cells=(replace(cell, outcome=replace(PASSED, programs=programs)),))
    found = by_program(report)
    assert (len(found.rows), found.more) == (MOST_PROGRAMS, 3)
    assert found.rows[0][1] == f"t.p{MOST_PROGRAMS + 2}"
    text = markdown.render(report)
    assert "What the verifier needed" in text
    assert "... and 3 more" in text
    assert "What the verifier needed" not in markdown.render(quiet_report())
