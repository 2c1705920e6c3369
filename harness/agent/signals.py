"""Signals by number and name."""

from __future__ import annotations

SIGKILL = 9


def signal_name(number: int) -> str:
    """Return the name of a signal; one of those for real-time programs is counted from the first of them."""
    import signal  # noqa: PLC0415  (a twentieth of the agent's start, and hardly ever needed)

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIGRTMIN+{number - 34}"
