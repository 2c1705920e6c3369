"""The facts of a row: what each of its guests adds, which version it has, and why a case could not be built."""

from __future__ import annotations

from typing import Any

import pytest
from unit_samples import kernel_facts

from harness.errors import BuildError, CompileError, ObjectFileError
from harness.facts.kernel import NO_PACKAGE, BuildFault, fault_of, version_of, with_session
from harness.facts.records import CaseRecord, KernelLog
from harness.facts.session import SessionFacts
from harness.model.results import Start


@pytest.mark.parametrize(
    ("environment", "version"),
    [
        ({"release": "6.1.0-50-cloud-amd64", "version": "#1 SMP Debian 6.1.176-1 (2026-01-01)"}, "6.1.176-1"),
        ({"release": "6.18.2", "version": "#1 SMP PREEMPT_DYNAMIC Mon Jan 1"}, "6.18.2"),
        ({"release": "6.18.2"}, "6.18.2"),
        ({"version": "Debian is not followed by a number"}, "fallback"),
        ({"release": "", "version": None}, "fallback"),
        ({}, "fallback"),
    ],
)
def test_the_version_is_what_the_guest_said_of_itself(environment: dict[str, Any], version: str) -> None:
    assert version_of(environment, "fallback") == version


def test_before_a_guest_has_said_it_the_version_is_that_of_the_files() -> None:
    assert kernel_facts().version == "6.1.176-1"
    assert kernel_facts(package=NO_PACKAGE, release="6.18.2").version == "6.18.2"
    assert kernel_facts(environment={"release": "6.1.0", "version": "Debian 6.1.177-1"}).version == "6.1.177-1"


FIRST = SessionFacts(
    records={"a": CaseRecord(end={"n": 1})},
    environment={"release": "6.1", "libbpf": "v1.5"},
    seconds={"boot": 2.0, "cases": 1.0},
    problems=("a problem",),
    console_tail=("first",),
    memory=300.0,
    start=Start.WARM,
    notices=("a notice",),
    boot_log=KernelLog(lines=("line 1",)),
)
SECOND = SessionFacts(
    records={"b": CaseRecord(end={"n": 2})},
    environment={"release": "another", "btf": True},
    seconds={"boot": 3.0, "shutdown": 0.5},
    problems=("another problem",),
    console_tail=("second",),
    memory=200.0,
    start=Start.COLD,
    notices=("another notice",),
    boot_log=KernelLog(lines=("line 2",)),
)


def test_the_guests_of_a_row_add_up() -> None:
    facts = with_session(with_session(kernel_facts(seconds={"fetch": 4.0}), FIRST), SECOND)
    assert facts.boots == 2
    assert facts.seconds == {"fetch": 4.0, "boot": 5.0, "cases": 1.0, "shutdown": 0.5}
    assert facts.records == {**FIRST.records, **SECOND.records}
    assert facts.starts == {"a": Start.WARM, "b": Start.COLD}
    assert facts.environment == {"release": "6.1", "libbpf": "v1.5", "btf": True}, "what the first said stays"
    assert facts.problems == ("a problem", "another problem")
    assert facts.notices == ("a notice", "another notice")
    assert facts.boot_logs == (FIRST.boot_log, SECOND.boot_log)
    assert facts.memory == 300.0, "the most that one of them took"
    assert facts.console_tail == ("second",), "that of the last"


def test_a_guest_that_does_not_count_costs_and_says_nothing() -> None:
    facts = with_session(kernel_facts(), FIRST, counts=False)
    assert (facts.boots, facts.seconds, facts.memory, facts.notices) == (1, FIRST.seconds, 300.0, ("a notice",))
    assert (facts.records, facts.environment, facts.problems, facts.boot_logs) == ({}, {}, (), ())


def test_a_case_that_a_second_guest_answered_has_that_answer() -> None:
    again = SessionFacts(records={"a": CaseRecord(end={"n": 9})}, start=Start.COLD)
    facts = with_session(with_session(kernel_facts(), FIRST), again)
    assert facts.records == again.records
    assert facts.starts == {"a": Start.COLD}


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (
            CompileError("x.bpf.c does not compile", log="In file included\n  x.bpf.c:1: error: no y\nerror: 2"),
            BuildFault(
                reason="x.bpf.c does not compile: x.bpf.c:1: error: no y",
                log="In file included\n  x.bpf.c:1: error: no y\nerror: 2",
            ),
        ),
        (
            CompileError("x.bpf.c does not compile", log="killed"),
            BuildFault(reason="x.bpf.c does not compile", log="killed"),
        ),
        (ObjectFileError("x.o is no ELF file"), BuildFault(reason="x.o is no ELF file")),
        (BuildError("there is no x.o for arm64"), BuildFault(reason="there is no x.o for arm64")),
    ],
)
def test_why_a_case_cannot_be_built(error: BuildError, fault: BuildFault) -> None:
    assert fault_of(error) == fault
