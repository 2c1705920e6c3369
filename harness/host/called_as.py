"""How messages name our commands: as the user calls them, in a checkout and where bpfmatrix is installed."""

from __future__ import annotations

from harness.host import package_data


def command(line: str) -> str:
    """Return a command of bpfmatrix as the user types it: `line` is its name and its options."""
    return f"./run {line}" if package_data.is_checkout() else f"bpfmatrix {line}"
