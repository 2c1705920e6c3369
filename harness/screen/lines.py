"""Lines on a terminal: none is broken within a word, and what is to be copied is never broken."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Mapping
from typing import TextIO

from rich.console import Console
from rich.text import Text

NOT_A_TERMINAL = 200
"""Columns where the output goes to a file or a pipe: wide enough that nothing is wrapped."""
NARROWEST = 20
"""A terminal with fewer columns gets lines of this width."""


def make_console(
    *, stderr: bool = False, stream: TextIO | None = None, environ: Mapping[str, str] | None = None
) -> Console:
    """Return the console of a command: as wide as the terminal, and wide where there is none.

    Where there is none, FORCE_COLOR or CLICOLOR_FORCE bring colours, but nothing that is drawn over. NO_COLOR is
    stronger than these. On a dumb terminal there is neither. `stream` and `environ` are the process's by default.
    """
    file = stream or (sys.stderr if stderr else sys.stdout)
    known = dict(os.environ if environ is None else environ)
    dumb = known.get("TERM", "").lower() in ("dumb", "unknown")
    if file.isatty():
        # rich takes a dumb terminal for one of 80 columns, whatever it has.
        columns, lines = shutil.get_terminal_size() if dumb else (None, None)
        return Console(file=file, highlight=False, soft_wrap=True, width=columns, height=lines, _environ=known)
    forced = bool(known.get("FORCE_COLOR")) or known.get("CLICOLOR_FORCE", "0") not in ("", "0")
    coloured = forced and not dumb and not known.get("NO_COLOR")
    return Console(
        file=file,
        highlight=False,
        soft_wrap=True,
        width=NOT_A_TERMINAL,
        force_terminal=coloured,
        force_interactive=False,
        color_system="standard" if coloured else None,
        _environ=known,
    )


def print_text(console: Console, text: str, *, style: str = "", indent: int = 0, whole: bool = False) -> None:
    """Print a text; on a terminal it is wrapped between words, each further line `indent` columns in.

    With `whole` nothing is wrapped, so that a command can be copied.
    """
    lines = [text]
    if console.is_terminal and not whole:
        lines = [part for line in text.split("\n") for part in wrapped(line, width=console.width, indent=indent)]
    for line in lines:
        console.print(Text(printable(line), style=style), soft_wrap=True)


def wrapped(line: str, *, width: int, indent: int = 0) -> list[str]:
    """Return a line as several that are no wider than a terminal, as far as its words allow."""
    if len(line) <= width:
        return [line]
    own = len(line) - len(line.lstrip(" "))
    found = textwrap.wrap(
        line.strip(" "),
        width=max(NARROWEST, width),
        initial_indent=" " * own,
        subsequent_indent=" " * (max(own, indent) if indent < width // 2 else own),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return found or [line]


def printable(text: str) -> str:
    """Return a text without the control characters that a terminal would obey; newlines and tabs stay."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "\N{REPLACEMENT CHARACTER}" for sign in text)
