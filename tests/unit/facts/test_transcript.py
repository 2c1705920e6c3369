from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_samples import CASE_ID, changed, encoded, fed, golden_bytes, golden_lines, renumbered, sample_case

from harness.errors import EXIT_HARNESS, AgentError
from harness.facts.records import Ending
from harness.facts.transcript import LINES_LIMIT, PROTOCOL, Transcript, parse_line
from harness.judge.outcome import outcome_of
from harness.model.results import OutcomeKind

JUNK: list[Any] = [None, True, 0, -1, 1.5, "", "x", [], [1], ["x", 1], {}, {"client": 1}, 10**30]


IDLE = ("seconds", "index", "uptime", "environment", "kernel_log", "kernel_log_lost", "step", "stopped")
"""Keys that say nothing about whether the case works (no junk here is a splat)."""


def refused(lines: list[bytes]) -> str:
    """Feed lines of which the last must be refused; return the words of the refusal."""
    transcript = fed(lines[:-1])
    with pytest.raises(AgentError) as caught:
        transcript.feed(lines[-1])
    return str(caught.value)


def test_a_whole_transcript() -> None:
    transcript = fed(golden_bytes().split(b"\n"))
    assert transcript.done
    assert transcript.ended() == [CASE_ID]
    assert transcript.current is None
    assert transcript.environment["release"] == "6.1.0-50-cloud-amd64"
    assert len(transcript.hello["kernel_log"]) == 2
    assert transcript.last["type"] == "done"
    record = transcript.record(CASE_ID)
    assert (record.late_log, record.late_lost) == ((), 0)
    assert transcript.boot_log().lines == tuple(transcript.hello["kernel_log"])
    assert (len(record.steps), len(record.events), record.errors) == (21, 6, ())
    assert record.end is not None
    assert record.end["complete"] is True
    assert record.ending is None


def test_messages_between_two_cases_belong_to_the_one_that_ended() -> None:
    """A kernel may complain of a case a moment after its end: while memory is freed, or links are released."""
    first = [line for line in golden_lines() if line["type"] != "done"]
    begin = {"n": 0, "type": "case", "case": "next", "kernel_log": ["<4> WARNING: late"], "kernel_log_lost": 2}
    end = {**first[-1], "case": "next"}
    done = {**golden_lines()[-1], "cases": 2, "kernel_log": ["<6> last"], "kernel_log_lost": 0}
    transcript = fed(encoded(renumbered([*first, begin, end, done])))
    record = transcript.record(CASE_ID)
    assert (record.late_log, record.late_lost) == (("<4> WARNING: late",), 2)
    assert transcript.record("next").late_log == ("<6> last",)
    assert "<4> WARNING: late" not in transcript.boot_log().lines


def test_the_current_case_is_the_one_that_has_not_ended() -> None:
    transcript = Transcript()
    seen = []
    for line in golden_bytes().splitlines():
        transcript.feed(line)
        seen.append(transcript.current)
    assert seen == [None, *[CASE_ID] * 28, None, None]


def test_a_case_that_was_never_started_has_an_empty_record() -> None:
    ending = Ending(kind=OutcomeKind.LOST, reason="r")
    record = fed(golden_bytes().splitlines()).record("another", ending)
    assert (record.steps, record.events, record.errors, record.end, record.ending) == ((), (), (), None, ending)


def test_empty_lines_are_passed_over() -> None:
    transcript = Transcript()
    assert transcript.feed(b"") is None
    assert transcript.feed(b" \r\n") is None
    assert transcript.feed(golden_bytes().splitlines()[0]) is not None


@pytest.mark.parametrize("index", range(31))
def test_a_missing_line_is_a_gap(index: int) -> None:
    lines = golden_bytes().splitlines()
    del lines[index]
    if index == 30:
        assert not fed(lines).done
        return
    complaint = refused(lines[: index + 1])
    assert f"line {index + 1} of the agent is numbered {index + 2}: lines were lost" in complaint


@pytest.mark.parametrize("index", range(31))
def test_a_line_that_comes_twice_is_noticed(index: int) -> None:
    lines = golden_bytes().splitlines()[: index + 1]
    assert "lines were lost" in refused([*lines, lines[-1]])


def test_a_done_count_that_is_wrong() -> None:
    lines = golden_lines()
    lines[-1]["lines"] = 30
    assert "the agent wrote 30 lines, but 31 came" in refused(encoded(lines))


def test_another_version_of_the_protocol() -> None:
    hello = {**golden_lines()[0], "protocol": PROTOCOL + 1}
    assert f"protocol {PROTOCOL + 1}, not {PROTOCOL}" in refused(encoded([hello]))


def test_the_first_line_is_the_hello_so_that_the_release_is_always_checked() -> None:
    assert "wrong place" in refused(encoded(renumbered(golden_lines()[1:2])))
    hello = golden_lines()[0]
    assert "wrong place" in refused(encoded(renumbered([hello, hello])))


def test_nothing_comes_after_done() -> None:
    lines = golden_lines()
    again = {**lines[1], "n": 32, "case": "more"}
    assert "wrong place" in refused(encoded([*lines, again]))


def test_done_within_a_case() -> None:
    lines = renumbered(line for line in golden_lines() if line["type"] != "case-end")
    assert f"case {CASE_ID} did not" in refused(encoded(lines))


def with_left(kind: str, **more: str) -> list[bytes]:
    """The real transcript, with one thing that was left behind in its lines of this type."""
    left = [{"kind": "map", "name": "7 events", **more}]
    return encoded(changed(lambda line: {**line, "left": left} if line["type"] == kind else line))


@pytest.mark.parametrize(("kind", "more"), [("case-end", {}), ("done", {"case": CASE_ID})])
def test_what_a_case_left_is_in_its_record_however_late_it_is_known(kind: str, more: dict[str, str]) -> None:
    end = fed(with_left(kind, **more)).record(CASE_ID).end
    assert end is not None
    assert end["left"] == [{"kind": "map", "name": "7 events"}]


@pytest.mark.parametrize(("kind", "case"), [("case-end", CASE_ID), ("done", "another")])
def test_a_case_that_has_not_ended_left_nothing(kind: str, case: str) -> None:
    with pytest.raises(AgentError, match=f"case {case} left something behind, but it has not ended"):
        fed(with_left(kind, case=case))


@pytest.mark.parametrize("cases", [0, 2])
def test_done_with_another_number_of_cases(cases: int) -> None:
    lines = changed(lambda line: {**line, "cases": cases} if line["type"] == "done" else line)
    assert f"says that it ran {cases} cases, but 1 came" in refused(encoded(lines))


def test_a_case_cannot_start_twice_or_within_another() -> None:
    hello, case, step = golden_lines()[:3]
    end = next(line for line in golden_lines() if line["type"] == "case-end")
    assert "a second time" in refused(encoded(renumbered([hello, case, end, case])))
    assert "within another" in refused(encoded(renumbered([hello, case, {**case, "case": "b"}])))
    assert "outside of a case" in refused(encoded(renumbered([hello, case, end, step])))
    assert "outside of a case" in refused(encoded(renumbered([hello, step])))
    other = {**case, "case": "other"}
    assert "outside of a case" in refused(encoded(renumbered([hello, case, end, other, step])))


def test_too_many_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.facts.transcript.LINES_LIMIT", 10)
    assert LINES_LIMIT > 10_000
    assert "line 11" in refused(golden_bytes().splitlines()[:11])


@pytest.mark.parametrize(
    "line",
    [
        b"Segmentation fault",
        b'{"n": 1}',
        b'{"type": "hello"}',
        b'{"n": 1, "type": "hello"}',
        b'{"n": 1, "type": "unknown"}',
        b'{"n": 1, "type": ["hello"]}',
        b'{"n": 1, "type": {}}',
        b'["n", "type"]',
        b"1",
        b"null",
        b'"type"',
        b"\xff\xfe",
        b"{" * 100_000,
        b"[" * 100_000,
        b'{"n": ' + b"9" * 10_000 + b', "type": "case", "case": "c"}',
        b'{"n": true, "type": "case", "case": "c"}',
        b'{"n": 1, "type": "case", "case": ["c"]}',
        b'{"n": NaN, "type": "case", "case": "c"}',
    ],
    ids=lambda line: line[:30].decode(errors="replace"),
)
def test_garbage_is_told_as_such(line: bytes) -> None:
    with pytest.raises(AgentError, match="not its protocol") as caught:
        parse_line(line)
    assert caught.value.exit_code == EXIT_HARNESS
    assert len(str(caught.value)) < 1200


def test_the_wrong_field_is_named() -> None:
    with pytest.raises(AgentError, match=r"\(stage: .*\)"):
        parse_line(b'{"n": 3, "type": "step", "case": "c", "stage": "lunch", "op": "open", "what": "", "ok": true}')


@given(st.binary(max_size=200))
def test_any_bytes_are_a_line_or_an_agent_error(line: bytes) -> None:
    with contextlib.suppress(AgentError):
        assert Transcript().feed(line) is None


@given(st.recursive(st.one_of(st.none(), st.booleans(), st.integers(), st.text()), st.lists, max_leaves=5), st.data())
def test_any_json_value_in_any_field_is_taken_or_an_agent_error(value: Any, data: st.DataObject) -> None:
    line = data.draw(st.sampled_from(golden_lines()))
    key = data.draw(st.sampled_from(sorted(line)))
    with contextlib.suppress(AgentError):
        parse_line(json.dumps({**line, key: value}).encode())


def places() -> list[tuple[int, str]]:
    """One place (line, key) for each key of each sort of line."""
    seen: dict[tuple[str, str, str], tuple[int, str]] = {}
    for index, line in enumerate(golden_lines()):
        for key in line:
            seen.setdefault((line["type"], line.get("op", ""), key), (index, key))
    return list(seen.values())


@pytest.mark.parametrize("junk", [*JUNK, "missing"], ids=repr)
def test_whatever_is_taken_can_be_judged(junk: Any) -> None:
    """What the protocol lets through never breaks the judge, and a broken line never makes a cell good."""
    case = sample_case()
    whole = golden_lines()
    taken = 0
    for index, key in places():
        lines = copy.deepcopy(whole)
        if junk == "missing":
            del lines[index][key]
        else:
            lines[index][key] = junk
        try:
            transcript = fed(encoded(lines))
        except AgentError:
            continue
        taken += 1
        outcome = outcome_of(case, transcript.record(CASE_ID))
        same = lines[index].get(key) == whole[index].get(key)  # True is 1, and 0 events were lost
        idle = key in IDLE or (key == "signal" and not junk)
        assert same or idle or outcome.kind != OutcomeKind.WORKS, (lines[index]["type"], key, junk)
    assert taken or junk not in ("missing", "x")


def test_an_agents_own_trouble_is_kept() -> None:
    hello, case = golden_lines()[:2]
    trouble = {"type": "agent-error", "case": CASE_ID, "detail": "KeyError: 'x'"}
    record = fed(encoded(renumbered([hello, case, trouble]))).record(CASE_ID)
    assert record.errors == ("KeyError: 'x'",)


def test_lines_are_kept_as_they_came() -> None:
    lines = changed(lambda line: {**line, "more": [1]} if line["type"] == "step" else line)
    record = fed(encoded(lines)).record(CASE_ID)
    assert all(step["more"] == [1] for step in record.steps)
