"""The one comment on a pull request, against an API that answers as GitHub's does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from github_api import GitHub, comment, served
from unit_samples import ROOT

from harness.cli.sticky_comment import AUTHOR, LONGEST, Request, marker, requests

MARK = marker("bpfmatrix")
SCRIPT = ROOT / "harness/cli/sticky_comment.py"


def asked(text: str, *comments: dict[str, Any]) -> list[Request]:
    return requests(text, comments, number=5, name="bpfmatrix")


OWN = comment(1, f"{MARK}\nold")


def test_it_is_written_edited_and_removed() -> None:
    assert asked("new") == [Request("POST", "issues/5/comments", f"{MARK}\nnew")]
    assert asked("new", OWN) == [Request("PATCH", "issues/comments/1", f"{MARK}\nnew")]
    assert asked("", OWN) == [Request("DELETE", "issues/comments/1")]


def test_what_says_it_already_is_left_alone() -> None:
    assert asked("old\n", OWN) == []
    assert asked(" \n") == []


def test_comments_of_others_are_left_alone_whatever_they_say() -> None:
    forged = comment(2, f"{MARK}\nforged", "somebody")
    gone = {"id": 3, "body": MARK, "user": None}
    assert asked("", forged, gone, comment(4, "another text of the bot's")) == []
    assert [each.method for each in asked("new", forged)] == ["POST"]


def test_of_several_of_our_own_one_stays() -> None:
    assert asked("new", OWN, comment(7, f"{MARK}\nx")) == [
        Request("DELETE", "issues/comments/7"),
        Request("PATCH", "issues/comments/1", f"{MARK}\nnew"),
    ]
    assert len(asked("", OWN, comment(7, f"{MARK}\nx"))) == 2


def test_another_name_is_another_comment() -> None:
    assert [each.method for each in requests("x", [OWN], number=5, name="other")] == ["POST"]
    assert "-->" not in marker("a --> b").removesuffix("-->")


def test_it_is_no_longer_than_github_takes() -> None:
    (request,) = asked("x" * (LONGEST + 1))
    assert len(request.body or "") == LONGEST


@pytest.fixture
def github() -> Iterator[GitHub]:
    with served() as server:
        yield server


def call(github: GitHub, file: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "GITHUB_API_URL": github.address,
        "GITHUB_REPOSITORY": "o/r",
        "GITHUB_TOKEN": "secret",
        "COMMENT_FILE": str(file),
        "COMMENT_NUMBER": "5",
        "COMMENT_NAME": "bpfmatrix",
    }
    return subprocess.run(
        [sys.executable, "-I", SCRIPT], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_the_script_by_itself_writes_edits_and_removes(github: GitHub, tmp_path: Path) -> None:
    github.comments = {number: comment(number, "talk", "somebody") for number in range(1, 150)}
    file = tmp_path / "comment.md"
    for text in ("first", "second", ""):
        file.write_text(text)
        done = call(github, file)
        assert done.returncode == 0, done.stderr
        own = [each["body"] for each in github.comments.values() if each["user"]["login"] == AUTHOR]
        assert own == ([f"{MARK}\n{text}"] if text else [])
    assert github.tokens == {"Bearer secret"}
    assert len(github.comments) == 149


def test_without_a_text_the_job_fails(github: GitHub, tmp_path: Path) -> None:
    done = call(github, tmp_path / "none")
    assert done.returncode == 1
    assert "is not there" in done.stdout
