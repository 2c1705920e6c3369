"""junit.xml for those who read it: the schemas of Jenkins and Surefire, a reader that merges, histories of names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from answers_samples import CELLS, cell, part, report
from hypothesis import given
from junitparser import Error, Failure, JUnitXml, Skipped, TestSuite
from reports_sample import nasty_report, quiet_report
from reports_strategies import HOSTILE, UNHURRIED, reports
from xmlschema import XMLSchema, XMLSchemaValidationError

from harness.answers.merge import merge
from harness.model.results import KernelResult, Report
from harness.reports import grid
from harness.reports.junit import PROBLEMS_CASE, render

SCHEMAS = Path(__file__).parent / "schemas"
JENKINS, SUREFIRE = XMLSchema(SCHEMAS / "jenkins.xsd"), XMLSchema(SCHEMAS / "surefire.xsd")
ROWS, CASES = ("6.1-x86_64", "6.1-arm64", "7.3-x86_64+libbpf-1.5+clang-19"), ("seed", "object")
ALL = report(
    {
        row: {
            "seed": "pass",
            "object": cell(row, "object", "pass", parts=(part("one", "pass"), part("all-together", "pass"))),
        }
        for row in ROWS
    }
)


def validate(text: str) -> None:
    """Raise XMLSchemaValidationError where a document, or one of its suites by itself, is not as it must be."""
    root = ElementTree.fromstring(text.encode())
    JENKINS.validate(root)
    for suite in root:
        SUREFIRE.validate(suite)


@pytest.mark.parametrize("made", [nasty_report(), quiet_report(), ALL, report({})])
def test_it_is_as_the_schemas_want_it(made: Report) -> None:
    validate(render(made))


@UNHURRIED
@given(reports(HOSTILE))
def test_it_is_as_the_schemas_want_it_whatever_guests_wrote(made: Report) -> None:
    validate(render(made))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('time="0.750"', 'time="0.750000"'),
        (' time="0.750"', ""),
        ("<skipped ", '<skipped type="skipped" '),
        ("<testsuite ", '<testsuite disabled="0" '),
        ("</properties>", "</properties><system-err>x</system-err>"),
        (' type="lost"', ""),
        (' classname="', ' class="'),
        ("<system-out>", "<system-err>x</system-err><system-out>"),
    ],
)
def test_the_schemas_see_what_is_otherwise(old: str, new: str) -> None:
    text = render(nasty_report())
    assert old in text
    with pytest.raises(XMLSchemaValidationError):
        validate(text.replace(old, new, 1))


def suites_of(text: str) -> list[TestSuite]:
    found = JUnitXml.fromstring(text.encode())
    assert isinstance(found, JUnitXml)
    return list(found)


def test_a_reader_finds_each_result() -> None:
    found = {(case.classname, case.name): case.result for suite in suites_of(render(nasty_report())) for case in suite}
    kinds = {name: [type(each) for each in results] for name, results in found.items()}
    odd = [name for _, name in found if str(name).startswith("odd-words/")]
    assert len(odd) == 4
    assert kinds["bpfmatrix.5.10", "kprobe-fentry-fexit"] == []
    assert kinds["bpfmatrix.5.10", "odd-words"] == [Skipped]
    assert kinds["bpfmatrix.6.1", "odd-words"] == kinds["bpfmatrix.6.1", PROBLEMS_CASE] == [Failure]
    assert kinds["bpfmatrix.7.3", "odd-words"] == [Error]
    assert [each.message for each in found["bpfmatrix.7.3", PROBLEMS_CASE]] == ["no guest of this row was started"]


def names_of(text: str) -> list[tuple[str, str, str]]:
    """Return suite, class and name of each test case, in order."""
    return [(str(suite.name), str(case.classname), str(case.name)) for suite in suites_of(text) for case in suite]


def otherwise(word: str) -> Report:
    """Return the grid of `ALL` with other outcomes, of another time, and its rows and cells in another order."""
    cells = tuple(
        replace(each, verdict=CELLS[word][0], outcome=replace(CELLS[word][1], seconds=9.0),
                parts=tuple(part(own.name, word) for own in each.parts))
        for each in reversed(ALL.cells)
    )  # fmt: skip
    problem: tuple[KernelResult, ...] = tuple(replace(row, problems=("p",), boots=7) for row in reversed(ALL.kernels))
    run = replace(ALL.run, id="20270101T000000Z", started="2027-01-01T00:00:00Z", seconds=99.0)
    return replace(ALL, run=run, kernels=problem, cells=cells, cases=ALL.cases[::-1])


@pytest.mark.parametrize("word", CELLS)
def test_names_depend_on_no_outcome_order_time_or_run(word: str) -> None:
    assert sorted(names_of(render(otherwise(word)))) == sorted(names_of(render(ALL)))


def test_names_are_the_same_on_each_row_and_each_once() -> None:
    names = names_of(render(ALL))
    assert len(names) == len(set(names))
    by_row = {row: [name for suite, _, name in names if suite == row] for row in ROWS}
    assert set(map(tuple, by_row.values())) == {("seed", "object", "object/one", "object/all-together", PROBLEMS_CASE)}
    assert {classname for _, classname, _ in names} == {f"bpfmatrix.{row}" for row in ROWS}


def shards() -> list[Report]:
    """Return the rows of `ALL` in two halves, and one row's cases in two more."""
    first, second, third = ROWS
    kernels = {kernel.name: kernel for kernel in ALL.kernels}

    def shard(name: str, *rows: str, cases: tuple[str, ...] = CASES) -> Report:
        return replace(
            ALL,
            run=replace(ALL.run, id=name),
            kernels=tuple(kernels[row] for row in rows),
            cases=tuple(each for each in ALL.cases if each[0] in cases),
            cells=tuple(each for each in ALL.cells if each.kernel in rows and each.case in cases),
        )

    return [
        shard("a", first),
        shard("b", second),
        shard("c", third, cases=("seed",)),
        shard("d", third, cases=("object",)),
    ]


def test_shards_have_the_names_of_the_whole_merged_by_reports_or_by_a_reader() -> None:
    texts = [render(each) for each in shards()]
    whole = set(names_of(render(ALL)))
    assert set(names_of(render(grid.completed(merge(shards()))))) == whole
    read = JUnitXml()
    for text in texts:
        read += JUnitXml.fromstring(text.encode())
    assert {(str(suite.name), str(case.classname), str(case.name)) for suite in read for case in suite} == whole


def test_a_reader_that_merges_counts_what_the_merged_report_counts() -> None:
    one, other, *_ = shards()
    read = JUnitXml.fromstring(render(one).encode()) + JUnitXml.fromstring(render(other).encode())
    read.update_statistics()
    made = JUnitXml.fromstring(render(merge([one, other])).encode())
    keys = ("tests", "failures", "errors", "skipped")
    assert [getattr(read, key) or 0 for key in keys] == [getattr(made, key) or 0 for key in keys]
