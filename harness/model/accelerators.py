"""The accelerators that a user can name."""

from __future__ import annotations

from harness.errors import UsageError

ACCELERATORS = ("auto", "kvm", "tcg")


def check_accelerator(word: str | None) -> None:
    """Raise UsageError where a word of the command line names no accelerator; None leaves the choice to the matrix."""
    if word is not None and word not in ACCELERATORS:
        raise UsageError(f'--accel takes {", ".join(ACCELERATORS)}; got "{word}"')
