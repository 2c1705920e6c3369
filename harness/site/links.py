"""Links of the docs, as the site has them: what lies outside of docs/ is on the code host. Pure."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping

DOCS = "docs"
TOP_PAGES: Mapping[str, str] = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
"""Files of the repository's top that are pages of the site, and what they are called there."""

_FENCE = re.compile(r"^ {0,3}(```+|~~~+)")
_ESCAPED = re.compile(r"\\([~$])")
"""What is escaped for the code host, where it may be markup, and is none in the site."""
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")


def rewritten(text: str, *, source: str, page: str, is_folder: Callable[[str], bool], repository: str) -> str:
    """Return a page's Markdown with its relative links as they must be in the site.

    `source` is its path in the repository, `page` in the site; `is_folder` says of a path in the repository whether it
    is a folder. What is no page leads to `repository`, the address of the code host; without one ("") its text stays
    and the link goes.
    """

    def sub(match: re.Match[str]) -> str:
        return _link(match, source=source, page=page, is_folder=is_folder, repository=repository)

    return "".join(
        part if fenced else _ESCAPED.sub(r"\1", _LINK.sub(sub, part)).replace("<details>", '<details markdown="1">')
        for part, fenced in _parts(text)
    )


def _parts(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a page, and of each whether it is a block of code between fences."""
    part: list[str] = []
    fence = ""
    for line in text.splitlines(keepends=True):
        opening = _FENCE.match(line)
        if fence:
            part.append(line)
            if line.strip().startswith(fence):
                yield "".join(part), True
                part, fence = [], ""
        elif opening:
            yield "".join(part), False
            part, fence = [line], opening[1]
        else:
            part.append(line)
    yield "".join(part), bool(fence)


def _link(match: re.Match[str], *, source: str, page: str, is_folder: Callable[[str], bool], repository: str) -> str:
    picture, text, target = match.groups()
    if picture == "" and "](" in text:  # a picture that is a link: its own address first
        text = _LINK.sub(
            lambda inner: _link(inner, source=source, page=page, is_folder=is_folder, repository=repository), text
        )
    path, _, anchor = target.partition("#")
    if ":" in path or target.startswith(("/", "#")):
        return f"{picture}[{text}]({target})"
    place = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
    inside = in_site(place, is_folder=is_folder)
    mark = f"#{anchor}" if anchor else ""
    if inside:
        relative = posixpath.relpath(inside, posixpath.dirname(page) or ".")
        return f"{picture}[{text}]({relative}{mark})"
    if not repository:
        return text
    kind = "tree" if is_folder(place) else "raw" if picture else "blob"
    return f"{picture}[{text}]({repository.rstrip('/')}/{kind}/HEAD/{place}{mark})"


def in_site(place: str, *, is_folder: Callable[[str], bool]) -> str:
    """Return where a path of the repository is in the site; "" where it is not."""
    if place in TOP_PAGES:
        return TOP_PAGES[place]
    if not place.startswith(f"{DOCS}/"):
        return ""
    within = place.removeprefix(f"{DOCS}/")
    return "" if is_folder(place) else within
