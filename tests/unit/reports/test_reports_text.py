"""Cleaning and bounding of what guests wrote."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reports_strategies import HOSTILE, UNHURRIED

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
