"""Which axis has decided what a case does: from the cells alone, and silent where they do not show it. Pure.

Where the answers of a case differ with one axis, and with no other, that axis has decided. A cell without an answer, or
a combination that was not run, could be anything: then nothing is said of the case.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from harness.model.results import (
    INCOMPLETE,
    Attributed,
    Attribution,
    Axis,
    CellResult,
    KernelResult,
    OutcomeKind,
    PartResult,
    Stage,
)

Place = tuple[str, str, str]
"""A row, as its kernel, its userland and its compiler."""
_NO_ANSWER = frozenset({OutcomeKind.LOST, OutcomeKind.NOT_RUN})


@dataclass(frozen=True, kw_only=True)
class _Answer:
    kind: OutcomeKind
    stage: Stage | None = None


def attributions(kernels: Sequence[KernelResult], cells: Sequence[CellResult]) -> tuple[Attribution, ...]:
    """Return what has decided about each case, and about each part of one, in the order of the cells.

    Nothing where there is no axis with several values beside the kernels.
    """
    places = {kernel.name: _place(kernel) for kernel in kernels}
    if not any(len({place[axis] for place in places.values()}) > 1 for axis in (1, 2)):
        return ()
    answers: dict[tuple[str, str], dict[Place, _Answer | None]] = {}
    for cell in cells:
        place = places.get(cell.kernel)
        if place is not None:
            for part, judged in _judged(cell):
                answers.setdefault((cell.case, part), {})[place] = _answer(judged)
    whole = [set(each) for each in zip(*places.values(), strict=True)]
    found = (_decided(case, part, by_place, whole) for (case, part), by_place in answers.items())
    return tuple(each for each in found if each is not None)


def _place(kernel: KernelResult) -> Place:
    return kernel.kernel_name, kernel.userland, kernel.compiler


def _judged(cell: CellResult) -> Iterator[tuple[str, CellResult | PartResult]]:
    """Yield what a cell has answers of: its parts by their names, or itself.

    One that was refused as a whole has no parts, and so those of the others are missing in it.
    """
    if not cell.parts:
        yield "", cell
    for part in cell.parts:
        yield part.name, part


def _answer(judged: CellResult | PartResult) -> _Answer | None:
    outcome = judged.outcome
    if judged.verdict in INCOMPLETE or outcome.kind in _NO_ANSWER:
        return None
    return _Answer(kind=outcome.kind, stage=outcome.stage if outcome.kind is OutcomeKind.REFUSED else None)


def _decided(
    case: str, part: str, by_place: Mapping[Place, _Answer | None], whole: Sequence[set[str]]
) -> Attribution | None:
    """Return what has decided, None where the answers do not show it, or where one is missing."""
    answers = {place: answer for place, answer in by_place.items() if answer is not None}
    if set(answers) != set(product(*whole)):
        return None
    found = _by_one_axis(answers)
    if found is not None:
        return Attribution(case=case, part=part, axis=found[0], answers=found[1])
    # On a kernel on which the case means nothing whatever the rest, the other axes show nothing.
    nothing = [
        kernel
        for kernel in dict.fromkeys(place[0] for place in answers)
        if all(each.kind is OutcomeKind.NOT_APPLICABLE for place, each in answers.items() if place[0] == kernel)
    ]
    found = _by_one_axis({place: answer for place, answer in answers.items() if place[0] not in nothing})
    if found is None:
        return None
    return Attribution(case=case, part=part, axis=found[0], answers=found[1], left_out=tuple(nothing))


def _by_one_axis(answers: Mapping[Place, _Answer]) -> tuple[Axis, tuple[Attributed, ...]] | None:
    """Return the axis by whose value alone the answers differ, and the answers; None where there is none."""
    if len(set(answers.values())) < 2:
        return None
    for index, axis in enumerate(Axis):
        by_value: dict[str, set[_Answer]] = {}
        for place, answer in answers.items():
            by_value.setdefault(place[index], set()).add(answer)
        if any(len(each) > 1 for each in by_value.values()):
            continue
        values: dict[_Answer, list[str]] = {}
        for value, (answer,) in by_value.items():
            values.setdefault(answer, []).append(value)
        return axis, tuple(
            Attributed(values=tuple(names), outcome=answer.kind, stage=answer.stage) for answer, names in values.items()
        )
    return None
