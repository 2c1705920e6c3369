"""The programs of an object side by side, and what a person at the terminal must look at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.model.results import Mark, Origin, Outcome, OutcomeKind, PartResult, Stage, Verdict
from harness.reports.parts import answer, counted, deciding_line, lines_of, parts_table

WORKS = Outcome(kind=OutcomeKind.WORKS, reason="")
REFUSED = Outcome(
    kind=OutcomeKind.REFUSED,
    reason="load object: EINVAL",
    stage=Stage.LOAD_TARGET,
    errno=22,
    errno_name="EINVAL",
    origin=Origin.SYSTEM_CALL,
    refusal="helper-missing",
    log="0: R1=ctx\nunknown func bpf_get_attach_cookie#174\nprocessed 3 insns (limit 1000000)\n\n",
)


def part(name: str, outcome: Outcome = WORKS, *, about: str = "xdp", verdict: Verdict = Verdict.PASS) -> PartResult:
    return PartResult(name=name, outcome=outcome, verdict=verdict, verdict_reason="", about=about)


def works(**more: Any) -> Outcome:
    return Outcome(kind=OutcomeKind.WORKS, reason="", **more)


def test_the_table_has_the_columns_that_there_is_something_in() -> None:
    first = part("first", works(measured={"verified-instructions": 7, "runs": 2}))
    second = part("second", works(measured={"verified-instructions": 9}, mark=Mark.DID_NOT_RUN), about="kprobe/x")
    table = parts_table([first, second, part("third", REFUSED, verdict=Verdict.FAIL)])
    assert table is not None
    assert table.columns == ("part", "section", "answer", "instructions", "runs", "mark")
    assert table.rows == (
        ("first", "xdp", "✓ pass: works", "7", "2", ""),
        ("second", "kprobe/x", "✓ pass: works", "9", "", "did not run"),
        ("third", "xdp", "✗ fail: refused at load-target: EINVAL (22), helper-missing", "", "", ""),
    )


def test_test_cases_of_a_command_need_no_table() -> None:
    assert parts_table([part("one", about=""), part("two", REFUSED, about="")]) is None
    assert parts_table([]) is None


def test_how_many_are_attached() -> None:
    wrong = Outcome(kind=OutcomeKind.MISBEHAVES, reason="", stage=Stage.TRIGGER)
    early = Outcome(kind=OutcomeKind.MISBEHAVES, reason="", stage=Stage.LOAD_TARGET)
    parts = [part("a"), part("b", REFUSED), part("c", wrong), part("d", early), part("all-together", about="")]
    assert counted(parts) == (2, 4)


def test_a_line_for_each_that_must_be_looked_at() -> None:
    late = works(mark=Mark.NOT_COUNTED, mark_reason="nobody knows whether it ran: it is reached by tail calls")
    parts = [part("fine"), part("leaf", late), part("newer", REFUSED, verdict=Verdict.FAIL)]
    assert lines_of(parts) == [
        (
            "leaf: pass: nobody knows whether it ran: it is reached by tail calls",
            Verdict.PASS,
            "",
        ),
        (
            "newer: fail: refused at load-target: EINVAL (22), helper-missing: unknown func bpf_get_attach_cookie#174",
            Verdict.FAIL,
            "",
        ),
    ]


def test_why_nothing_has_an_answer_is_said_once() -> None:
    lost = Outcome(kind=OutcomeKind.LOST, reason="the guest did not boot")
    parts = [part(name, lost, verdict=Verdict.ERROR) for name in ("a", "b")]
    assert lines_of(parts) == [("all of them: error: lost: the guest did not boot", Verdict.ERROR, "")]
    assert lines_of([*parts, part("c")]) == [("a, b: error: lost: the guest did not boot", Verdict.ERROR, "")]
    assert lines_of(parts[:1]) == [("a: error: lost: the guest did not boot", Verdict.ERROR, "")]


def test_the_same_of_several_is_one_line_though_it_has_their_names_in_it() -> None:
    def absent(name: str) -> Outcome:
        reason = f"load object: EINVAL (libbpf: prog '{name}': no; libbpf: prog '{name}': failed to load: -22"
        reason += f"; libbpf: failed to load object '/run/bpfmatrix/my/{name}/my.o')"
        return replace(REFUSED, log="", reason=reason)

    names = [f"on_{number}" for number in range(8)]
    parts = [part(name, absent(name), verdict=Verdict.FAIL) for name in names]
    said = "refused at load-target: EINVAL (22), helper-missing"
    assert lines_of([*parts, part("fine"), part("other", REFUSED, verdict=Verdict.FAIL)]) == [
        (
            "on_0, on_1, on_2, on_3, on_4, on_5 and 2 more: fail: "
            f"{said}: load object: EINVAL (libbpf: prog 'on_0': no)",
            Verdict.FAIL,
            "",
        ),
        (f"other: fail: {said}: unknown func bpf_get_attach_cookie#174", Verdict.FAIL, ""),
    ]
    expected = replace(parts[0], verdict=Verdict.XFAIL)
    assert [line.text.split(":")[0] for line in lines_of([expected, *parts[1:3]])] == ["on_0", "on_1, on_2"]


def test_all_together_is_not_named_beside_the_programs_that_it_has_the_same_of() -> None:
    together = part("all-together", REFUSED, about="", verdict=Verdict.FAIL)
    newer = part("newer", REFUSED, verdict=Verdict.FAIL)
    assert [line.text.split(":")[0] for line in lines_of([part("fine"), newer, together])] == ["newer"]
    assert [line.text.split(":")[0] for line in lines_of([part("fine"), together])] == ["all-together"]
    several = [part(name, REFUSED, about="", verdict=Verdict.FAIL) for name in ("one", "two")]
    assert lines_of([*several, part("c", about="")])[0].text.startswith("one, two: fail")


def test_what_is_refused_as_expected_is_no_line_less() -> None:
    ((line, verdict, advice),) = lines_of([part("newer", replace(REFUSED, advice="do"), verdict=Verdict.XFAIL)])
    assert line.startswith("newer: xfail: refused") and verdict is Verdict.XFAIL and not advice
    ((_, _, advice),) = lines_of([part("newer", replace(REFUSED, advice="do this"), verdict=Verdict.FAIL)])
    assert advice == "do this"


@pytest.mark.parametrize(
    ("log", "line"),
    [("", ""), ("\n\n", ""), ("a\nb\nprocessed 1 insns\n", "b"), ("b\nverification time 3 usec\nstack depth 8\n", "b")],
)
def test_the_line_that_decides(log: str, line: str) -> None:
    assert deciding_line(log) == line


def test_an_answer_in_a_few_words() -> None:
    assert answer(Outcome(kind=OutcomeKind.CRASHED, reason="", stage=Stage.TRIGGER)) == "crashed at trigger"
    assert answer(WORKS) == "works"
