"""Evidence in little space: each text once, in packs that a page opens one by one. Pure.

A pack is JSON, compressed (raw DEFLATE, RFC 1951) and written in base64, so that nothing in it can be markup. In place
of each text it has a number: of the shared texts, which are a pack of their own, those that several packs have; behind
them of the pack's own.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LEVEL = 7
"""How hard zlib tries: above this it takes longer for less than a hundredth."""


@dataclass(frozen=True, kw_only=True)
class Packs:
    """`shared` is a pack with a list of texts. Each of `packs` has `texts`, its own, and `documents`, in order."""

    shared: str
    packs: tuple[str, ...]


def pack(packs: Sequence[Sequence[Any]]) -> Packs:
    """Return some packs of documents: lists, tuples and dictionaries with keys of ours, whose leaves are texts."""
    texts = _Texts()
    numbered = []
    for number, documents in enumerate(packs):
        texts.pack = number
        numbered.append([_changed(document, texts) for document in documents])
    shared = [text for text, pack in texts.packs.items() if pack is None]
    of_shared = {texts.numbers[text]: number for number, text in enumerate(shared)}
    by_pack: list[list[str]] = [[] for _ in packs]
    own: dict[int, int] = {}
    for text, pack in texts.packs.items():
        if pack is not None:
            own[texts.numbers[text]] = len(shared) + len(by_pack[pack])
            by_pack[pack].append(text)
    final = {**of_shared, **own}
    return Packs(
        shared=encoded(shared),
        packs=tuple(
            encoded({"texts": of_pack, "documents": [_renumbered(document, final) for document in documents]})
            for of_pack, documents in zip(by_pack, numbered, strict=True)
        ),
    )


class _Texts:
    """The texts of all packs: the number of each, and the one pack that has it, None for several."""

    def __init__(self) -> None:
        self.numbers: dict[str, int] = {}
        self.packs: dict[str, int | None] = {}
        self.pack = 0

    def number(self, text: str) -> int:
        known = self.numbers.get(text)
        if known is None:
            self.packs[text] = self.pack
            known = self.numbers[text] = len(self.numbers)
        elif self.packs[text] != self.pack:
            self.packs[text] = None
        return known


def _changed(value: Any, texts: _Texts) -> Any:
    if isinstance(value, str):
        return texts.number(str(value))
    if isinstance(value, Mapping):
        return {key: _changed(each, texts) for key, each in value.items()}
    return [_changed(each, texts) for each in value]


def _renumbered(value: Any, numbers: Mapping[int, int]) -> Any:
    if isinstance(value, int):
        return numbers[value]
    if isinstance(value, dict):
        return {key: _renumbered(each, numbers) for key, each in value.items()}
    return [_renumbered(each, numbers) for each in value]


def encoded(value: Any) -> str:
    """Return a value as a pack."""
    made = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    return base64.b64encode(made.compress(text.encode()) + made.flush()).decode()


def decoded(pack: str) -> Any:
    """Return the value of a pack."""
    return json.loads(zlib.decompress(base64.b64decode(pack), -zlib.MAX_WBITS))


def unpacked(packs: Packs) -> list[list[Any]]:
    """Return the documents of some packs with their texts, as a page does."""
    shared = decoded(packs.shared)
    found = []
    for each in packs.packs:
        opened = decoded(each)
        texts = [*shared, *opened["texts"]]
        found.append([_texts_of(document, texts) for document in opened["documents"]])
    return found


def _texts_of(value: Any, texts: Sequence[str]) -> Any:
    if isinstance(value, int):
        return texts[value]
    if isinstance(value, dict):
        return {key: _texts_of(each, texts) for key, each in value.items()}
    return [_texts_of(each, texts) for each in value]
