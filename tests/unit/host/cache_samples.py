"""What makes the entries of a cache in tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class Making:
    """A maker that counts how often it was asked."""

    def __init__(self, **files: bytes) -> None:
        self.files = files or {"file": b"data", "folder/file": b"more"}
        self.times = 0

    def __call__(self, folder: Path) -> dict[str, Any]:
        self.times += 1
        for name, data in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
        return {"made": self.times}
