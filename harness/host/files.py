"""Writing files so that none is ever half there."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def temporary(path: Path) -> Path:
    """Return a name beside `path` under which it can be written before it is renamed."""
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file under another name, then rename it; raise OSError, with nothing left of it."""
    made = temporary(path)
    try:
        with made.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        made.replace(path)
    except BaseException:
        made.unlink(missing_ok=True)
        raise
