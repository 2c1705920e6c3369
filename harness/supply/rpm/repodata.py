"""The index of an RPM repository: repomd.xml, and the packages that primary.xml lists. Pure.

primary.xml of a whole distribution has hundreds of megabytes, nearly all of it about packages that nobody asked for.
So it is cut at its `package` elements, and only those of the wanted names are parsed, each by itself.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from harness.errors import FetchError
from harness.supply.rpm.documents import Element, elements
from harness.supply.rpm.pin import ALGORITHMS, Algorithm, RpmFile

MOST_OPEN = 2 << 30
"""Bytes that primary.xml may have when it is unpacked; that of a whole distribution has less than 0.5 GiB."""
MOST_OF_ONE = 64 << 20
"""Bytes that the entry of one package may have; a kernel with its symbols has some."""
_BEFORE = 1 << 20
"""Bytes before the first package in which there must be one, or the end."""
_BEGIN = re.compile(rb"<package[\s>]")
_END = b"</package>"
_NAME = re.compile(rb"<name>\s*([^<\s]+)\s*</name>")
_NAME_WITHIN = 4096
"""The name of a package is the first of its elements."""
_RELATIVE = re.compile(r"[!-~]+")
"""What addresses have: printable ASCII without blanks."""


@dataclass(frozen=True, kw_only=True)
class IndexFile:
    """A file of the index that repomd.xml names: its address, relative to the repository's, its checksum and size."""

    file: str
    algorithm: Algorithm
    checksum: str
    size: int | None


@dataclass(frozen=True, kw_only=True)
class Listing:
    """What an index lists: the packages of the wanted names, and the names of all that begin as kernels do."""

    packages: tuple[RpmFile, ...] = ()
    names: frozenset[str] = frozenset()


def parse_repomd(data: bytes) -> IndexFile:
    """Return which file of a repository is its primary.xml; raise FetchError where repomd.xml does not say."""
    groups: list[tuple[str, dict[str, Element]]] = []
    for element in elements(data, "repomd.xml"):
        match element.path:
            case ("repomd", "data"):
                groups.append((element.attributes.get("type", ""), {}))
            case ("repomd", "data", name):
                groups[-1][1][name] = element
    own = next((group for kind, group in groups if kind == "primary"), None)
    if own is None:
        raise FetchError("repomd.xml names no primary.xml, so what the repository has is not known")
    location, checksum, size = (own.get(name) for name in ("location", "checksum", "size"))
    if location is None or checksum is None:
        raise FetchError("repomd.xml does not say where primary.xml is, or not its checksum")
    return IndexFile(
        file=_address(location.attributes, "repomd.xml"),
        algorithm=_algorithm(checksum.attributes.get("type", ""), "repomd.xml"),
        checksum=checksum.text.strip().lower(),
        size=int(size.text) if size is not None and size.text.strip().isdigit() else None,
    )


def scan_primary(pieces: Iterable[bytes], wanted: Collection[str]) -> Listing:
    """Return what primary.xml, given in unpacked pieces, lists of the wanted names.

    Raises FetchError where it is no such file, ends early, or is larger than it may be.
    """
    packages, names = [], set()
    for entry in _entries(pieces):
        match = _NAME.search(entry, 0, _NAME_WITHIN)
        name = match.group(1).decode(errors="replace") if match else ""
        if name.startswith("kernel"):
            names.add(name)
        if name in wanted:
            packages.append(_package(entry))
    return Listing(packages=tuple(packages), names=frozenset(names))


def _entries(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the `package` elements of primary.xml, each as it is written."""
    total, begun, kept = 0, False, b""
    for piece in pieces:
        total += len(piece)
        if total > MOST_OPEN:
            raise FetchError(f"primary.xml has more than {MOST_OPEN >> 20} MiB when it is unpacked")
        kept += piece
        at = 0
        while match := _BEGIN.search(kept, at):
            if not begun:
                _check_beginning(kept[: match.start()])
                begun = True
            end = kept.find(_END, match.end())
            if end < 0:
                at = match.start()
                break
            at = end + len(_END)
            yield kept[match.start() : at]
        kept = kept[at:]
        if len(kept) > (MOST_OF_ONE if begun else _BEFORE):
            raise FetchError("primary.xml is not what createrepo_c writes: a package has no end where it must")
    if not begun:
        _check_beginning(kept)
    if b"</metadata>" not in kept and not re.search(rb"<metadata[^>]*/>", kept):
        raise FetchError("primary.xml ends before its last line")


def _check_beginning(data: bytes) -> None:
    if b"<!DOCTYPE" in data:
        raise FetchError("primary.xml is not what createrepo_c writes: it has a document type, so entities")
    if b"<metadata" not in data:
        raise FetchError("primary.xml is not what createrepo_c writes: it does not begin with `metadata`")


def _package(entry: bytes) -> RpmFile:
    """Return the package of an entry; raise FetchError where something is missing in it."""
    own = {each.path[1]: each for each in elements(entry, "primary.xml", last="format") if len(each.path) == 2}
    try:
        name = own["name"].text.strip()
        version, checksum = own["version"].attributes, own["checksum"]
        number = f"{version['ver']}-{version['rel']}"
        epoch = version.get("epoch", "0")
        return RpmFile(
            name=name,
            version=number if epoch in ("", "0") else f"{int(epoch)}:{number}",
            arch=own["arch"].text.strip(),
            file=_address(own["location"].attributes, f"primary.xml ({name})"),
            algorithm=_algorithm(checksum.attributes.get("type", ""), f"primary.xml ({name})"),
            checksum=checksum.text.strip().lower(),
            size=int(own["size"].attributes["package"]),
        )
    except (KeyError, ValueError) as error:
        raise FetchError(
            f"primary.xml is not what createrepo_c writes: the entry of a package cannot be used: {error}"
        ) from error


def _address(attributes: Mapping[str, str], where: str) -> str:
    """Return a relative address of a repository. It may lead upwards; it never names a host of its own."""
    found = attributes.get("href", "")
    elsewhere = attributes.get("xml:base") or urlsplit(found).scheme or urlsplit(found).netloc or found.startswith("/")
    if elsewhere or not _RELATIVE.fullmatch(found):
        raise FetchError(f"{where} names a file outside of the repository: {attributes.get('xml:base', '')}{found!r}")
    return found


def _algorithm(name: str, where: str) -> Algorithm:
    found = next((each for each in ALGORITHMS if each == name), None)
    if found is None:
        raise FetchError(f"{where} has a checksum of the kind {name or '(none)'}; it must be {' or '.join(ALGORITHMS)}")
    return found
