"""Golden files of the reports: `check` compares a text with one, UPDATE_GOLDEN=1 writes it again.

    UPDATE_GOLDEN=1 .venv/bin/pytest tests/unit/reports

Read the difference in git before you commit it.
"""

from __future__ import annotations

import os
from pathlib import Path

GOLDEN = Path(__file__).parent / "golden"


def check(name: str, text: str) -> None:
    """Fail where `text` is not the golden file `name`, byte for byte."""
    path = GOLDEN / name
    content = text.encode()
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    hint = "UPDATE_GOLDEN=1 writes it again"
    assert path.is_file(), f"golden/{name} is missing; {hint}"
    kept = path.read_bytes()
    for number, (new, old) in enumerate(zip(content.split(b"\n"), kept.split(b"\n"), strict=False), start=1):
        assert new == old, f"golden/{name}, line {number}; {hint}"
    assert content == kept, f"golden/{name} has another length; {hint}"
