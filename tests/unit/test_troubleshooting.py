"""docs/troubleshooting.md has the messages that users meet as they are in the code, and has those of the host all."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

import pytest
from unit_samples import ROOT

from harness import errors

PAGE = ROOT / "docs/troubleshooting.md"
GAP = "…"
"""Stands for what differs each time, in the page and in what is read of the code."""


def plain(text: str) -> str:
    """Return a message without what its marks and line breaks make of it."""
    return re.sub(f"{GAP}+", GAP, " ".join(text.replace("`", "").split()))


def text_of(node: ast.AST) -> str:
    """Return the text of a string or an f-string, its values as gaps; "" for anything else."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            return "".join(text_of(each) or GAP for each in values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return (text_of(left) or GAP) + (text_of(right) or GAP)
    return ""


def messages(code: str) -> Iterator[str]:
    """Yield each text in some Python code."""
    for node in ast.walk(ast.parse(code)):
        if text := text_of(node):
            yield plain(text)


def raised(code: str) -> Iterator[tuple[str, str]]:
    """Yield what errors are raised in some code with which text."""
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[first, *_]) if text := text_of(first):
                yield name, plain(text)


@cache
def of_the_code() -> tuple[str, ...]:
    found = [text for path in (ROOT / "harness").rglob("*.py") for text in messages(path.read_text())]
    script = re.sub(r'"\s*\\\n\s*"', " ", (ROOT / "run").read_text())
    return (*dict.fromkeys(found), plain(re.sub(r"\$\{?[\w\[\]*@!#%:/.-]+\}?|\$\([^)]*\)", GAP, script)))


TITLES = re.findall(r"^### `(.*)`$", PAGE.read_text(), re.MULTILINE)


def is_said(title: str) -> bool:
    """Whether some message of the code has the words of a title, with gaps where the title has them."""
    words = plain(title).strip(f"{GAP} ")
    return any(words in text for text in of_the_code())


@pytest.mark.parametrize("title", TITLES)
def test_each_title_is_a_message_of_the_code(title: str) -> None:
    assert is_said(title)


@pytest.mark.parametrize("title", ["… is not installled; it is needed to …", "no … matches the …"])
def test_what_no_code_says_is_found(title: str) -> None:
    assert not is_said(title)


def test_each_title_is_there_once() -> None:
    assert len(TITLES) == len(set(TITLES)) > 40


def test_whatever_may_be_wrong_with_a_host_has_an_entry() -> None:
    """Each class of errors for which the host has to be looked at."""
    calls = [each for path in (ROOT / "harness").rglob("*.py") for each in raised(path.read_text())]
    titles = [plain(title).strip(f"{GAP} ") for title in TITLES]
    explained = {name for name, text in calls if any(title in text for title in titles)}
    # A report and a journal that cannot be written say what the system says, and name the folder.
    of_host = {
        name for name, kind in vars(errors).items() if isinstance(kind, type) and getattr(kind, "of_host", False)
    }
    assert of_host - explained <= {"ReportError", "JournalWriteError"}
