"""From some reports: on which kernels something was seen to work. What was not tried is a hole, never guessed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby

from harness.answers.order import Build, build_of
from harness.answers.seen import Seen, seen_in
from harness.model.results import KernelResult, Outcome, OutcomeKind, Report

Identity = tuple[str, str, str, str]
"""Which build it is (order.py): architecture, distribution, exact version, and what is beside it."""


class State(StrEnum):
    """What was seen of something on one kernel."""

    WORKS = "works"
    FAILS = "does not work"
    """Refused, misbehaves, or the kernel died."""
    DIFFERS = "both seen"
    """It worked, and it did not, on the same build: a defect of the case, the kernel or of bpfmatrix."""
    NOTHING = "means nothing there"
    """The kernel does not have what it needs, and that is no failure."""
    UNKNOWN = "not seen"
    """A hole: no report has an answer for it."""


_STATES = {
    OutcomeKind.WORKS: State.WORKS,
    OutcomeKind.REFUSED: State.FAILS,
    OutcomeKind.MISBEHAVES: State.FAILS,
    OutcomeKind.CRASHED: State.FAILS,
    OutcomeKind.NOT_APPLICABLE: State.NOTHING,
}


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Builds next to each other, among all that the reports have, on which the same was seen.

    `how` says in which way it does not work, where it does not. `builds` are sorted by version.
    """

    state: State
    how: Outcome | None
    builds: tuple[Build, ...]


@dataclass(frozen=True, kw_only=True)
class Statement:
    """What was seen of one thing on the kernels of one distribution and architecture, the oldest first.

    `case` and `part` say what it is (`part` is "" for a case as a whole); `axes` is what all these rows have beside
    their kernels, "" where they have nothing.
    """

    case: str
    part: str
    arch: str
    distribution: str
    axes: str
    stretches: tuple[Stretch, ...]

    def count(self, *states: State) -> int:
        """Return on how many builds one of some states was seen."""
        return sum(len(stretch.builds) for stretch in self.stretches if stretch.state in states)

    @property
    def tried(self) -> int:
        """On how many builds there is an answer that it works, or that it does not."""
        return self.count(State.WORKS, State.FAILS, State.DIFFERS)


@dataclass(frozen=True, kw_only=True)
class Support:
    """The statements of some reports. `days` are the first and the last day of their runs (ISO 8601).

    `unknown` are rows that did not run in any of them, so that nobody knows which build they would have had.
    """

    statements: tuple[Statement, ...]
    builds: tuple[Build, ...]
    days: tuple[str, str]
    accelerators: tuple[str, ...]
    unknown: tuple[str, ...] = ()


def support(reports: Sequence[Report], *, cases: frozenset[str] | None = None) -> Support:
    """Return what some reports have seen to work, by case (and sub-result), distribution and architecture.

    `cases` are the ids of those that count, None for all. A build is one kernel, whatever its row is called: where
    reports disagree on one, it is said.
    """
    builds: dict[Identity, Build] = {}
    seen: dict[tuple[str, str], dict[Identity, list[Seen]]] = {}
    for report in reports:
        rows = {kernel.name: build_of(kernel) for kernel in report.kernels if _ran(kernel)}
        for build in rows.values():
            builds.setdefault(build.identity, build)
        for place, found in seen_in(report).items():
            if place.kernel in rows and (cases is None or place.case in cases):
                of_build = seen.setdefault((place.case, place.part), {})
                of_build.setdefault(rows[place.kernel].identity, []).append(found)
    ordered = sorted(builds.values(), key=lambda build: (*group_of(build), build.key))
    groups = [(key, list(found)) for key, found in groupby(ordered, key=group_of)]
    statements = [
        Statement(
            case=case, part=part, arch=arch, distribution=distribution, axes=axes, stretches=_stretches(found, own)
        )
        for (case, part), found in seen.items()
        for (arch, distribution, axes), own in groups
    ]
    named = dict.fromkeys(kernel.name for report in reports for kernel in report.kernels)
    known = {kernel.name for report in reports for kernel in report.kernels if _ran(kernel)}
    days = sorted(report.run.started[:10] for report in reports)
    return Support(
        statements=tuple(each for each in statements if each.tried or each.count(State.NOTHING)),
        builds=tuple(ordered),
        days=(days[0], days[-1]) if days else ("", ""),
        accelerators=tuple(sorted({report.run.accel for report in reports})),
        unknown=tuple(name for name in named if name not in known),
    )


def group_of(build: Build) -> tuple[str, str, str]:
    """Return what builds have in common whose versions have one order: architecture, distribution, and axes."""
    return build.arch, build.distribution, build.axes


def _ran(kernel: KernelResult) -> bool:
    """Whether a report says which build a row had."""
    return bool(kernel.release or (kernel.package and kernel.package.version))


def _stretches(found: Mapping[Identity, Sequence[Seen]], builds: Sequence[Build]) -> tuple[Stretch, ...]:
    """Return neighbours among some builds on which the same was seen, together."""
    marked = [(build, *_state(found.get(build.identity, ()))) for build in builds]
    return tuple(
        Stretch(state=own[0][1], how=own[0][2], builds=tuple(build for build, _, _ in own))
        for own in (list(group) for _, group in groupby(marked, key=lambda each: (each[1], _way(each[2]))))
    )


def _state(found: Sequence[Seen]) -> tuple[State, Outcome | None]:
    """Return what was seen of something on one build, by all reports, and how it does not work where it does not."""
    answers = [seen for seen in found if seen.has_answer]
    states = {_state_of(seen) for seen in answers}
    failed = next((seen.outcome for seen in answers if _state_of(seen) is State.FAILS), None)
    if State.WORKS in states and State.FAILS in states:
        return State.DIFFERS, failed
    for state in (State.FAILS, State.WORKS, State.NOTHING):
        if state in states:
            return state, failed
    return State.UNKNOWN, None


def _state_of(seen: Seen) -> State:
    """Return what one report has seen; an outcome that is no answer is a hole, whatever its verdict is."""
    return _STATES.get(seen.outcome.kind, State.UNKNOWN)


def _way(outcome: Outcome | None) -> tuple[object, ...]:
    """Return in which way something does not work: kernels that refuse it alike are one stretch."""
    return () if outcome is None else (outcome.kind, outcome.stage, outcome.errno_name, outcome.refusal)


def range_of(builds: Sequence[Build]) -> str:
    """Return some builds as a reader names them: the one, or the first and the last: `5.10.249 to 7.3`."""
    first, last = builds[0].shown, builds[-1].shown
    return first if first == last else f"{first} to {last}"


def works_on(found: Support) -> tuple[tuple[Build, ...], tuple[Build, ...]]:
    """Return the builds on which everything in a statement works, and all that have an answer for any of it.

    A build that several rows have, each with something else beside it, is one, and works where it does in all of them.
    """
    good: set[tuple[str, ...]] = set()
    bad: set[tuple[str, ...]] = set()
    for statement in found.statements:
        for stretch in statement.stretches:
            if stretch.state is State.WORKS:
                good |= {build.identity[:3] for build in stretch.builds}
            elif stretch.state in (State.FAILS, State.DIFFERS):
                bad |= {build.identity[:3] for build in stretch.builds}
    each_once = {build.identity[:3]: build for build in reversed(found.builds)}
    tried = [each_once[of] for of in dict.fromkeys(b.identity[:3] for b in found.builds) if of in good or of in bad]
    return tuple(build for build in tried if build.identity[:3] not in bad), tuple(tried)
