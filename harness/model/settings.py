"""What a guest gets of its host."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Deadlines:
    """Seconds that a guest may take for each phase. Each deadline names itself when it passes."""

    boot: float = 60.0
    case: float = 30.0
    shutdown: float = 10.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What one kernel's guest gets: memory in MiB, processors, deadlines in seconds."""

    memory: int
    cpus: int
    deadlines: Deadlines
