"""Which shard of a run has which cells: a pure function of the plan and of given seconds.

So all shards of a run agree, on whatever machines they run, without a word to each other. A shard is a grid of its own:
some whole rows, or, where one row is more than a shard's share, some cases of that row alone; each such part of it
costs a guest of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from harness.errors import UsageError
from harness.model.architectures import ARCHITECTURES
from harness.model.phases import Phase
from harness.model.results import Report

CASE_SECONDS = 0.25
"""What a case takes where nothing else is known (measured: 0.15 to 0.28 on the mean of each architecture)."""
BY_ARCH = "arch"
BY = (BY_ARCH,)
"""What the rows of a shard can have in common."""
MOST_SHARDS = 1000
"""More than this is a mistake: no CI has so many jobs."""


@dataclass(frozen=True, kw_only=True)
class RowCost:
    """A row that is to be split: its architecture, and the milliseconds of its guest's start and of each case.

    They are integers, so that they add up to the same on every machine. `recorded` says that an earlier run had it.
    """

    name: str
    arch: str
    guest: int
    cases: Mapping[str, int]
    recorded: bool = False

    @property
    def whole(self) -> int:
        """Milliseconds of the whole row."""
        return self.guest + sum(self.cases.values())


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one shard has: every one of its rows with every one of its cases; and what that takes, in milliseconds."""

    rows: tuple[str, ...] = ()
    cases: tuple[str, ...] = ()
    cost: int = 0


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """What earlier runs took, in seconds: the start of each row's guests, and each of its cases."""

    guests: Mapping[str, float] = field(default_factory=dict)
    cases: Mapping[tuple[str, str], float] = field(default_factory=dict)
    arches: Mapping[str, str] = field(default_factory=dict)


def recorded(reports: Iterable[Report]) -> Recorded:
    """Return what some runs took; of a cell in several of them the newest run counts, whatever their order is.

    A case that had a guest of its own costs that guest's start, too.
    """
    guests: dict[str, float] = {}
    cases: dict[tuple[str, str], float] = {}
    arches: dict[str, str] = {}
    for report in sorted(reports, key=lambda report: (report.run.started, report.run.id)):
        for kernel in report.kernels:
            if not kernel.boots or Phase.TOTAL not in kernel.seconds:
                continue
            ran = [cell for cell in report.cells if cell.kernel == kernel.name and cell.outcome.seconds is not None]
            total = kernel.seconds[Phase.TOTAL] - kernel.seconds.get(Phase.FETCH, 0.0)
            starts = max(0.0, total - sum(cell.outcome.seconds or 0.0 for cell in ran))
            of_guest = starts / kernel.boots
            own = {cell.case: (cell.outcome.seconds or 0.0) + of_guest * cell.isolated for cell in ran}
            cases |= {(kernel.name, case): seconds for case, seconds in own.items()}
            guests[kernel.name] = max(of_guest, total - sum(own.values()))
            arches[kernel.name] = kernel.arch
    return Recorded(guests=guests, cases=cases, arches=arches)


def costs(rows: Mapping[str, str], cases: Sequence[str], known: Recorded) -> tuple[RowCost, ...]:
    """Return what each row takes that has these cases, from the architecture of each by its name.

    A row that is not known takes what the known ones of its architecture take on the mean, and without any what the
    table of architectures says; so does a case.
    """
    usual = {arch: _usual(arch, known) for arch in set(rows.values())}
    found = []
    for name, arch in rows.items():
        guest, of_cases, every = usual[arch]
        seconds = {case: known.cases.get((name, case), of_cases.get(case, every)) for case in cases}
        found.append(
            RowCost(
                name=name,
                arch=arch,
                guest=_milliseconds(known.guests.get(name, guest)),
                cases={case: _milliseconds(each) for case, each in seconds.items()},
                recorded=name in known.guests,
            )
        )
    return tuple(found)


def _usual(arch: str, known: Recorded) -> tuple[float, dict[str, float], float]:
    """Return what a guest, each known case and any other case takes on the mean on an architecture."""
    alike = [name for name, its in known.arches.items() if its == arch]
    by_case: dict[str, list[float]] = {}
    for (row, case), seconds in known.cases.items():
        if known.arches[row] == arch:
            by_case.setdefault(case, []).append(seconds)
    every = [seconds for of_case in by_case.values() for seconds in of_case]
    return (
        _mean([known.guests[name] for name in alike], ARCHITECTURES[arch].guest_seconds),
        {case: fmean(of_case) for case, of_case in by_case.items()},
        _mean(every, CASE_SECONDS),
    )


def _mean(seconds: Sequence[float], default: float) -> float:
    return fmean(seconds) if seconds else default


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))


def split(rows: Sequence[RowCost], count: int, *, by: str = "") -> tuple[Part, ...]:
    """Return `count` shards in which each row x case is once; the last ones are empty where there is not so much.

    With `by` "arch" each shard has rows of one architecture only, and each architecture as many shards as its rows'
    time asks for, those of the first one first. Raises UsageError where there are fewer shards than architectures.
    """
    if by not in ("", *BY):
        raise UsageError(f'--by takes {" or ".join(BY)}; got "{by}"')
    if not 1 <= count <= MOST_SHARDS:
        raise UsageError(f"a run has 1 to {MOST_SHARDS} shards; got {count}")
    if not by:
        return _split(rows, count)
    groups: dict[str, list[RowCost]] = {}
    for row in rows:
        groups.setdefault(row.arch, []).append(row)
    if count < len(groups):
        raise UsageError(
            f"{count} shards are too few for {len(groups)} architectures ({', '.join(groups)}) with --by arch, which "
            f"gives each its own; ask for at least {len(groups)}"
        )
    counts = dict.fromkeys(groups, 1)
    for _ in range(count - sum(counts.values())):
        most = max(groups, key=lambda arch: sum(row.whole for row in groups[arch]) / counts[arch], default="")
        counts[most] = counts.get(most, 0) + 1
    return tuple(part for arch, number in counts.items() for part in _split(groups.get(arch, []), number))


def _split(rows: Sequence[RowCost], count: int) -> tuple[Part, ...]:
    """Return the shards of some rows: whole rows first, then the one that takes longest in parts while that helps."""
    share = sum(row.whole for row in rows) // count
    pieces = dict.fromkeys((row.name for row in rows), 1)
    best = _packed(rows, pieces, count)
    assert best is not None
    by_name = {row.name: row for row in rows}
    while True:
        longest = max(best, key=lambda part: part.cost)
        row = by_name.get(longest.rows[0]) if len(longest.rows) == 1 else None
        if row is None or row.whole <= share or pieces[row.name] >= len(row.cases):
            return best
        pieces[row.name] += 1
        found = _packed(rows, pieces, count)
        if found is None or _loads(found) >= _loads(best):
            return best
        best = found


def _loads(parts: Iterable[Part]) -> list[int]:
    return sorted((part.cost for part in parts), reverse=True)


def _packed(rows: Sequence[RowCost], pieces: Mapping[str, int], count: int) -> tuple[Part, ...] | None:
    """Return the shards with each row in so many pieces, each alone in its shard; None for too few."""
    alone = [part for row in rows if pieces[row.name] > 1 for part in _pieces(row, pieces[row.name])]
    whole = [row for row in rows if pieces[row.name] == 1]
    if len(alone) + bool(whole) > count:
        return None
    bins: list[list[RowCost]] = [[] for _ in range(count - len(alone))]
    for row in sorted(whole, key=lambda row: -row.whole):
        min(bins, key=lambda each: sum(other.whole for other in each)).append(row)
    place = {row.name: number for number, row in enumerate(rows)}
    packed = [sorted(each, key=lambda row: place[row.name]) for each in bins]
    together = [
        Part(
            rows=tuple(row.name for row in each),
            cases=tuple(each[0].cases) if each else (),
            cost=sum(row.whole for row in each),
        )
        for each in packed
    ]
    return tuple(sorted((*together, *alone), key=lambda part: (not part.rows, [place[row] for row in part.rows])))


def _pieces(row: RowCost, count: int) -> list[Part]:
    """Return a row in so many pieces, its cases in their order; a guest's start is in each."""
    bins: list[list[str]] = [[] for _ in range(count)]
    for case in sorted(row.cases, key=lambda case: -row.cases[case]):
        min(bins, key=lambda each: sum(row.cases[other] for other in each)).append(case)
    place = {case: number for number, case in enumerate(row.cases)}
    found = [
        Part(
            rows=(row.name,),
            cases=tuple(sorted(each, key=place.__getitem__)),
            cost=row.guest + sum(row.cases[case] for case in each),
        )
        for each in bins
    ]
    return sorted(found, key=lambda part: place[part.cases[0]])
