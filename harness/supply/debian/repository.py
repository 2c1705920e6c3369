"""Where packages of one suite are: at one address or several, signed with which keys; what its Release file says."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError
from harness.supply.debian.mirrors import ENVIRONMENT, Mirrors

DATE = "{date}"
"""What an address has in the place of the date of a snapshot archive."""

_ADDRESS = re.compile(r"^(https?|file)://")


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of apt's sources: a suite at one address.

    `keyring` is the file with the keys that may sign it, None for those that apt trusts by itself; with `unsigned` no
    signature is asked for. `dated` says whether it is a snapshot, whose Release file may have expired long ago; without
    a word of it the host's own apt.conf decides.
    """

    address: str
    suite: str
    components: tuple[str, ...] = ("main",)
    keyring: Path | None = None
    unsigned: bool = False
    dated: bool | None = None

    def text(self, keyring: Path | None) -> str:
        """Return the line as apt reads it, with the keys in the file `keyring`."""
        options = [f"signed-by={keyring}"] if keyring is not None else []
        options += ["trusted=yes"] if self.unsigned else []
        head = ["deb", *([f"[{' '.join(options)}]"] if options else [])]
        return " ".join([*head, self.address, self.suite, *self.components])

    def checks(self) -> str:
        """Return apt's configuration of what is checked of the age of a Release file; "" where the host's holds.

        Without Check-Date apt does not look at Valid-Until either (apt.conf(5)).
        """
        if self.dated is None:
            return ""
        until = "false" if self.dated else "true"
        return f'Acquire::Check-Date "true";\nAcquire::Check-Valid-Until "{until}";\n'


@dataclass(frozen=True, kw_only=True)
class Release:
    """What the Release file of a suite says of it; empty where it does not say."""

    origin: str = ""
    architectures: tuple[str, ...] = ()
    components: tuple[str, ...] = ()


def parse_release(text: str) -> Release:
    """Read a Release or InRelease file: the fields of `Release`. A folder of its components counts as the last part."""
    found = dict(re.findall(r"^(Origin|Architectures|Components):[ \t]*(.*?)[ \t]*$", text, re.MULTILINE))
    return Release(
        origin=found.get("Origin", ""),
        architectures=tuple(found.get("Architectures", "").split()),
        components=tuple(each.rpartition("/")[2] for each in found.get("Components", "").split()),
    )


def variable_of(name: str) -> str:
    """Return the environment variable that says where a mirror of the matrix is, in place of the matrix."""
    return ENVIRONMENT.get(name, f"BPFMATRIX_{name.upper().replace('-', '_')}_MIRROR")


def known_names(
    named: Mapping[str, Sequence[str]], environment: Mapping[str, str] = os.environ
) -> Callable[[str], bool]:
    """Return what says whether a word of `uris` is an address, or the name of a mirror that somebody gives one.

    `named` are the mirrors of the matrix. Those of Debian's own archives may come from the host, so they are known.
    """
    return lambda word: bool(
        _ADDRESS.match(word) or word in named or word in ENVIRONMENT or environment.get(variable_of(word))
    )


def addresses(
    words: Sequence[str],
    *,
    named: Mapping[str, Sequence[str]],
    mirrors: Callable[[], Mirrors],
    date: str | None = None,
    environment: Mapping[str, str] = os.environ,
) -> tuple[str, ...]:
    """Return the addresses that `uris` stands for, in order, no slash at their ends.

    A name stands for its environment variable (addresses with spaces between them), else for the mirrors of the matrix
    (`named`), else for a mirror of Debian's own archives. `date` is put into the place of {date}. Raises ConfigError
    where nobody has an address for a name, MirrorError where Debian's mirrors are not known.
    """
    found: list[str] = []
    for word in words:
        if _ADDRESS.match(word):
            found.append(word)
        elif given := environment.get(variable_of(word)):
            found += given.split()
        elif word in named:
            found += named[word]
        elif word in ENVIRONMENT:
            found.append(mirrors().base(word))
        else:
            raise ConfigError(unknown_name(word))
    return tuple(dict.fromkeys(address.replace(DATE, date or DATE).rstrip("/") for address in found))


def unknown_name(word: str) -> str:
    """Return what is to be said of a name in `uris` that nobody has an address for."""
    return (
        f'"{word}" is no address, and no mirror has that name: write `mirrors: {{others: {{{word}: http://...}}}}` '
        f"in matrix.yaml, or set {variable_of(word)}"
    )
