"""junit.xml: well-formed whatever guests wrote, and red where it must be red."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given
from reports_golden import check
from reports_sample import FLAGSHIP, ODD, REFUSED, kernel, nasty_report, quiet_report
from reports_strategies import HOSTILE, UNHURRIED, reports

from harness.model.results import CellResult, Mark, Outcome, OutcomeKind, OverBudget, Report, Verdict
from harness.reports.junit import LONGEST_TEXT, PROBLEMS_CASE, render


def suites(report: Report) -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring(render(report).encode())
    assert root.tag == "testsuites"
    return {suite.attrib["name"]: suite for suite in root.findall("testsuite")}


def case_of(report: Report, kernel_name: str, case: str) -> ElementTree.Element:
    found = [element for element in suites(report)[kernel_name].iter("testcase") if element.get("name") == case]
    assert len(found) == 1
    return found[0]


def verdict_in_junit(verdict: Verdict, kind: OutcomeKind) -> tuple[str, str | None, str | None]:
    """Return tag, type and message of what a cell's test case holds beside its output."""
    quiet = quiet_report()
    outcome = Outcome(kind=kind, reason="what happened")
    cell = replace(
        quiet.cells[0], verdict=verdict, outcome=outcome, expectation=REFUSED, verdict_reason="what it means"
    )
    case = case_of(replace(quiet, cells=(cell,)), "6.1", FLAGSHIP)
    results = [element for element in case if element.tag in {"failure", "error", "skipped"}]
    assert len(results) <= 1
    return (results[0].tag, results[0].get("type"), results[0].get("message")) if results else ("", None, None)


def test_a_mark_is_neither_green_nor_red() -> None:
    quiet = quiet_report()
    outcome = Outcome(kind=OutcomeKind.WORKS, reason="", mark=Mark.DID_NOT_RUN, mark_reason="attached only")
    cell = replace(quiet.cells[0], verdict=Verdict.PASS, outcome=outcome)
    (found,) = case_of(replace(quiet, cells=(cell,)), "6.1", FLAGSHIP).findall("skipped")
    assert found.get("message") == "did-not-run: attached only"


def test_golden() -> None:
    check("junit.xml", render(nasty_report()))


@pytest.mark.parametrize(
    ("verdict", "kind", "expected"),
    [
        (Verdict.PASS, OutcomeKind.WORKS, ("", None, None)),
        (Verdict.XFAIL, OutcomeKind.REFUSED, ("skipped", None, REFUSED.reason)),
        (Verdict.KNOWN_BUG, OutcomeKind.CRASHED, ("skipped", None, f"known bug: {REFUSED.reason}")),
        (Verdict.NOT_APPLICABLE, OutcomeKind.NOT_APPLICABLE, ("skipped", None, "not applicable: what happened")),
        (Verdict.FAIL, OutcomeKind.CRASHED, ("failure", "crashed", "what it means: crashed: what happened")),
        (Verdict.FAIL, OutcomeKind.REFUSED, ("failure", "refused", "what it means: refused: what happened")),
        (Verdict.FAIL, OutcomeKind.MISBEHAVES, ("failure", "misbehaves", "what it means: misbehaves: what happened")),
        (Verdict.XPASS, OutcomeKind.WORKS, ("failure", "xpass", "what it means: works: what happened")),
        (Verdict.ERROR, OutcomeKind.LOST, ("error", "lost", "what it means: lost: what happened")),
        (Verdict.ERROR, OutcomeKind.WORKS, ("error", "error", "what it means: works: what happened")),
        (Verdict.NOT_RUN, OutcomeKind.NOT_RUN, ("error", "not-run", "what it means: not-run: what happened")),
    ],
)
def test_how_each_verdict_is_told(
    verdict: Verdict, kind: OutcomeKind, expected: tuple[str, str | None, str | None]
) -> None:
    assert verdict_in_junit(verdict, kind) == expected


@pytest.mark.parametrize("verdict", sorted(set(Verdict) - {Verdict.PASS}))
def test_a_cell_without_any_reason_is_still_not_green(verdict: Verdict) -> None:
    quiet = quiet_report()
    silent: CellResult = replace(
        quiet.cells[0],
        verdict=verdict,
        verdict_reason="",
        outcome=Outcome(kind=OutcomeKind.LOST, reason=""),
        expectation=replace(quiet.cells[0].expectation, reason=""),
    )
    case = case_of(replace(quiet, cells=(silent,)), "6.1", FLAGSHIP)
    assert [e.tag for e in case if e.tag in {"failure", "error", "skipped"}]


def test_counts() -> None:
    root = ElementTree.fromstring(render(nasty_report()).encode())
    counted = {name: suite.attrib for name, suite in suites(nasty_report()).items()}
    keys = ("tests", "failures", "errors", "skipped")
    assert {name: tuple(int(a[key]) for key in keys) for name, a in counted.items()} == {
        "5.10": (3, 0, 0, 1),
        "6.1": (
            7,
            4,
            0,
            2,
        ),  # a known bug, a failure with four parts of which two failed and one has a mark, and its problem
        "6.12": (3, 1, 0, 1),
        "7.3": (3, 0, 2, 1),  # the row itself was not started
        "arm32": (3, 0, 0, 1),
    }
    assert {key: root.get(key) for key in keys[:3]} == {"tests": "19", "failures": "5", "errors": "2"}


def test_the_parts_of_a_cell_come_after_it_in_its_class() -> None:
    found = list(suites(nasty_report())["6.1"].iter("testcase"))
    names = [str(case.get("name")) for case in found]
    assert names[:4] == [FLAGSHIP, ODD, f"{ODD}/prog_works", f"{ODD}/prog_waits"]
    assert names[4].startswith(f"{ODD}/prog red")
    assert {case.get("classname") for case in found} == {"bpfmatrix.6.1"}
    failure = found[4].find("failure")
    assert failure is not None and "R1 !read_ok" in (failure.text or "")
    assert (failure.get("message") or "").startswith("refused, expected to work")
    assert [element.tag for element in found[2]] == ["system-out"]


def test_the_problems_of_a_kernel_fail_beside_its_cells() -> None:
    case = case_of(nasty_report(), "6.1", PROBLEMS_CASE)
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("type") == "problem"
    assert (failure.get("message") or "").startswith("the guest did not power off in 10 s")
    console = (case.findtext("system-err") or "").splitlines()
    assert console[0] == "reboot: "
    assert [*case_of(nasty_report(), "6.12", PROBLEMS_CASE)] == []


def test_properties() -> None:
    found = suites(nasty_report())["5.10"].iter("property")
    assert {element.attrib["name"]: element.attrib["value"] for element in found} == {
        "release": "5.10-cloud-amd64",
        "version": "#1 SMP PREEMPT_DYNAMIC Debian 5.10-1",
        "arch": "x86_64",
        "accel": "tcg",
        "transport": "ssh over user-mode networking",
        "qemu": "7.2.19",
        "libbpf": "1.5",
        "package.source": "debian",
        "package.name": "linux-image-5.10-cloud-amd64",
        "package.version": "5.10-1",
        "package.suite": "bookworm",
        "package.sha256": "ab" * 32,
        "boots": "1",
        "seconds.start": "0.125",
        "seconds.boot": "3.250",
        "seconds.connect": "1.500",
        "seconds.agent": "0.125",
        "seconds.total": "6.500",
    }


def test_a_kernel_that_never_booted_has_all_its_cells() -> None:
    suite = suites(nasty_report())["7.3"]
    assert [case.get("name") for case in suite.iter("testcase")] == [FLAGSHIP, ODD, PROBLEMS_CASE]
    assert case_of(nasty_report(), "7.3", PROBLEMS_CASE).find("skipped") is not None
    assert {case.get("classname") for case in suite.iter("testcase")} == {"bpfmatrix.7.3"}
    nothing = replace(quiet_report(), kernels=(kernel("6.1"), kernel("7.3")), cells=())
    assert [s.get("errors") for s in suites(nothing).values()] == ["1", "1"]


def test_evidence_stands_where_it_belongs() -> None:
    passed = case_of(nasty_report(), "5.10", FLAGSHIP)
    assert passed.get("time") == "0.750"
    assert (passed.findtext("system-out") or "").splitlines()[:3] == [
        "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (fentry)",
        "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (kprobe)",
        "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (fexit: 0)",
    ]
    crashed = case_of(nasty_report(), "6.12", FLAGSHIP)
    console = (crashed.findtext("system-err") or "").splitlines()
    assert (console[0], console[-1]) == ("BUG: kernel NULL pointer dereference", "Kernel panic - not syncing")
    failed = case_of(nasty_report(), "6.1", ODD).findtext("failure") or ""
    assert "errno: EACCES (524)\n" in failed
    assert failed.endswith("R1 !read_ok\n")
    assert "expected: works: " in failed
    bug = case_of(nasty_report(), "6.1", FLAGSHIP).findtext("skipped") or ""
    assert "WARNING: CPU: 0 PID: 1 at kernel/bpf/trampoline.c:1" in bug


def test_a_long_log_is_bounded() -> None:
    skipped = case_of(nasty_report(), "5.10", ODD).findtext("skipped") or ""
    assert "characters cut" in skipped
    assert len(skipped) < LONGEST_TEXT + 2000


def test_it_is_the_same_every_time() -> None:
    assert render(nasty_report()) == render(nasty_report())


@UNHURRIED
@given(reports(HOSTILE))
def test_any_text_becomes_well_formed_xml_with_every_cell(report: Report) -> None:
    root = ElementTree.fromstring(render(report).encode())
    cases = [case for case in root.iter("testcase") if case.get("name") != PROBLEMS_CASE]
    verdicts = [verdict for cell in report.cells for verdict in (cell.verdict, *(part.verdict for part in cell.parts))]
    assert len(cases) == len(verdicts) >= len(report.kernels) * len(report.cases)
    red = sum(case.find("failure") is not None or case.find("error") is not None for case in cases)
    bad = {Verdict.FAIL, Verdict.XPASS, Verdict.ERROR, Verdict.NOT_RUN}
    assert red == sum(verdict in bad for verdict in verdicts)


def test_what_exceeds_its_budget_is_a_failure_of_its_own_kind() -> None:
    quiet = quiet_report()
    over = OverBudget(program="t.p", measure="peak-states", value=9, most=8, text="t.p has 9, its budget is 8")
    outcome = Outcome(kind=OutcomeKind.WORKS, reason="all came", over_budget=(over,))
    cell = replace(quiet.cells[0], verdict=Verdict.FAIL, outcome=outcome, verdict_reason="over budget: t.p has 9")
    (found,) = case_of(replace(quiet, cells=(cell,)), "6.1", FLAGSHIP).findall("failure")
    assert found.get("type") == "over-budget"
    assert (found.get("message") or "").startswith("over budget: t.p has 9")
