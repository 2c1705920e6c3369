"""One comment on a pull request: made where there is something to say, edited in place, removed where there is not.

A job of its own runs this file by itself (comment/action.yml), with a token that may write comments, and nothing else:
no code and no name of the pull request's, only the text that an earlier job has left as an artifact. So it needs
nothing but Python's own library.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

AUTHOR = "github-actions[bot]"
"""Who writes with a job's own token. Comments of others are left alone, whatever they say."""

LONGEST = 65_536
"""Characters that GitHub takes for a comment."""

A_PAGE = 100
"""Comments that GitHub lists at once, at most."""


class Request(NamedTuple):
    """What is asked of the API: the method, the path behind the repository's, and the text of a comment."""

    method: str
    path: str
    body: str | None = None


def marker(name: str) -> str:
    """Return the line by which a comment is found again; GitHub does not show it."""
    kept = "".join(letter for letter in name if letter.isalnum() or letter in "-_ .") or "bpfmatrix"
    return f"<!-- sticky comment: {kept} -->"


def requests(text: str, there: Sequence[Mapping[str, Any]], *, number: int, name: str) -> list[Request]:
    """Return what makes the comments of pull request `number` say `text` once, or nothing where it is empty. Pure.

    `there` are its comments as the API lists them. Of several of our own the first stays.
    """
    mark = marker(name)
    own = [each for each in there if _author(each) == AUTHOR and str(each.get("body", "")).startswith(mark)]
    body = f"{mark}\n{text.strip()}"[:LONGEST] if text.strip() else None
    stays = own[:1] if body else []
    asked = [Request("DELETE", f"issues/comments/{each['id']}") for each in own if each not in stays]
    if body is None:
        return asked
    if not stays:
        return [*asked, Request("POST", f"issues/{number}/comments", body)]
    if stays[0]["body"] == body:
        return asked
    return [*asked, Request("PATCH", f"issues/comments/{stays[0]['id']}", body)]


def _author(comment: Mapping[str, Any]) -> str:
    return str((comment.get("user") or {}).get("login", ""))


class Api:
    """GitHub's REST API for one repository."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._base = f"{environment['GITHUB_API_URL']}/repos/{environment['GITHUB_REPOSITORY']}"
        self._token = environment["GITHUB_TOKEN"]

    def ask(self, request: Request) -> Any:
        """Return what the API answers, None where it is nothing. Raises urllib's HTTPError."""
        asked = urllib.request.Request(
            f"{self._base}/{request.path}",
            method=request.method,
            data=json.dumps({"body": request.body}).encode() if request.body is not None else None,
            headers={
                "Accept": "application/vnd.github+json",
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/json",
                "X-GitHub-Api-Version": "2022-11-28",
            },
        )
        with urllib.request.urlopen(asked, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def comments(self, number: int) -> Iterator[dict[str, Any]]:
        """Yield the comments of a pull request, the oldest first."""
        page = 1
        while True:
            found = self.ask(Request("GET", f"issues/{number}/comments?per_page={A_PAGE}&page={page}"))
            yield from found
            if len(found) < A_PAGE:
                return
            page += 1


def main(environment: Mapping[str, str]) -> int:
    """Bring the comment of one pull request up to date; return the exit code: 1 where the text is missing."""
    path, number = Path(environment["COMMENT_FILE"]), int(environment["COMMENT_NUMBER"])
    if not path.is_file():
        print(f"::error title=comment::{path} is not there: the run did not compare, or its artifact was not fetched")
        return 1
    api, name = Api(environment), environment.get("COMMENT_NAME", "")
    text = path.read_text(encoding="utf-8", errors="replace")
    for request in requests(text, [*api.comments(number)], number=number, name=name):
        api.ask(request)
        print(f"{request.method} {request.path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(os.environ))
