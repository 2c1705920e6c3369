"""The files that a release carries, made of one report; and what is wrong with such files. Pure.

All of them follow from report.json, byte for byte (but for how zlib packs a text), and from what provenance.json says
of where they were made. So whoever has a bundle can make it again and compare.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.answers.support import support
from harness.errors import EXIT_UNEXPECTED, EXIT_USAGE, ConfigError
from harness.model import exit_codes
from harness.model.results import Report
from harness.reports import json_report, notes, provenance, support_page
from harness.reports.provenance import Made
from harness.reports.writer import RENDERERS

REPORT, PROVENANCE, SUMS = "report.json", "provenance.json", "sha256sums"
MOST_UNPACKED = 1 << 26
"""Bytes that are unpacked of one pack of a page."""
_PACK = re.compile(rb"[A-Za-z0-9+/]{16,}={0,2}")

MADE_OF_SUPPORT = ("support.md", "support.json", "badge.svg", "badge.json", "notes.md")
FILES = (*RENDERERS, *MADE_OF_SUPPORT, PROVENANCE, SUMS)
"""The files of a bundle, in its order."""


@dataclass(frozen=True, kw_only=True)
class Problem:
    """What is wrong with a file of a bundle, as a sentence without its name; `code` is the exit code that it means."""

    file: str
    text: str
    code: int = EXIT_UNEXPECTED

    def __str__(self) -> str:
        return f"{self.file}: {self.text}"


def bundle(report: Report, made: Made) -> dict[str, bytes]:
    """Return the files of a release by name: the same bytes for the same report, made in the same place."""
    text = json_report.render(report)
    report = json_report.parse(text)
    files = {REPORT: text.encode(), **_following(report, made)}
    return {**files, **_sealing(report, made, files)}


def _following(report: Report, made: Made) -> dict[str, bytes]:
    """Return the files that follow from the report as report.json has it."""
    seen = support([report])
    badge = support([report], cases=frozenset(made.badge)) if made.badge else seen
    return {
        **{name: render(report).encode() for name, render in RENDERERS.items() if name != REPORT},
        "support.md": support_page.markdown(seen).encode(),
        "support.json": support_page.as_json(seen).encode(),
        "badge.svg": support_page.badge_svg(badge).encode(),
        "badge.json": support_page.endpoint(badge).encode(),
        "notes.md": notes.render(report, seen).encode(),
    }


def _sealing(report: Report, made: Made, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the two files that name the others, with their sha256."""
    digests = {name: sha256(files[name]) for name in FILES if name not in (PROVENANCE, SUMS)}
    proven = provenance.statement(report, made, subjects=digests).encode()
    return {PROVENANCE: proven, SUMS: sums_of({**digests, PROVENANCE: sha256(proven)}).encode()}


def sha256(content: bytes) -> str:
    """Return the sha256 of a file as hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def sums_of(digests: Mapping[str, str]) -> str:
    """Return the sha256 of files as `sha256sum --check` reads them."""
    return "".join(f"{digest}  {name}\n" for name, digest in digests.items())


def problems(files: Mapping[str, bytes], made_by: str) -> tuple[Problem, ...]:
    """Return what is wrong with the files of a bundle, () where nothing is; `made_by` says which bpfmatrix looks.

    Where files are missing, changed or too many, that is said; only of a bundle that is whole is everything made again
    from its report.json and compared.
    """
    return tuple(_of_sums(files)) or tuple(_of_contents(files, made_by))


def exit_code(found: tuple[Problem, ...]) -> int:
    """Return the exit code that some problems ask for; 0 for none."""
    return exit_codes.worst(problem.code for problem in found)


def _of_sums(files: Mapping[str, bytes]) -> Iterator[Problem]:
    try:
        listed = _listed(files)
    except ConfigError as error:
        yield Problem(file=SUMS, text=str(error), code=EXIT_USAGE)
        return
    for name in FILES:
        if name not in files:
            yield Problem(file=name, text="it is missing; download the bundle again")
        elif name != SUMS and name not in listed:
            yield Problem(file=name, text=f"{SUMS} does not name it, as it does in every bundle; get the bundle again")
        elif name != SUMS and sha256(files[name]) != listed[name]:
            yield Problem(
                file=name,
                text=f"its sha256 is {sha256(files[name])}, and {SUMS} has {listed[name]}: it was damaged or changed; "
                "download it again",
            )
    for name in files:
        if name not in FILES:
            yield Problem(file=name, text="no bundle has such a file; take it away, and do not trust it")


def without_packs(content: bytes) -> bytes:
    """Return a file with the sha256 of what is packed in it (raw DEFLATE in base64) in place of it.

    Two builds of zlib may pack the same text in other bytes. What says nothing when it is unpacked stays as it is.
    """
    return _PACK.sub(lambda match: _digest_of(match[0]), content)


def _digest_of(pack: bytes) -> bytes:
    try:
        inflating = zlib.decompressobj(-zlib.MAX_WBITS)
        text = inflating.decompress(base64.b64decode(pack, validate=True), MOST_UNPACKED)
    except (ValueError, zlib.error):
        return pack
    return sha256(text).encode() if inflating.eof and not inflating.unused_data else pack


def _listed(files: Mapping[str, bytes]) -> dict[str, str]:
    """Return the sha256 by file that a bundle lists; raise ConfigError where it does not."""
    if SUMS not in files:
        raise ConfigError("it is missing, so this is no bundle; name the folder or the .tar.gz of a release")
    found: dict[str, str] = {}
    for number, line in enumerate(files[SUMS].decode(errors="replace").splitlines(), start=1):
        digest, _, name = line.partition("  ")
        if len(digest) != 64 or not name or name in found:
            raise ConfigError(f"line {number} is no sha256 and name of a file; download it again")
        found[name] = digest
    return found


def _of_contents(files: Mapping[str, bytes], made_by: str) -> Iterator[Problem]:
    try:
        made, subjects = provenance.read(files[PROVENANCE].decode(errors="replace"), name="it")
    except ConfigError as error:
        yield Problem(file=PROVENANCE, text=f"{error}; get the bundle again, from who made it", code=EXIT_USAGE)
        return
    for name in sorted(subjects.keys() | (files.keys() - {PROVENANCE, SUMS})):
        if name not in files or subjects.get(name) != sha256(files[name]):
            yield Problem(
                file=PROVENANCE,
                text=f"it does not speak of this {name}: one of them was exchanged; get the bundle again",
            )
            return
    text = files[REPORT].decode(errors="replace")
    try:
        report = json_report.parse(text, name=REPORT)
    except ConfigError as error:
        yield Problem(file=REPORT, text=str(error).removeprefix(f"{REPORT}: "), code=EXIT_USAGE)
        return
    again = {REPORT: json_report.render(report).encode(), **_following(report, made), **_sealing(report, made, files)}
    for name in FILES:
        if files[name] != again[name] and without_packs(files[name]) != without_packs(again[name]):
            yield Problem(
                file=name,
                text=f"it is not what follows from {REPORT}: it was changed by hand, or another bpfmatrix made it "
                f"(bpfmatrix {made.version}; this is {made_by}). Verify with that one before you trust it",
            )
