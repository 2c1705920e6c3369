"""Makes text from a guest fit for a report: cleaned of terminal escapes and control characters, and bounded.

The guest's console, its kernel log and the verifier's log hold whatever the guest wrote. All renderers pass
such text through here; escaping for their own format (XML, HTML, Markdown) is theirs.
"""

from __future__ import annotations

import re
from collections.abc import Callable

SHORTEST_LIMIT = 80
"""The least limit that leaves room for the mark of a cut and something around it."""

ONE_LINE_LIMIT = 400
"""Characters of a text that must stay on one line: a reason, a name, a table cell."""

# ECMA-48: a CSI sequence (also as one 8-bit character), a string sequence (OSC, DCS, SOS, PM, APC) up to its
# terminator, an escape with intermediate bytes, a two-character escape.
_ESCAPES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)"
    r"|\x1b[ -/]+[0-~]"
    r"|\x1b[0-~]"
)
_ODD = re.compile(r"[^\t\n -~]")
"""What a text may have that is not shown as it is."""
_LINE_ENDS = re.compile(r"\r*\n|\r+")
_SURROGATES = re.compile("[\ud800-\udfff]")
_REPLACEMENT = "\ufffd"


def _replacements() -> dict[int, str]:
    """Return what a report has in place of each character that must not: one character each."""
    table = {code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n"}
    table[0x7F] = "\u2421"
    hidden = [
        *range(0x80, 0xA0),  # C1 controls
        *range(0xD800, 0xE000),  # surrogates: no characters, and UTF-8 refuses them
        *range(0xFDD0, 0xFDF0),  # noncharacters; U+FFFE and U+FFFF are no XML characters either
        *(plane * 0x10000 + last for plane in range(17) for last in (0xFFFE, 0xFFFF)),
        *range(0x202A, 0x202F),  # direction overrides reorder a line for its reader
        *range(0x2066, 0x206A),
    ]
    table.update(dict.fromkeys(hidden, _REPLACEMENT))
    table.update({0x2028: "\n", 0x2029: "\n"})
    return table


_REPLACEMENTS = _replacements()


def clean(text: str) -> str:
    """Return `text` without terminal escapes and with every control character replaced by a visible one.

    Newline and tab stay; all line ends become newlines. The result is never longer than `text`, and holds
    only characters that XML 1.0 allows.
    """
    if not _ODD.search(text):
        return text  # nearly all are such, and reports have hundreds of thousands
    return _LINE_ENDS.sub("\n", _ESCAPES.sub("", text)).translate(_REPLACEMENTS)


def without_surrogates(text: str) -> str:
    """Return `text` with each lone surrogate replaced by U+FFFD, so that UTF-8 and JSON can carry it."""
    return _SURROGATES.sub(_REPLACEMENT, text)


def _same(text: str) -> str:
    return text


def bound(text: str, *, limit: int, separator: str = "\n", each: Callable[[str], str] = _same) -> str:
    """Return `text` in at most `limit` characters: its head, a mark saying how much was cut, its tail.

    The tail gets twice the room of the head, since the verifier and a dying kernel say the cause last.
    `separator` is on both sides of the mark. `each` is applied to the text, or to the head and the tail
    of a text that is cut, and must not lengthen it. Raises ValueError for a limit under `SHORTEST_LIMIT`.
    """
    if limit < SHORTEST_LIMIT:
        raise ValueError(f"a limit of {limit} characters leaves no room for the mark of a cut")
    if len(text) <= limit:
        return each(text)
    room = limit - len(_mark(len(text), separator))
    head = room // 3
    tail = room - head
    return each(text[:head]) + _mark(len(text) - head - tail, separator) + each(text[-tail:])


def _mark(cut: int, separator: str) -> str:
    return f"{separator}[... {cut} characters cut ...]{separator}"


def block(text: str, *, limit: int) -> str:
    """Return `text` cleaned, in at most `limit` characters, for a place that holds many lines."""
    return bound(text, limit=limit, each=clean)


def one_line(text: str, *, limit: int = ONE_LINE_LIMIT) -> str:
    """Return `text` cleaned, in at most `limit` characters, with every run of white space as one space."""
    return " ".join(bound(text, limit=limit, separator=" ", each=clean).split())
