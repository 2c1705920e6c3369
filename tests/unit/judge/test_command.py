"""What a command did, as the outcome of its cell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from command_samples import command_case, command_record

from harness.facts.records import CaseRecord, Ending
from harness.judge.outcome import outcome_of
from harness.judge.verdict import judge
from harness.model.results import (
    DifferenceKind,
    Expectation,
    ExpectedDifference,
    Outcome,
    OutcomeKind,
    Stage,
    Verdict,
)

K = OutcomeKind


def outcome(record: CaseRecord, **case: Any) -> Outcome:
    return outcome_of(command_case(**case), record)


def test_a_command_that_ends_as_it_must_works() -> None:
    found = outcome(command_record("all good\n"))
    assert (found.kind, found.reason, found.output) == (
        K.WORKS,
        "the command ended with exit code 0",
        "all good\n",
    )
    assert outcome(command_record(exit=3), exit=3).kind == K.WORKS


def test_another_exit_code_misbehaves_with_the_end_of_the_output() -> None:
    found = outcome(command_record("a long story\nFAIL: no ring buffer\n", exit=1))
    assert (found.kind, found.stage) == (K.MISBEHAVES, Stage.TRIGGER)
    assert found.reason == "my-test ended with exit code 1: a long story\nFAIL: no ring buffer"
    (difference,) = found.differences
    assert (difference.kind, difference.seen, difference.step) == (DifferenceKind.EXIT, 1, "command my-test")
    assert outcome(command_record(), exit=3).reason.startswith(
        "my-test ended with exit code 0, and must with exit code 3"
    )


@pytest.mark.parametrize(
    ("end", "seen", "reason"),
    [
        ({"exit": None, "signal": "SIGSEGV"}, "SIGSEGV", "my-test was killed by SIGSEGV"),
        (
            {"exit": None, "signal": "SIGKILL", "timed_out": True},
            "deadline",
            "my-test did not end within its deadline of 60 s, and was killed",
        ),
    ],
)
def test_a_signal_and_the_deadline_are_ends_like_others(end: dict[str, Any], seen: str, reason: str) -> None:
    found = outcome(command_record(**end))
    assert found.differences[0].seen == seen
    assert found.reason == f"{reason}, and wrote nothing"
    rule = Expectation(
        outcome=K.MISBEHAVES,
        reason="r",
        stage=Stage.TRIGGER,
        known_bug=True,
        differences=(ExpectedDifference(step="command my-test", kind=DifferenceKind.EXIT, seen=seen),),
    )
    assert judge(found, rule)[0] == Verdict.KNOWN_BUG
    other = replace(rule, differences=(replace(rule.differences[0], seen=1),))
    assert judge(found, other)[0] == Verdict.FAIL


def test_the_output_must_match() -> None:
    record = command_record("loaded 3 programs\nok\n")
    assert outcome(record, output="^loaded [0-9]+ programs$").kind == K.WORKS
    found = outcome(record, output="attached")
    assert (found.kind, found.differences[0].kind) == (K.MISBEHAVES, DifferenceKind.OUTPUT)
    assert found.reason == "nothing in the output of my-test matches /attached/"


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (
            "./my-test: error while loading shared libraries: libfoo.so.1: cannot open shared object file: No",
            "the shared library libfoo.so.1 is not in the guest: push it",
        ),
        ("./a: /lib/libc.so.6: version `GLIBC_2.99' not found (required by ./a)", "it needs GLIBC_2.99, which"),
        ("sh: line 1: bpftool: not found\n", "the command bpftool is not in the guest: push it"),
        ("frobnicate: applet not found\n", "the command frobnicate is not in the guest: push it"),
    ],
)
def test_what_is_missing_in_the_guest_is_named(output: str, reason: str) -> None:
    assert reason in outcome(command_record(output, exit=127)).reason
    assert reason not in outcome(command_record(output, exit=127), exit=127).reason


def test_a_command_that_did_not_start_is_the_users_mistake() -> None:
    found = outcome(command_record(ok=False, errno=2, errno_name="ENOENT", detail="./x is not in the guest"))
    assert (found.kind, found.wrong_input) == (K.LOST, True)
    assert found.reason.startswith("the command did not start: ./x is not in the guest: push it")
    assert judge(found, Expectation(outcome=K.MISBEHAVES, reason="r"))[0] == Verdict.ERROR


def test_what_is_left_out_of_the_output_is_said() -> None:
    assert outcome(command_record("head tail", cut=7)).output == (
        "head \n[7 bytes of the output are left out here]\ntail"
    )


def test_what_was_written_before_the_kernel_died_is_kept() -> None:
    record = command_record("going to load\n")
    ending = Ending(kind=K.CRASHED, reason="the kernel died: BUG", step=("my-test", 0))
    found = outcome(replace(record, steps=(), end=None, ending=ending))
    assert (found.kind, found.output, found.step) == (K.CRASHED, "going to load\n", "command my-test")
