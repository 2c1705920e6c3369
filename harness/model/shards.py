"""A part of a run: one of the shards that a plan was split into, with what says which plan that was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Shard:
    """Which part of a larger run a run is.

    `index` counts from 1 to `count`. `plan` is the hash of what was split, and how; `lock` is that of the lock, ""
    where there is none: shards of one run have both in common. `rows` (the architecture by the row's name) and `cases`
    (the title by the id) are those of the whole, in the order of its grid.
    """

    index: int
    count: int
    plan: str
    lock: str
    rows: Mapping[str, str]
    cases: Mapping[str, str]

    @property
    def name(self) -> str:
        """It as a command line names it: `2/5`."""
        return f"{self.index}/{self.count}"
