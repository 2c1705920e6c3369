"""How messages name our commands: as the user calls them, in a checkout and where bpfmatrix is installed."""

from __future__ import annotations

from harness.host import package_data


def command(words: str) -> str:
    """Return a command of bpfmatrix as the user types it: `words` are its name and options."""
    return f"./run {words}" if package_data.is_checkout() else f"bpfmatrix {words}"
