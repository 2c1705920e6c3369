"""What changed between two runs: of their outcomes first, and of verdicts where a rule alone changed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.answers.seen import Place, Seen, seen_in, signature_of
from harness.errors import EXIT_HARNESS, EXIT_OK, EXIT_UNEXPECTED, UsageError
from harness.model import exit_codes
from harness.model.measures import INSTRUCTIONS, JITED, LIMIT, PEAK_STATES, STACK, TOTAL_STATES
from harness.model.results import KernelResult, Outcome, OutcomeKind, Report, RunInfo, Verdict

COSTS = (INSTRUCTIONS, TOTAL_STATES, PEAK_STATES, STACK, JITED)
"""The measures that are compared: what the same kernel says of the same object each time."""

SHARE = 0.85
"""From which share of the kernel's own limit on more instructions are significant, however few they are."""


class ChangeKind(StrEnum):
    """What became of one place between two runs, in the order of reports."""

    REGRESSION = "new failure"
    """Had an answer that was not wrong; now the kernel does something that the case does not expect."""
    UNANSWERED = "no answer any more"
    """Had an answer; now it is lost, or did not run."""
    GONE = "gone"
    """Had an answer; is not in the new run's grid, or means nothing on its kernel now: nothing is tried any more."""
    REASON = "changed reason"
    """Wrong in both, but not in the same way."""
    SURPRISE = "works unexpectedly"
    """Works now, though its rule says that it does not: the rule may end here."""
    ANSWER = "changed answer"
    """The kernel does something else than before, as its rule expects of it."""
    EXPECTATION = "expectation changed"
    """The kernel does what it did; only the verdict is another, since the rule is."""
    FIXED = "fixed"
    """Was wrong, and is not any more."""
    ANSWERED = "answered now"
    """Had no answer, and has one that is not wrong."""
    FIRST_FAILURE = "wrong, and not compared"
    """Had no answer, and has one that is wrong: not a regression, since nobody knows what it was before."""
    NEW = "new"
    """Was not in the old run's grid."""


_MEANT = {
    ChangeKind.REGRESSION: EXIT_UNEXPECTED,
    ChangeKind.GONE: EXIT_UNEXPECTED,
    ChangeKind.UNANSWERED: EXIT_HARNESS,
}
"""The exit code that a change asks for; what is not here asks for 0."""


class CostWord(StrEnum):
    """How much a cost changed."""

    STABLE = "stable"
    ATTENTION = "attention"
    SIGNIFICANT = "significant"


FROM = {CostWord.SIGNIFICANT: 0.20, CostWord.ATTENTION: 0.05, CostWord.STABLE: 0.0}
"""From which relative change on, up or down, a cost has a word; the first that fits."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What became of one place; `base` or `head` is None where that run's grid has no such place."""

    place: Place
    kind: ChangeKind
    base: Seen | None
    head: Seen | None


@dataclass(frozen=True, kw_only=True)
class CostChange:
    """How one measure (measures.py) of one program changed: from `base` to `head`, in its own unit.

    `program` is "" where it is the sub-result of the place. `limit` is that of the new run's kernel, where it has one
    of this measure and its log named it.
    """

    place: Place
    measure: str
    base: int
    head: int
    program: str = ""
    limit: int | None = None

    @property
    def what(self) -> str:
        """The program: as the case's, or as a sub-result of it."""
        return f"{self.place.what}: {self.program}" if self.program else self.place.what

    @property
    def share(self) -> float | None:
        """The new value as a part of the kernel's limit, None where that is not known."""
        return self.head / self.limit if self.limit else None

    @property
    def ratio(self) -> float:
        """The change as a part of the old value: 0.1 is a tenth more. From nothing to something it is 1."""
        return (self.head - self.base) / self.base if self.base else float(bool(self.head))

    @property
    def word(self) -> CostWord:
        """How much it changed, as a word."""
        if self.head > self.base and (self.share or 0.0) >= SHARE:
            return CostWord.SIGNIFICANT
        return next(word for word, least in FROM.items() if abs(self.ratio) >= least)


@dataclass(frozen=True, kw_only=True)
class KernelChange:
    """What is another thing in a row of both runs: by what it is (`package`, `libbpf`, ...), before and after."""

    kernel: str
    changed: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What changed between a run and an earlier one.

    `same` counts the places of both with the same outcome and verdict. `new_kernels` and `gone_kernels` are rows, and
    `new_cases` and `gone_cases` cases that only one of the runs has. `notes` are sentences on what limits it.
    `common` says that only what both runs have was asked for: what is gone is no failure then.
    """

    base: RunInfo
    head: RunInfo
    changes: tuple[Change, ...]
    costs: tuple[CostChange, ...]
    kernels: tuple[KernelChange, ...]
    new_kernels: tuple[str, ...]
    gone_kernels: tuple[str, ...]
    new_cases: tuple[str, ...]
    gone_cases: tuple[str, ...]
    same: int
    common: bool
    notes: tuple[str, ...]

    def of_kind(self, kind: ChangeKind) -> tuple[Change, ...]:
        """Return the changes of one kind, in the order of the new run."""
        return tuple(change for change in self.changes if change.kind is kind)

    @property
    def exit_code(self) -> int:
        """1 where something is a regression or gone, 3 where an answer was lost, else 0; 3 comes before 1."""
        counted = [each.kind for each in self.changes if not (self.common and each.kind is ChangeKind.GONE)]
        return exit_codes.worst(_MEANT.get(kind, EXIT_OK) for kind in counted)


def compare(base: Report, head: Report, *, common: bool = False) -> Comparison:
    """Return what changed from the run `base` to the run `head`.

    Raises UsageError where both are the same run, and where they have no row and case in common.
    """
    if base == head or (base.run.id, base.run.started) == (head.run.id, head.run.started):
        raise UsageError(f"both are the run {head.run.id} of {head.run.started}; name an earlier run as the first")
    before, now = seen_in(base), seen_in(head)
    if not before.keys() & now.keys():
        raise UsageError(
            f"the runs {base.run.id} and {head.run.id} have no row and case in common, so nothing can be compared: "
            f"{_some(base)} against {_some(head)}. Compare runs of the same suite and the same rows."
        )
    places = [*now, *(place for place in before if place not in now)]
    found = [(place, _kind_at(place, before, now)) for place in places]
    changes = [
        Change(place=place, kind=kind, base=before.get(place), head=now.get(place)) for place, kind in found if kind
    ]
    return Comparison(
        base=base.run,
        head=head.run,
        changes=tuple(_without_repetitions(changes)),
        costs=tuple(_costs(before, now)),
        kernels=tuple(_kernel_changes(base, head)),
        new_kernels=_only(_rows(head), _rows(base)),
        gone_kernels=_only(_rows(base), _rows(head)),
        new_cases=_only(_cases(head), _cases(base)),
        gone_cases=_only(_cases(base), _cases(head)),
        same=sum(kind is None for _, kind in found),
        common=common,
        notes=tuple(_notes(base.run, head.run)),
    )


def _kind_at(place: Place, before: Mapping[Place, Seen], now: Mapping[Place, Seen]) -> ChangeKind | None:
    """Return what became of a place; a sub-result whose cell has no answer has none either, and is not gone."""
    base, head = before.get(place), now.get(place)
    if base is not None and head is None and place.part and base.has_answer:
        whole = now.get(Place(kernel=place.kernel, case=place.case))
        if whole is not None and not whole.has_answer:
            return ChangeKind.UNANSWERED
    return _kind(base, head)


def _kind(base: Seen | None, head: Seen | None) -> ChangeKind | None:
    """Return what became of a place, None where it is as it was."""
    if base is None:
        return ChangeKind.NEW
    if head is None:
        return ChangeKind.GONE if base.has_answer else None
    if not base.has_answer or not head.has_answer:
        return _unanswered(base, head)
    if signature_of(base.outcome) == signature_of(head.outcome) or _only_budget(base, head):
        return ChangeKind.EXPECTATION if base.verdict is not head.verdict else None
    if head.verdict is Verdict.XPASS:
        return ChangeKind.SURPRISE if base.verdict is not Verdict.XPASS else None
    if head.verdict is Verdict.NOT_APPLICABLE:
        return ChangeKind.GONE
    if head.is_wrong:
        return ChangeKind.REASON if base.is_wrong and not _stopped(base, head) else ChangeKind.REGRESSION
    if base.is_wrong:
        return ChangeKind.FIXED
    return ChangeKind.REGRESSION if _worse_without_rule(base, head) else ChangeKind.ANSWER


def _unanswered(base: Seen, head: Seen) -> ChangeKind | None:
    if not head.has_answer:
        return ChangeKind.UNANSWERED if base.has_answer else None
    return ChangeKind.FIRST_FAILURE if head.verdict is Verdict.FAIL else ChangeKind.ANSWERED


def _only_budget(base: Seen, head: Seen) -> bool:
    """Whether all that is new is the budget: each number that one of the two exceeds is what it was.

    What was not measured before had no budget.
    """
    if signature_of(base.outcome)._replace(over=()) != signature_of(head.outcome)._replace(over=()):
        return False
    exceeded = {(each.program, each.measure) for seen in (base, head) for each in seen.outcome.over_budget}
    return all(_number(base, *each) in (None, _number(head, *each)) for each in exceeded)


def _number(seen: Seen, program: str, measure: str) -> int | None:
    found = numbers_of(seen.outcome)
    return (found.get(program) or found.get("") or {}).get(measure)


def _worse_without_rule(base: Seen, head: Seen) -> bool:
    """Whether something worked and does not any more, on a kernel for which no rule says what to expect."""
    return _stopped(base, head) and head.verdict is Verdict.ANSWERED


def _stopped(base: Seen, head: Seen) -> bool:
    """Whether something worked, expected or not, and does not any more."""
    return base.outcome.kind is OutcomeKind.WORKS and head.outcome.kind is not OutcomeKind.WORKS


_OF_PARTS = frozenset({ChangeKind.ANSWER, ChangeKind.EXPECTATION})
"""What a cell with sub-results does only as one of these does."""


def _without_repetitions(changes: list[Change]) -> Iterator[Change]:
    """Yield the changes without those of a cell that only repeat what one of its sub-results says.

    Of sub-results that are not there, since their cell has no answer, the cell speaks.
    """
    changes = [each for each in changes if each.kind is not ChangeKind.UNANSWERED or each.head or not each.place.part]
    of_parts = {(each.place.kernel, each.place.case, each.kind) for each in changes if each.place.part}
    answers = {(each.place.kernel, each.place.case) for each in changes if each.place.part}
    for each in changes:
        place = (each.place.kernel, each.place.case)
        whole = not each.place.part and any(seen is not None and seen.has_parts for seen in (each.base, each.head))
        repeats = (*place, each.kind) in of_parts or (each.kind in _OF_PARTS and place in answers)
        if not (whole and repeats):
            yield each


def _costs(before: Mapping[Place, Seen], now: Mapping[Place, Seen]) -> Iterator[CostChange]:
    for place, head in now.items():
        if not head.outcome.measured and not head.outcome.programs:
            continue
        base = before.get(place)
        if base is None:
            continue
        earlier = numbers_of(base.outcome)
        for program, own in numbers_of(head.outcome).items():
            for measure in COSTS:
                old, new = earlier.get(program, {}).get(measure), own.get(measure)
                if old is not None and new is not None and old != new:
                    limit = own.get(LIMIT) if measure == INSTRUCTIONS else None
                    yield CostChange(place=place, measure=measure, base=old, head=new, program=program, limit=limit)


def numbers_of(outcome: Outcome) -> Mapping[str, Mapping[str, int]]:
    """Return what was measured of each program of an outcome, by name; "" is the only one that it is about."""
    return outcome.programs or ({"": outcome.measured} if outcome.measured else {})


def _kernel_changes(base: Report, head: Report) -> Iterator[KernelChange]:
    earlier = {kernel.name: kernel for kernel in base.kernels}
    for kernel in head.kernels:
        if kernel.name not in earlier:
            continue
        old, new = _identity(earlier[kernel.name]), _identity(kernel)
        changed = {what: (old[what], new[what]) for what in new if old[what] and new[what] and old[what] != new[what]}
        if changed:
            yield KernelChange(kernel=kernel.name, changed=changed)


def _identity(kernel: KernelResult) -> dict[str, str]:
    """Return what makes a row what it is, by what it is called; "" where a row that did not run does not say it."""
    package = kernel.package
    return {
        "package": f"{package.name} {package.version}".strip() if package else "",
        "file": package.sha256 if package else "",
        "release": kernel.release,
        "libbpf": kernel.libbpf_version,
        "QEMU": kernel.qemu_version,
        "accelerator": kernel.accel,
    }


def _notes(base: RunInfo, head: RunInfo) -> Iterator[str]:
    for which, run in (("earlier", base), ("new", head)):
        if not run.complete:
            yield f"the {which} run {run.id} ended before its time: what it did not reach is not compared"
    if base.version != head.version:
        yield f"the earlier run is of bpfmatrix {base.version}, the new one of {head.version}"
    if base.started > head.started:
        yield f"the first run is the younger one ({base.started}); `compare BASE HEAD` has the earlier run first"


def _rows(report: Report) -> tuple[str, ...]:
    return tuple(kernel.name for kernel in report.kernels)


def _cases(report: Report) -> tuple[str, ...]:
    return tuple(case for case, _ in report.cases)


def _only(these: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    there = set(others)
    return tuple(each for each in these if each not in there)


def _some(report: Report) -> str:
    rows, cases = _rows(report), _cases(report)
    row, case = (next(iter(names), "-") for names in (rows, cases))
    return f"{len(rows)} rows such as {row} with {len(cases)} cases such as {case}"
