"""How far a run is, in one line, and how long it may still take. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

MOST_NAMED = 4
"""So many rows are named that are under way at once."""


@dataclass(frozen=True, kw_only=True)
class At:
    """What a row is at, and since when, by the clock of the run."""

    text: str
    since: float


def line_of(
    rows: Sequence[str],
    states: Mapping[str, At],
    done: Collection[str],
    *,
    now: float,
    begun: float,
    left: float | None,
) -> str:
    """Return a line about a run that began at `begun`: how much is done, how long it may take, what is under way.

    `left` are the seconds that it may still take, None where nobody knows.
    """
    busy = [row for row in rows if row in states and row not in done]
    waiting = len(rows) - len(busy) - len(done)
    named = [f"{row} {states[row].text} {span(now - states[row].since)}" for row in busy[:MOST_NAMED]]
    if len(busy) > MOST_NAMED:
        named.append(f"{len(busy) - MOST_NAMED} more are under way")
    if waiting:
        named.append(f"{waiting} {'waits' if waiting == 1 else 'wait'}")
    head = f"{len(done)} of {len(rows)} {'kernel' if len(rows) == 1 else 'kernels'} done after {span(now - begun)}"
    return ": ".join(part for part in (f"{head}{promise(left)}", "; ".join(named)) if part)


def promise(left: float | None) -> str:
    """Return a clause about the seconds that are left; "" where nobody knows."""
    if left is None:
        return ""
    return ", about a minute left" if left < 90 else f", about {round(left / 60)} min left"


def span(seconds: float) -> str:
    """Return a span of time as a reader wants it: `14 s`, `3 min 20 s`, `1 h 05 min`."""
    whole = max(0, round(seconds))
    if whole < 100:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def seconds_left(
    expected: Mapping[str, float],
    *,
    took: Mapping[str, float],
    busy: Mapping[str, float],
    waiting: Sequence[str],
    jobs: int,
) -> float | None:
    """Return how many seconds a run may still take, None where that would be a guess.

    `expected` is what earlier runs took by row, `took` what the rows that are over took now, `busy` for how long each
    other one has been under way. How much slower this run is than the earlier ones, its own finished rows say: before
    the first of them, and where one of the others was never seen, nothing is promised.
    """
    known = [row for row in took if row in expected]
    usual = sum(expected[row] for row in known)
    if not usual or any(row not in expected for row in (*busy, *waiting)):
        return None
    scale = sum(took[row] for row in known) / usual
    loads = [max(0.0, expected[row] * scale - since) for row, since in busy.items()]
    loads += [0.0] * max(0, jobs - len(loads))
    for row in waiting:
        loads[loads.index(min(loads))] += expected[row] * scale
    return max(loads, default=0.0)


def shown_rows(
    rows: Sequence[str], states: Mapping[str, At], done: Collection[str], *, room: int
) -> tuple[list[str], int]:
    """Return which rows a table of so many lines shows, in their order, and how many it leaves out.

    Those under way come first, then those that were over last, then those that wait.
    """
    if len(rows) <= room:
        return list(rows), 0
    busy = [row for row in rows if row in states and row not in done]
    over = sorted((row for row in rows if row in done), key=lambda row: -states[row].since if row in states else 0.0)
    waiting = [row for row in rows if row not in states and row not in done]
    kept = {*[*busy, *over, *waiting][: max(1, room)]}
    return [row for row in rows if row in kept], len(rows) - len(kept)
