"""The part of GitHub's API that lists and changes the comments of a pull request, over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from harness.cli.sticky_comment import AUTHOR


def comment(number: int, body: str, author: str = AUTHOR) -> dict[str, Any]:
    """Return a comment as the API lists it."""
    return {"id": number, "body": body, "user": {"login": author}}


class GitHub(HTTPServer):
    """The comments of pull request 5 of o/r, and the tokens that were shown."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.comments: dict[int, dict[str, Any]] = {}
        self.tokens: set[str] = set()

    @property
    def address(self) -> str:
        """The address of the API."""
        return f"http://127.0.0.1:{self.server_port}"


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
        self.server.comments[number] = comment(number, self.body())
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


@contextmanager
def served() -> Iterator[GitHub]:
    """Answer for the duration of the block."""
    with GitHub() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
