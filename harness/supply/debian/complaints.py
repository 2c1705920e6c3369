"""What apt's words mean: one sentence for each way in which an index or a package cannot be had. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

UNREACHABLE = re.compile(
    r"Could not (?:connect|resolve)|Cannot initiate the connection|Temporary failure|timed out|Unable to connect"
    r"|Something wicked happened|Connection failed|did not end within"
)
"""What apt's transports say where no connection comes about, or nobody answers (methods/connect.cc of apt)."""

OTHER_FILE = re.compile(r"Hash Sum mismatch|unexpected size|Mirror sync in progress")
"""What apt says of a file that is not the one that was named to it."""

GONE = re.compile(r"\s404\s|\s410\s|File not found|No such file")


@dataclass(frozen=True)
class Meaning:
    """What apt's output comes to, as a clause (`why`), and what its reader can do, as a sentence."""

    why: str
    advice: str = ""


_MEANINGS = (
    (
        r"NO_PUBKEY|KEYEXPIRED|EXPKEYSIG|REVKEYSIG|BADSIG|couldn't be verified|is not signed|signatures were invalid"
        r"|Clearsigned file isn't valid",
        Meaning(
            "its signature is missing, or is not of a key in the keyring",
            "Is `keyring` the file with this repository's own keys, as its owner publishes them today? If it is "
            "right, somebody has changed the repository: use another mirror.",
        ),
    ),
    (
        r"is expired|no longer valid",
        Meaning(
            "its Release file has expired: it is a mirror that nobody updates, or a snapshot",
            "Use a mirror that is updated; for a snapshot archive say its day, `date:`.",
        ),
    ),
    (
        r"is not valid yet",
        Meaning("its Release file is from the future", "Is the clock of this machine right?"),
    ),
    (
        r"timed out|did not end within|Connection failed",
        Meaning("it did not answer in time", "Try again, or put another address before it into `uris`."),
    ),
    (
        UNREACHABLE.pattern,
        Meaning("it cannot be reached", "Is the address right, and does this machine reach it (network, proxy)?"),
    ),
    (
        OTHER_FILE.pattern,
        Meaning(
            "its files are not those that its own index names: damaged, or in the middle of an update",
            "Try again later, or use another mirror.",
        ),
    ),
    (
        r"does not have a Release file|/(?:In)?Release\b.*(?:404|File not found)",
        Meaning("it has no such suite", "Below the address there must be dists/SUITE: are `uris` and `suite` right?"),
    ),
    (
        GONE.pattern,
        Meaning("it does not have a file that its index names", "Try again later, or use another mirror."),
    ),
)
"""Patterns of apt's output, and what it comes to; the first that fits counts."""

_TROUBLE = re.compile(
    r"^E: |^W: Failed to fetch |^W: An error occurred during the signature verification|^W: GPG error", re.MULTILINE
)


def meaning_of(text: str) -> Meaning | None:
    """Return what apt's output comes to, None where no row fits."""
    return next((meaning for pattern, meaning in _MEANINGS if re.search(pattern, text)), None)


def in_trouble(text: str) -> bool:
    """Say whether `apt-get update` could not have an index whole; it may keep to an old one, and end well."""
    return bool(_TROUBLE.search(text))


def errors_of(text: str) -> str:
    """Return the lines of apt's errors and warnings, indented, without those that say nothing."""
    lines = (line for line in text.splitlines() if line.startswith(("E:", "W:", "  ")))
    useful = [line.strip() for line in lines if "Download Failed" not in line]
    return "\n".join(f"  {line}" for line in useful[:12])


def explained(text: str, *, what: str) -> str:
    """Return what apt's output comes to: why, or `what` has failed; apt's own lines; what can be done about it."""
    meaning, lines = meaning_of(text), errors_of(text) or f"  {text.strip()}"
    first = meaning.why if meaning else f"{what}: {lines.splitlines()[0].strip()}"
    return "\n".join([f"{first}:", lines, *([f"  {meaning.advice}"] if meaning and meaning.advice else [])])


def in_short(text: str) -> str:
    """Return the first line of what `explained` gave."""
    return text.partition("\n")[0].rstrip(":")
