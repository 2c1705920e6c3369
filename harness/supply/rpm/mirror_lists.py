"""Lists of the mirrors of a repository: `mirrorlist` and `metalink` of yum's and dnf's files. Pure.

A mirror list is text, an address a line. A metalink (version 3, as yum and dnf read it) is XML: it names repomd.xml on
each mirror, the best one with the highest preference, and says by checksums which ones it may be now.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from harness.errors import FetchError
from harness.supply.rpm.documents import Element, elements
from harness.supply.rpm.pin import ALGORITHMS, Algorithm

REPOMD = "repodata/repomd.xml"
MOST_LIST = 4 << 20
"""Bytes that a list may have; those of large distributions have some 100 KiB."""
MOST_MIRRORS = 6
"""How many mirrors are asked at most. The best come first, and who has no network waits for each."""
_SCHEMES = ("http", "https")
_METALINK = re.compile(rb"^\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<metalink\b", re.DOTALL)


@dataclass(frozen=True)
class Checksum:
    """A checksum of a file, in hexadecimal digits."""

    algorithm: Algorithm
    digits: str


@dataclass(frozen=True, kw_only=True)
class Mirrors:
    """What a list says: the addresses of the repository, the best first, and what its repomd.xml may be.

    `index` is empty where the list does not say that: then any repomd.xml will do whose signature is right.
    """

    addresses: tuple[str, ...]
    index: tuple[Checksum, ...] = ()


def read_list(data: bytes, *, where: str, architecture: str) -> Mirrors:
    """Return what is in a list that was fetched from the address `where`.

    `architecture` is what takes the place of `$basearch` and `$arch` in it. Raises FetchError where it names no mirror
    that can be asked, or is no list at all.
    """
    found = _metalink(data, where) if _METALINK.match(data) else _plain(data, architecture)
    schemes = {*_SCHEMES, *(["file"] if urlsplit(where).scheme == "file" else [])}
    kept = [each for each in found.addresses if urlsplit(each).scheme in schemes]
    if not kept:
        raise FetchError(f"{where} names no mirror by http or https")
    return Mirrors(addresses=tuple(dict.fromkeys(kept))[:MOST_MIRRORS], index=found.index)


def _plain(data: bytes, architecture: str) -> Mirrors:
    lines = [line.strip() for line in data.decode("utf-8", "replace").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    return Mirrors(addresses=tuple(re.sub(r"\$(?:base)?arch\b", architecture, line) for line in lines))


def _metalink(data: bytes, where: str) -> Mirrors:
    found = elements(data, where, writer="MirrorManager")
    files = [each for each in found if each.path == ("metalink", "files", "file")]
    if [each.attributes.get("name") for each in files] != ["repomd.xml"]:
        raise FetchError(f"{where} is a metalink of something else than a repository's repomd.xml")
    checksums = tuple(_checksums(found))
    if not checksums:
        raise FetchError(f"{where} has no checksum of repomd.xml of the kinds {' or '.join(ALGORITHMS)}")
    urls = [each for each in found if each.path[-2:] == ("resources", "url")]
    addresses = [url.text.strip() for url in sorted(urls, key=_preference, reverse=True)]
    return Mirrors(
        addresses=tuple(each.removesuffix(REPOMD) for each in addresses if each.endswith(f"/{REPOMD}")),
        index=checksums,
    )


def _checksums(found: Iterable[Element]) -> Iterable[Checksum]:
    """Yield the checksums of today's repomd.xml, and of those before it that a mirror may still have."""
    for each in found:
        if each.path[-2:] == ("verification", "hash"):
            for algorithm in ALGORITHMS:
                if each.attributes.get("type") == algorithm:
                    yield Checksum(algorithm, each.text.strip().lower())


def _preference(url: Element) -> int:
    text = url.attributes.get("preference", "")
    return int(text) if text.isascii() and text.isdigit() else 0
