"""Small XML documents of RPM repositories, read as lists of their elements. Pure.

None of them has a document type: one that has is refused, and with it all entities.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.parsers import expat

from harness.errors import FetchError

_PIECE = 1 << 14


@dataclass(kw_only=True)
class Element:
    """An element: its name behind those that it is in, all without prefixes; attributes; the text directly in it."""

    path: tuple[str, ...]
    attributes: Mapping[str, str]
    text: str = ""


def elements(data: bytes, what: str, *, last: str = "", writer: str = "createrepo_c") -> list[Element]:
    """Return the elements of a document in their order, as far as one called `last`.

    Raises FetchError where it is no such document; `what` is its name, `writer` who makes such ones.
    """
    reader = _Reader(last=last)
    try:
        return reader.parse(data)
    except (expat.ExpatError, ValueError) as error:
        raise FetchError(f"{what} is not what {writer} writes: {error}") from error


@dataclass
class _Reader:
    last: str
    found: list[Element] = field(default_factory=list)
    done: bool = False
    _open: list[Element] = field(default_factory=list)

    def parse(self, data: bytes) -> list[Element]:
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._doctype
        for at in range(0, len(data), _PIECE):
            parser.Parse(data[at : at + _PIECE], False)
            if self.done:
                return self.found
        parser.Parse(b"", True)
        return self.found

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2]
        self.done = self.done or local == self.last
        if not self.done:
            path = (*(self._open[-1].path if self._open else ()), local)
            self._open.append(Element(path=path, attributes=attributes))
            self.found.append(self._open[-1])

    def _end(self, name: str) -> None:  # noqa: ARG002
        if not self.done:
            self._open.pop()

    def _text(self, text: str) -> None:
        if self._open and not self.done:
            self._open[-1].text += text

    def _doctype(self, *_: Any) -> None:
        raise ValueError("it has a document type, so entities")
