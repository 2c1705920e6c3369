"""What a command does first, so that it starts fast: each setting is that of the whole process."""

from __future__ import annotations

import gc
import sys

GARBAGE_THRESHOLD = 100_000
"""Objects after which Python looks for garbage. Nearly all that a command makes while it loads stays to its end;
looking through it every 700 objects finds nothing."""

SWITCH_SECONDS = 0.001
"""So long another thread may keep a guest's waiting, at every answer and every block that is hashed."""


def prepare() -> None:
    """Set up the process of a command.

    Invoke forbids bytecode files to all that it runs, and then the harness is compiled again at every start. What the
    user says (python -B, PYTHONDONTWRITEBYTECODE) still holds.
    """
    sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)
    gc.set_threshold(GARBAGE_THRESHOLD)
    sys.setswitchinterval(SWITCH_SECONDS)
