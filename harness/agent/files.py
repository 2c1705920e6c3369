"""Text of small files and of large ones."""

from __future__ import annotations

import os

TEXT_LIMIT = 32 * 1024


def read_text(path: str) -> str | None:
    """Return a small file's text without white space at its ends, or None where it cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return os.read(fd, TEXT_LIMIT).decode(errors="replace").strip()
    except OSError:
        return None
    finally:
        os.close(fd)


def read_whole(path: str) -> str:
    """Return a file's text, however long it is; nothing where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def write_text(path: str, text: str) -> None:
    """Write a text into a file that is there, at once; OSError where the kernel refuses it."""
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
