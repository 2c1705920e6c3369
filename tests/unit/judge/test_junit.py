"""JUnit files of commands, as sub-results."""

from __future__ import annotations

from typing import Any

import pytest
from command_samples import command_case, command_record
from unit_samples import kernel_facts

from harness.judge.cells import cells
from harness.judge.junit import JunitError, parts_of_files
from harness.model.results import CellResult, OutcomeKind, Verdict

V = Verdict
GO = """<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="4" failures="1"><testsuite name="example.org/probe" tests="4">
  <testcase classname="probe" name="TestLoad" time="0.5"></testcase>
  <testcase classname="probe" name="TestLoad/sub case" time="1,000.25"></testcase>
  <testcase classname="probe" name="TestRing" time="0"><failure message="Failed" type="">no ring
buffer</failure></testcase>
  <testcase classname="probe" name="TestLsm" time="x"><skipped message="no LSM"/></testcase>
</testsuite></testsuites>"""
RUST = """<testsuite name="nextest" xmlns="urn:x"><testcase name="maps::hash" classname="maps"/>
<testcase name="maps::hash" classname="maps"><error/><system-err>panicked</system-err></testcase></testsuite>"""


def cell(*, files: dict[str, str], output: str = "", **end: Any) -> CellResult:
    facts = kernel_facts(records={"my-test": command_record(output, files=files, **end)})
    (found,) = cells(facts, [command_case(junit="*.xml")])
    return found


def test_each_test_case_is_a_part_with_a_stable_name() -> None:
    parts = parts_of_files({"/root/a.xml": GO, "/root/b.xml": RUST})
    assert [(part.name, part.verdict) for part in parts] == [
        ("probe.TestLoad", V.PASS),
        ("probe.TestLoad/sub_case", V.PASS),
        ("probe.TestRing", V.FAIL),
        ("probe.TestLsm", V.NOT_APPLICABLE),
        ("maps.maps::hash", V.PASS),
        ("maps.maps::hash#2", V.FAIL),
    ]
    assert [part.outcome.seconds for part in parts[:4]] == [0.5, 1000.25, 0.0, None]
    assert (parts[2].verdict_reason, parts[2].outcome.output) == ("failure: Failed", "no ring\nbuffer")
    assert (parts[3].verdict_reason, parts[5].outcome.output) == ("skipped: no LSM", "panicked")


def test_the_cell_says_which_failed_whatever_the_exit_code_is() -> None:
    found = cell(files={"a.xml": GO}, exit=1, output="FAIL\n")
    assert (found.verdict, len(found.parts)) == (V.FAIL, 4)
    assert "exit code 1" in found.verdict_reason
    assert "probe.TestRing" in found.verdict_reason
    assert "command" not in (found := cell(files={"a.xml": GO})).verdict_reason
    assert (found.verdict, found.outcome.kind) == (V.FAIL, OutcomeKind.MISBEHAVES)


def test_a_cell_whose_tests_pass_is_green() -> None:
    found = cell(files={"a.xml": GO.replace("failure", "system-out")})
    assert (found.verdict, found.verdict_reason.split(";")[0]) == (V.PASS, "3 of 4 work")


def test_an_exit_code_that_says_failure_is_not_green_where_all_tests_pass() -> None:
    assert cell(files={"a.xml": "<testsuite><testcase name='a'/></testsuite>"}, exit=1).verdict == V.FAIL


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({}, "no file is there that matches /root/*.xml"),
        ({"a.xml": "<testsuites/>"}, "no file has a test case that matches /root/*.xml"),
        ({"a.xml": "<testsuite>"}, "a.xml is not XML"),
        ({"a.xml": "<html/>"}, "a.xml is no JUnit file: it begins with <html>"),
        ({"a.xml": '<!DOCTYPE a [<!ENTITY b "c">]><testsuite/>'}, "a.xml has a document type"),
    ],
)
def test_what_is_missing_or_wrong_is_not_green(files: dict[str, str], reason: str) -> None:
    found = cell(files=files)
    assert (found.verdict, found.parts) == (V.FAIL, ())
    assert reason in found.verdict_reason


def test_files_that_were_left_out_are_named() -> None:
    record = command_record(files={"a.xml": "<testsuite><testcase name='a'/></testsuite>"}, left_out=("/root/b.xml",))
    (found,) = cells(kernel_facts(records={"my-test": record}), [command_case(junit="*.xml")])
    assert (found.verdict, len(found.parts)) == (V.FAIL, 1)
    assert "too large or too many to be read: /root/b.xml" in found.verdict_reason


def test_a_document_type_is_refused_before_anything_is_read() -> None:
    bomb = '<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><testsuite><testcase name="&d;"/></testsuite>'
    with pytest.raises(JunitError, match="document type"):
        parts_of_files({"a.xml": bomb})


def test_a_command_that_has_no_junit_files_has_no_parts() -> None:
    (found,) = cells(kernel_facts(records={"my-test": command_record()}), [command_case()])
    assert (found.verdict, found.parts) == (V.PASS, ())
