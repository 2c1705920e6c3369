"""junit.xml: one suite per kernel, one test case per cell and per part of a cell, for what reads JUnit.

How verdicts are shown: `pass` passes, but with a mark it is skipped with that; `xfail`, `known-bug` and
`not-applicable` are skipped with their reason, `answered` with what the kernel did; `fail` and `xpass` are failures;
`error` and `not-run` are errors, since a cell that was asked for and has no answer must not look green. The parts of a
cell come after it, each as `case/part`. Each kernel has one test case more, which fails where it has problems that no
cell carries.

Names are those of rows, cases and parts, and of nothing that a run has found: so histories of runs line up. The form is
what Jenkins (xunit plugin, junit-10.xsd) and Maven (surefire-test-report.xsd, for each suite) publish as theirs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from xml.etree import ElementTree

from junit_xml import TestCase, TestSuite, to_xml_report_string

from harness.model.results import (
    CellResult,
    Expectation,
    KernelResult,
    Outcome,
    OutcomeKind,
    PartResult,
    Report,
    Verdict,
)
from harness.reports import grid, text, wording
from harness.reports.bounded import bounded
from harness.reports.events import event_lines

LONGEST_TEXT = 32_000
"""Characters of one text in junit.xml."""

MOST_ITEMS = 1_000
"""Entries of one list (events, console lines) in junit.xml."""

PROBLEMS_CASE = "(kernel)"
"""The name of the test case that carries a kernel's problems; no case of the matrix can have it."""

_UNKNOWN = {"testsuites": ("disabled",), "testsuite": ("disabled",), "skipped": ("type",)}
"""Attributes that junit-xml writes and the schemas do not have, by element."""


def render(report: Report) -> str:
    """Return junit.xml for `report`: well-formed XML whatever the guests wrote, without a time of its own."""
    report = bounded(grid.completed(report), string=lambda said: text.block(said, limit=LONGEST_TEXT), items=MOST_ITEMS)
    cells = grid.cells_in_order(report)
    suites = [_suite(kernel, cells=[cell for cell in cells if cell.kernel == kernel.name]) for kernel in report.kernels]
    return _laid_out(ElementTree.fromstring(to_xml_report_string(suites, prettyprint=False)))


def _laid_out(root: ElementTree.Element) -> str:
    """Return the text of a document of junit-xml, the same with every Python.

    Its own layout is that of minidom, which writes a quotation mark in a text as `&quot;` before Python 3.13, as it is
    from then on; and it adds times up with sum(), whose last digits are others since Python 3.12. Times have three
    digits, and each test case has one, as the schemas want it.
    """
    for element in (*root, root):
        element.set("time", repr(math.fsum(float(child.get("time", 0)) for child in element)))
    for element in root.iter():
        if "time" in element.attrib or element.tag == "testcase":
            element.set("time", f"{max(float(element.get('time', 0)), 0.0):.3f}")
        for name in _UNKNOWN.get(element.tag, ()):
            element.attrib.pop(name, None)
    ElementTree.indent(root, space="\t")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(kernel: KernelResult, *, cells: list[CellResult]) -> TestSuite:
    cases = [*(case for cell in cells for case in _cases(cell)), _kernel_case(kernel)]
    return TestSuite(text.one_line(kernel.name), cases, properties=_properties(kernel))


def _kernel_case(kernel: KernelResult) -> TestCase:
    """Return the test case of a row: it fails where the row has problems, and is skipped where it did not run."""
    case = TestCase(
        name=PROBLEMS_CASE,
        classname=_class_name(kernel.name),
        stderr=text.bound("\n".join(kernel.console_tail), limit=LONGEST_TEXT) or None,
    )
    if kernel.problems:
        case.add_failure_info(
            message=text.one_line("; ".join(kernel.problems)),
            output="\n".join(kernel.problems),
            failure_type="problem",
        )
    elif not kernel.boots:
        case.add_skipped_info(message="no guest of this row was started")
    return case


def _class_name(kernel: str) -> str:
    return text.one_line(f"bpfmatrix.{kernel}")


def _properties(kernel: KernelResult) -> dict[str, str]:
    found = {
        "release": kernel.release,
        "version": kernel.version,
        "distribution": kernel.distribution,
        "arch": kernel.arch,
        "accel": kernel.accel,
        "transport": kernel.transport,
        "qemu": kernel.qemu_version,
        "libbpf": kernel.libbpf_version,
        "clang": kernel.clang_version,
    }
    if kernel.package:
        found |= {
            "package.source": kernel.package.source,
            "package.name": kernel.package.name,
            "package.version": kernel.package.version,
            "package.suite": kernel.package.suite,
            "package.sha256": kernel.package.sha256,
            "package.notice": kernel.package.notice,
        }
    found["boots"] = str(kernel.boots)
    found |= {f"seconds.{phase}": f"{seconds:.3f}" for phase, seconds in kernel.seconds.items()}
    return {text.one_line(name): text.one_line(value) for name, value in found.items() if value}


def _cases(cell: CellResult) -> Iterator[TestCase]:
    """Yield the test case of a cell, then those of its parts."""
    yield _case(cell, name=cell.case, kernel=cell.kernel, expectation=cell.expectation)
    for part in cell.parts:
        yield _case(part, name=f"{cell.case}/{part.name}", kernel=cell.kernel)


def _case(cell: CellResult | PartResult, *, name: str, kernel: str, expectation: Expectation | None = None) -> TestCase:
    outcome, reason = cell.outcome, cell.verdict_reason or cell.outcome.reason
    if expectation is not None and expectation.reason:
        reason = expectation.reason
    evidence = _evidence(outcome, expectation)
    case = TestCase(
        name=text.one_line(name),
        classname=_class_name(kernel),
        elapsed_sec=outcome.seconds,
        stdout="\n".join([*event_lines(outcome.events), *_allowed(outcome)]) or None,
        stderr=text.bound("\n".join(outcome.console_tail), limit=LONGEST_TEXT) or None,
    )
    message = text.one_line(f"{cell.verdict_reason or cell.verdict}: {wording.happened(outcome)}")
    match cell.verdict:
        case Verdict.PASS if outcome.mark is not None:
            case.add_skipped_info(message=text.one_line(f"{outcome.mark}: {outcome.mark_reason}"), output=evidence)
        case Verdict.PASS:
            pass
        case Verdict.XFAIL:
            case.add_skipped_info(message=text.one_line(reason), output=evidence)
        case Verdict.KNOWN_BUG:
            case.add_skipped_info(message=text.one_line(f"known bug: {reason}"), output=evidence)
        case Verdict.ANSWERED:
            said = text.one_line(f"no rule covers this kernel: {wording.happened(outcome)}")
            case.add_skipped_info(message=said, output=evidence)
        case Verdict.NOT_APPLICABLE:
            case.add_skipped_info(message=text.one_line(f"not applicable: {outcome.reason or reason}"), output=evidence)
        case Verdict.FAIL:
            kind = "over-budget" if outcome.over_budget and outcome.kind is OutcomeKind.WORKS else str(outcome.kind)
            case.add_failure_info(message=message, output=evidence, failure_type=kind)
        case Verdict.XPASS:
            case.add_failure_info(message=message, output=evidence, failure_type="xpass")
        case Verdict.ERROR:
            kind = "lost" if outcome.kind is OutcomeKind.LOST else "error"
            case.add_error_info(message=message, output=evidence, error_type=kind)
        case Verdict.NOT_RUN:
            case.add_error_info(message=message, output=evidence, error_type="not-run")
    return case


def _allowed(outcome: Outcome) -> list[str]:
    return [text.one_line(f"allowed splat: {wording.allowed_splat(splat)}") for splat in outcome.allowed_splats]


def _evidence(outcome: Outcome, expectation: Expectation | None) -> str:
    """Return what was expected and what happened, then the verifier's log and the kernel's, as plain text."""
    facts = [
        ("expected", wording.expected(expectation) if expectation is not None else ""),
        ("happened", wording.happened(outcome)),
        ("stage", str(outcome.stage or "")),
        ("step", outcome.step),
        ("errno", wording.errno(outcome)),
        ("asked", wording.asked(outcome)),
    ]
    blocks = ["\n".join(f"{label}: {text.one_line(value)}" for label, value in facts if value)]
    if outcome.log.strip():
        blocks.append(f"{wording.log_label(outcome)}:\n{outcome.log}")
    if outcome.output.strip():
        blocks.append(f"its output:\n{outcome.output}")
    blocks += [f"the kernel's log:\n{splat}" for splat in outcome.splats]
    if outcome.crash:
        blocks.append(f"the kernel's death:\n{outcome.crash}")
    return "\n\n".join(blocks)
