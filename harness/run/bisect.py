"""Between which two builds of a kernel the answer of a case changes: in about log2(n) boots."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from harness.answers.bisected import Bisected, Tried
from harness.answers.bisection import boundary, called, most_tries, next_build, what_it_is
from harness.answers.seen import Place, Seen, Signature, seen_in, signature_of
from harness.config.matrix import Kernel, Matrix
from harness.errors import BisectError, UsageError
from harness.host import emulators
from harness.host.cache import Cache
from harness.host.called_as import command
from harness.model.results import Report
from harness.run.matrix import run
from harness.run.observer import Observer
from harness.run.options import Options
from harness.run.plan import Plan, PlanRow
from harness.run.prepared import load_plan, prepare
from harness.supply.kernels.tools import tools_of
from harness.supply.supplies import Supplies
from harness.supply.sweeps import expanded, sweep_builds
from harness.supply.unbuilt import UnbuiltCase


@dataclass(frozen=True, kw_only=True)
class Build:
    """One build: the row that stands for it, its version, and what its source pins."""

    row: Kernel
    version: str
    pin: Any


Answers = Callable[[Sequence[Build]], tuple[Sequence[Seen | None], Path]]
"""Runs the case on some builds; gives what was seen on each (None: nothing), and the folder of the run."""


def bisect(
    options: Options,
    *,
    good: str,
    bad: str,
    say: Callable[[str], None],
    showing: Callable[[Sequence[str]], Observer],
    cache: Cache | None = None,
) -> Bisected:
    """Find the two neighbouring builds between which the answer of a case changes.

    `options` name one kernel of the matrix, whose source says which builds there are, and one case. `good` and `bad`
    are versions of two of these builds, whichever is older; "" stands for the oldest and for the newest. A build that
    does not boot, or whose answer is neither that of `good` nor that of `bad`, is passed over. `say` takes what
    happens, `showing` makes the observer of the rows' names.

    Raises UsageError where the options name more than one kernel or case, or no such build, and where both ends have
    the same answer; BisectError where one has none; and whatever listing builds and running a row raises.
    """
    matrix, plan = load_plan(options, sweeps=True)
    if len(plan.kernels) != 1 or len(plan.cases) != 1:
        raise UsageError(
            f"bisect takes one kernel and one case, and these are {len(plan.kernels)} kernels and {len(plan.cases)} "
            f"cases; name them with --kernel and --case (see `{command('kernels')}` and `{command('cases')}`)"
        )
    (entry,), (case,) = plan.kernels, plan.cases
    emulators.require([entry.arch], tools=tools_of([entry]))
    supplies = Supplies(options.project, matrix, cache=cache or Cache())
    rows, builds = _builds(supplies, matrix, entry, say=say)

    def answers(chosen: Sequence[Build]) -> tuple[Sequence[Seen | None], Path]:
        kernels = tuple(build.row for build in chosen)
        report, folder = run_rows(options, rows, kernels, case, supplies=supplies, showing=showing)
        seen = seen_in(report)
        return [seen.get(Place(kernel=kernel.name, case=case.id)) for kernel in kernels], folder

    chosen, tried = search(builds, answers, good=good, bad=bad, say=say)
    found, source = boundary({index: each.is_ for index, each in tried.items()}), supplies.source(entry)
    before, after = (source.changelog(chosen[index].row, chosen[index].pin) for index in (found.before, found.after))
    return Bisected(
        kernel=entry.name,
        case=case.id,
        versions=tuple(build.version for build in chosen),
        tried=tried,
        found=found,
        changelogs=(before, after),
        named=bool(good or bad),
    )


def search(
    builds: Sequence[Build], answers: Answers, *, good: str, bad: str, say: Callable[[str], None]
) -> tuple[Sequence[Build], dict[int, Tried]]:
    """Return the builds from `good` to `bad`, the older end first, and by their index there what was tried.

    `builds` are all, the oldest first; `answers` runs some of them. Raises what `bisect` says of ends.
    """
    first, last = _index(builds, good, default=0), _index(builds, bad, default=len(builds) - 1)
    if first == last:
        raise UsageError(f"--good and --bad are the same build, {builds[first].version}; name two different ones")
    chosen = builds[min(first, last) : max(first, last) + 1]
    ends = (0, len(chosen) - 1) if first < last else (len(chosen) - 1, 0)
    most = 2 + most_tries(len(chosen))
    say(f"{len(chosen)} builds, {chosen[0].version} to {chosen[-1].version}: at most {most} guests")
    both, folder = answers([chosen[index] for index in ends])
    signatures = [_signature(chosen[index], seen) for index, seen in zip(ends, both, strict=True)]
    if signatures[0] == signatures[1]:
        raise UsageError(
            f"the answers on {chosen[0].version} and on {chosen[-1].version} are alike, so there is no change to look "
            "for between them; name another --good or --bad"
        )
    tried: dict[int, Tried] = {}

    def keep(index: int, seen: Seen | None, folder: Path) -> None:
        is_, build = what_it_is(seen, good=signatures[0], bad=signatures[1]), chosen[index]
        tried[index] = Tried(version=build.version, row=build.row.name, is_=is_, seen=seen, folder=folder)
        said = called(is_, named=bool(good or bad))
        say(f"{build.version}: {said}{f' ({seen.reason})' if seen is not None else ''}")

    for index, seen in zip(ends, both, strict=True):
        keep(index, seen, folder)
    while (following := next_build({index: each.is_ for index, each in tried.items()})) is not None:
        (seen,), folder = answers([chosen[following]])
        keep(following, seen, folder)
    return chosen, dict(sorted(tried.items()))


def _signature(build: Build, seen: Seen | None) -> Signature:
    if seen is None or not seen.has_answer:
        why = f": {seen.reason}" if seen is not None else ""
        raise BisectError(
            f"{build.version} has no answer, so nothing can be compared with it{why}; name another --good or --bad"
        )
    return signature_of(seen.outcome)


def _builds(
    supplies: Supplies, matrix: Matrix, entry: Kernel, *, say: Callable[[str], None]
) -> tuple[Matrix, list[Build]]:
    """Return the matrix with a row for each build that an entry's source lists now, and these, the oldest first."""
    sweep = entry.all_builds()
    if sweep is None:
        raise UsageError(
            f"{entry.name} is a kernel of the source {entry.source}, which has one build and no others to look among; "
            "name a kernel that comes in packages"
        )
    source = supplies.source(entry)
    swept = sweep_builds(source, sweep)
    for remark in swept.remarks:
        say(remark)
    lock = replace(
        supplies.lock,
        kernels={**supplies.lock.kernels, **swept.pins},
        sweeps={**supplies.lock.sweeps, sweep.name: swept.sweep},
    )
    supplies.lock = lock
    rows = expanded(matrix.model_copy(update={"kernels": (sweep,)}), lock)
    pins = [swept.pins[row.name].pin for row in rows.kernels]
    builds = [
        Build(row=row, version=source.describe(row, pin).version, pin=pin)
        for row, pin in zip(rows.kernels, pins, strict=True)
    ]
    return rows, builds


def _index(builds: Sequence[Build], wanted: str, *, default: int) -> int:
    """Return the index of the build that a user means by a version, or of the newest that begins with it."""
    if not wanted:
        return default
    exactly = [index for index, build in enumerate(builds) if wanted in (build.version, build.row.name)]
    begins = tuple(f"{wanted}{sign}" for sign in "-.~+")
    beginning = [index for index, build in enumerate(builds) if build.version.startswith(begins)]
    if exactly or beginning:
        return (exactly or beginning)[-1]
    raise UsageError(
        f'there is no build "{wanted}"; the source lists {", ".join(build.version for build in builds) or "none"}'
    )


def run_rows(
    options: Options,
    matrix: Matrix,
    rows: Sequence[Kernel],
    case: UnbuiltCase,
    *,
    supplies: Supplies,
    showing: Callable[[Sequence[str]], Observer],
) -> tuple[Report, Path]:
    """Run a case on some rows; return the report, and the folder that it lies in."""
    plan = Plan(rows=tuple(PlanRow(kernel=row) for row in rows), cases=(case,))
    ready = prepare(options, matrix, plan, supplies=supplies, observer=lambda: showing([row.name for row in rows]))
    finished = run(ready)
    if finished.interrupted:
        raise KeyboardInterrupt
    return finished.report, finished.folder
