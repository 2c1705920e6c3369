"""What became of each cell over many runs: when it changed, and between which builds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from harness.answers.order import Build, build_of
from harness.answers.seen import Place, Seen, seen_in, signature_of
from harness.model.results import INCOMPLETE, Outcome, OutcomeKind, Report, Verdict


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What one run has seen in one place.

    `signature` is the outcome without what differs each time (seen.py), as text; `works` says whether it is that the
    case works. `inputs` is a text that two rows have in common where all that went into them is the same, "" where
    the report does not say.
    """

    run: str
    started: str
    place: Place
    build: Build
    verdict: Verdict
    signature: str
    works: bool
    shown: str
    inputs: str = ""

    @property
    def has_answer(self) -> bool:
        """Whether the kernel has answered."""
        return self.verdict not in INCOMPLETE


@dataclass(frozen=True, kw_only=True)
class Step:
    """Two answers next to each other that are not the same."""

    before: Answer
    after: Answer


@dataclass(frozen=True, kw_only=True)
class Defect:
    """Different answers for the same inputs: of the case, of the kernel, or of bpfmatrix, and in any case a defect."""

    place: Place
    answers: tuple[Answer, ...]


@dataclass(frozen=True, kw_only=True)
class History:
    """What many runs say of the cells that they share.

    `by_date` are the changes of a row's cell from one run to the next; `by_version` those between two neighbouring
    builds of a distribution and architecture, each with the last answer that there is for it.
    """

    runs: tuple[tuple[str, str], ...]
    by_date: tuple[Step, ...]
    by_version: tuple[Step, ...]
    defects: tuple[Defect, ...]


def answers_of(report: Report, *, shown: Mapping[Place, str] | None = None) -> Iterator[Answer]:
    """Yield what a report says of each place; `shown` has an outcome in few words for a reader."""
    rows = {kernel.name: (build_of(kernel), kernel.inputs) for kernel in report.kernels}
    for place, seen in seen_in(report).items():
        if place.kernel not in rows:
            continue
        build, inputs = rows[place.kernel]
        yield Answer(
            run=report.run.id,
            started=report.run.started,
            place=place,
            build=build,
            verdict=seen.verdict,
            signature=_text_of(seen.outcome),
            works=seen.outcome.kind is OutcomeKind.WORKS,
            shown=(shown or {}).get(place, str(seen.outcome.kind)),
            inputs=" ".join(f"{name}={value}" for name, value in sorted(inputs.items())),
        )


def history(answers: Iterable[Answer]) -> History:
    """Return what became of each place, from the answers of some runs in any order; the same run counts once."""
    once = {(answer.run, answer.place): answer for answer in answers}
    known = sorted(once.values(), key=lambda answer: (answer.place, answer.started, answer.run))
    given = [answer for answer in known if answer.has_answer]
    places = [list(own) for _, own in groupby(given, key=lambda answer: answer.place)]
    return History(
        runs=tuple(sorted({(answer.started, answer.run) for answer in known})),
        by_date=tuple(step for own in places for step in _steps(own)),
        by_version=tuple(_by_version(given)),
        defects=tuple(defect for own in places for defect in _defects(own)),
    )


def _steps(answers: Sequence[Answer]) -> Iterator[Step]:
    for before, after in pairwise(answers):
        if before.signature != after.signature:
            yield Step(before=before, after=after)


def _by_version(answers: Sequence[Answer]) -> Iterator[Step]:
    """Yield the changes between neighbouring builds: for each build its youngest answer counts."""

    def of(answer: Answer) -> tuple[str, str, str, str, str]:
        build = answer.build
        return answer.place.case, answer.place.part, build.arch, build.distribution, build.axes

    for _, own in groupby(sorted(answers, key=of), key=of):
        youngest: dict[tuple[str, str, str, str], Answer] = {}
        for answer in sorted(own, key=lambda each: each.started):
            youngest[answer.build.identity] = answer
        yield from _steps(sorted(youngest.values(), key=lambda each: each.build.key))


def _defects(answers: Sequence[Answer]) -> Iterator[Defect]:
    by_inputs: dict[str, list[Answer]] = {}
    for answer in answers:
        if answer.inputs:
            by_inputs.setdefault(answer.inputs, []).append(answer)
    for own in by_inputs.values():
        if len({answer.signature for answer in own}) > 1:
            yield Defect(place=own[0].place, answers=tuple(own))


def unlike(reports: Sequence[Report]) -> tuple[tuple[Place, tuple[Seen, ...]], ...]:
    """Return the places where runs of the same thing, one after the other, do not say the same, with what each says.

    A place that one of them does not have counts: it has no answer there. So does an answer that is lost once.
    """
    seen = [seen_in(report) for report in reports]
    places = dict.fromkeys(place for each in seen for place in each)
    found = []
    for place in places:
        here = tuple(each[place] for each in seen if place in each)
        signatures = {signature_of(each.outcome) for each in here}
        if len(signatures) > 1 or len(here) < len(reports):
            found.append((place, here))
    return tuple(found)


def _text_of(outcome: Outcome) -> str:
    signature = signature_of(outcome)
    parts = (
        signature.kind,
        signature.stage or "",
        signature.errno,
        signature.origin or "",
        signature.refusal,
        signature.step,
        signature.complaint,
        ";".join(" ".join(each) for each in signature.differences),
        signature.cause,
        signature.mark or "",
        *(" ".join(each) for each in signature.over),  # last, and only where it is: older answers have none
    )
    return "|".join(str(part) for part in parts)
