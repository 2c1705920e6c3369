"""The one comment on a pull request, against an API that answers as GitHub's does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from unit_samples import ROOT

from harness.cli.sticky_comment import AUTHOR, LONGEST, Request, marker, requests

MARK = marker("bpfmatrix")
SCRIPT = ROOT / "harness/cli/sticky_comment.py"


def there(number: int, body: str, author: str = AUTHOR) -> dict[str, Any]:
    return {"id": number, "body": body, "user": {"login": author}}


def asked(text: str, *comments: dict[str, Any]) -> list[Request]:
    return requests(text, comments, number=5, name="bpfmatrix")


OWN = there(1, f"{MARK}\nold")


def test_it_is_written_edited_and_removed() -> None:
    assert asked("new") == [Request("POST", "issues/5/comments", f"{MARK}\nnew")]
    assert asked("new", OWN) == [Request("PATCH", "issues/comments/1", f"{MARK}\nnew")]
    assert asked("", OWN) == [Request("DELETE", "issues/comments/1")]


def test_what_says_it_already_is_left_alone() -> None:
    assert asked("old\n", OWN) == []
    assert asked(" \n") == []


def test_comments_of_others_are_left_alone_whatever_they_say() -> None:
    forged = there(2, f"{MARK}\nforged", "somebody")
    gone = {"id": 3, "body": MARK, "user": None}
    assert asked("", forged, gone, there(4, "another text of the bot's")) == []
    assert [each.method for each in asked("new", forged)] == ["POST"]


def test_of_several_of_our_own_one_stays() -> None:
    assert asked("new", OWN, there(7, f"{MARK}\nx")) == [
        Request("DELETE", "issues/comments/7"),
        Request("PATCH", "issues/comments/1", f"{MARK}\nnew"),
    ]
    assert len(asked("", OWN, there(7, f"{MARK}\nx"))) == 2


def test_another_name_is_another_comment() -> None:
    assert [each.method for each in requests("x", [OWN], number=5, name="other")] == ["POST"]
    assert "-->" not in marker("a --> b").removesuffix("-->")


def test_it_is_no_longer_than_github_takes() -> None:
    (request,) = asked("x" * (LONGEST + 1))
    assert len(request.body or "") == LONGEST


class GitHub(HTTPServer):
    """The part of GitHub's API that lists and changes comments."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.comments: dict[int, dict[str, Any]] = {}
        self.tokens: set[str] = set()


class Answers(BaseHTTPRequestHandler):
    server: GitHub

    def answer(self, code: int, value: object = None) -> None:
        self.server.tokens.add(self.headers["Authorization"])
        self.send_response(code)
        self.end_headers()
        self.wfile.write(b"" if value is None else json.dumps(value).encode())

    def body(self) -> str:
        return str(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"])

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        assert path == "/repos/o/r/issues/5/comments"
        page = int(dict(each.split("=") for each in query.split("&"))["page"])
        self.answer(200, [*self.server.comments.values()][100 * (page - 1) : 100 * page])

    def do_POST(self) -> None:
        number = len(self.server.comments) + 1
        self.server.comments[number] = there(number, self.body())
        self.answer(201, self.server.comments[number])

    def do_PATCH(self) -> None:
        number = int(self.path.rpartition("/")[2])
        self.server.comments[number]["body"] = self.body()
        self.answer(200, self.server.comments[number])

    def do_DELETE(self) -> None:
        del self.server.comments[int(self.path.rpartition("/")[2])]
        self.answer(204)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def github() -> Iterator[GitHub]:
    with GitHub() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def call(github: GitHub, file: Path) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "GITHUB_API_URL": f"http://127.0.0.1:{github.server_port}",
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
    github.comments = {number: there(number, "talk", "somebody") for number in range(1, 150)}
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
