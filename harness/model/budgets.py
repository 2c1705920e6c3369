"""A budget: how large what is measured of a program may be, on any kernel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.model.measures import INSTRUCTIONS, JITED, PEAK_STATES

MEASURE_OF = {"max-insns": INSTRUCTIONS, "max-states": PEAK_STATES, "max-jited-size": JITED}
"""The measure (measures.py) of each key of a budget."""
CALLED = {
    INSTRUCTIONS: "verified instructions",
    PEAK_STATES: "states of the verifier at a time",
    JITED: "bytes of machine code",
}
"""What a sentence calls the measures that have a budget."""


@dataclass(frozen=True, kw_only=True)
class Most:
    """At most this number; or, of instructions, at most so many percent of the limit that the kernel itself has."""

    number: int | None = None
    percent: float | None = None


Budget = Mapping[str, Most]
"""What programs may need at most, by measure (measures.py)."""


def joined(general: Budget, own: Budget) -> dict[str, Most]:
    """Return a budget for all with one's own in its place, measure by measure."""
    return {**general, **own}
