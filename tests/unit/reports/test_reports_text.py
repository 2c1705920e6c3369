"""Cleaning and bounding of what guests wrote."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports_sample import SEEN, nasty_report, quiet_report
from reports_strategies import HOSTILE, UNHURRIED

from harness.reports.bounded import bounded
from harness.reports.events import event_line, event_lines
from harness.reports.text import SHORTEST_LIMIT, block, bound, clean, one_line, without_surrogates

NO_XML = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@pytest.mark.parametrize(
    ("raw", "cleaned"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;a title\x07after", "after"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;never ends\nnext", "0;never ends\nnext"),
        ("\x1b(Bcharset \x1bcreset \x1b7save", "charset reset save"),
        ("ends in \x1b", "ends in ␛"),
        ("\x1b\x1b[0m[0m", "␛[0m"),
        ("nul \x00 bell \x07 del \x7f", "nul ␀ bell ␇ del ␡"),
        ("\x85 \x90 \ud800 \uffff \ufdd0", "\ufffd \ufffd \ufffd \ufffd \ufffd"),
        ("a\r\nb\rc\r\r\nd\u2028e", "a\nb\nc\nd\ne"),
        ("user\u202etxt.exe\u2066", "user\ufffdtxt.exe\ufffd"),
        ("ünï ☃ 😀", "ünï ☃ 😀"),
    ],
)
def test_clean(raw: str, cleaned: str) -> None:
    assert clean(raw) == cleaned


@UNHURRIED
@given(HOSTILE)
def test_clean_leaves_only_what_xml_and_utf8_carry(raw: str) -> None:
    cleaned = clean(raw)
    assert not NO_XML.search(cleaned)
    assert "\r" not in cleaned
    assert len(cleaned) <= len(raw)
    assert clean(cleaned) == cleaned
    cleaned.encode()


def test_bound_keeps_head_and_tail_and_says_what_is_gone() -> None:
    text = "head" + "x" * 1_000_000 + "tail"
    cut = bound(text, limit=1000)
    assert len(cut) <= 1000
    assert cut.startswith("head")
    assert cut.endswith("tail")
    marks = re.findall(r"\n\[\.\.\. (\d+) characters cut \.\.\.\]\n", cut)
    assert len(marks) == 1
    around = len(cut) - len(f"\n[... {marks[0]} characters cut ...]\n")
    assert around + int(marks[0]) == len(text)


@UNHURRIED
@given(st.text(max_size=400), st.integers(SHORTEST_LIMIT, 200))
def test_bound_is_within_its_limit_and_settles(text: str, limit: int) -> None:
    cut = bound(text, limit=limit)
    assert len(cut) <= limit
    assert bound(cut, limit=limit) == cut
    assert (cut == text) == (len(text) <= limit)


def test_bound_refuses_a_limit_without_room() -> None:
    with pytest.raises(ValueError, match="no room"):
        bound("text", limit=SHORTEST_LIMIT - 1)


def test_a_cut_does_not_let_an_escape_eat_the_mark() -> None:
    text = "a" * 500 + "\x1b" * 500
    for limit in range(SHORTEST_LIMIT, 200):
        assert "characters cut ...] " in one_line(text, limit=limit)
        assert "\n[... " in block("\x1b" * 1000, limit=limit)


def test_one_line_has_one_line() -> None:
    assert one_line("  a\n\tb \x1b[1m c\r\n") == "a b c"
    assert len(one_line("word " * 1000)) <= 400


def test_without_surrogates_leaves_everything_else() -> None:
    assert without_surrogates("\x00\x1b[0m\ud83d\ude00 😀\uffff") == "\x00\x1b[0m\ufffd\ufffd 😀\uffff"


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (SEEN[0], "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (fentry)"),
        (SEEN[1], "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (kprobe)"),
        (SEEN[2], "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (fexit: 0)"),
        (SEEN[3], "new tcp connection: 127.0.0.1:443 -> 0.0.0.0:0 (kprobe)"),
        ({**SEEN[2], "retval": -22}, "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (fexit: -22)"),
        ({**SEEN[0], "saddr": "::1"}, "new tcp connection: [::1]:40296 -> 127.0.0.1:443 (fentry)"),
        ({"kind": "test_run", "retval": 7, "ok": True, "x": None}, "test_run retval=7 ok=true x=null"),
        ({**SEEN[0], "daddr": None}, "fentry saddr=127.0.0.1 sport=40296 daddr=null dport=443 retval=null side=client"),
        ({"word": "a\nb\x1b[0m", "list": [1, {"a": "b"}]}, 'event word=a b list=[1, {"a": "b"}]'),
        ({"kind": "undecodable", "time_ns": 5, "phase": "observe", "raw": "00"}, "undecodable raw=00"),
        ({}, "event"),
    ],
)
def test_event_line(event: dict[str, object], line: str) -> None:
    assert event_line(event) == line


def test_the_negative_control_is_told_apart() -> None:
    assert event_lines(SEEN) == (
        "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (fentry)",
        "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (kprobe)",
        "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (fexit: 0)",
        "new tcp connection: 127.0.0.1:443 -> 0.0.0.0:0 (kprobe)",
        "with the tracers detached:",
        "new tcp connection: 127.0.0.1:40298 -> 127.0.0.1:443 (kprobe)",
    )
    assert event_lines((SEEN[4], SEEN[4], SEEN[0])).count("with the tracers detached:") == 1
    assert event_lines(()) == ()


def test_bounded_cuts_lists_and_leaves_a_mark() -> None:
    report = nasty_report()
    first = report.cells[0]
    many = tuple({"kind": str(n)} for n in range(1000))
    lines = tuple(str(n) for n in range(1000))
    nested: list[object] = []
    for _ in range(500):
        nested = [nested]
    outcome = replace(
        first.outcome, events=(*many, {"kind": "last", "nest": nested}), console_tail=lines, seconds=float("nan")
    )
    kernel = replace(
        report.kernels[0],
        environment={str(n): n for n in range(1000)},
        seconds={"boot": float("inf")},
    )
    report = replace(report, kernels=(kernel,), cells=(replace(first, outcome=outcome),))
    cut = bounded(report, string=str, items=10)
    assert [event["kind"] for event in cut.cells[0].outcome.events] == [
        *"012", "[... 992 events cut ...]", *(str(n) for n in range(995, 1000)), "last",
    ]  # fmt: skip
    assert "nested too deep" in str(cut.cells[0].outcome.events[-1])
    assert cut.cells[0].outcome.console_tail[3] == "[... 991 lines cut ...]"
    assert len(cut.cells[0].outcome.console_tail) == 10
    assert len(cut.kernels[0].environment) == 10
    assert cut.cells[0].outcome.seconds == 0
    assert cut.kernels[0].seconds == {"boot": 0}
    assert bounded(cut, string=str, items=10) == cut


def test_bounded_makes_what_json_cannot_say_into_text() -> None:
    report = nasty_report()
    odd: dict[Any, Any] = {"nan": float("nan"), "big": 2**64, "small": 2**64 - 1, "bytes": b"x", 3: (1, 2)}
    kernel = replace(report.kernels[0], environment=odd)
    cut = bounded(replace(report, kernels=(kernel,)), string=str, items=100)
    assert cut.kernels[0].environment == {
        "nan": "nan", "big": "0x10000000000000000", "small": 2**64 - 1, "bytes": "b'x'", "3": [1, 2],
    }  # fmt: skip


def test_names_that_become_alike_stay_apart() -> None:
    report = quiet_report()
    names = ["a", "a\x1b[0m", "a.2"]
    cells = tuple(replace(report.cells[0], kernel=name, verdict_reason=name) for name in names)
    report = replace(report, kernels=tuple(replace(report.kernels[0], name=name) for name in names), cells=cells)
    cut = bounded(report, string=clean, items=10)
    assert [kernel.name for kernel in cut.kernels] == ["a", "a.2", "a.2.2"]
    assert [cell.kernel for cell in cut.cells] == ["a", "a.2", "a.2.2"]
    assert bounded(cut, string=clean, items=10) == cut
