"""Where a forecast and a run of `check` say different things of a program on a kernel. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.forecast.answers import Answer, ProgramForecast
from harness.forecast.document import Forecast, LookedAt, ObjectForecast
from harness.model.results import CellResult, KernelResult, OutcomeKind, PartResult, Report, Stage


class Agreement(StrEnum):
    """How what was said of a program goes with what it did."""

    AGREES = "agrees"
    """What was found ran; what was missing was refused."""
    RUN_REFUSES = "run-refuses"
    """All was found, and the program was refused all the same: BTF does not show everything."""
    RUN_WORKS = "run-works"
    """Something was missing, and the program was attached all the same: the forecast is wrong."""
    LEFT_OPEN = "left-open"
    """The forecast decides nothing: BTF does not show the target, or a module must be loaded."""
    NO_ANSWER = "no-answer"
    """The run has no answer: the guest died, or the cell was not run."""


DISAGREEMENTS = (Agreement.RUN_REFUSES, Agreement.RUN_WORKS)
_ATTACHED = (Stage.TRIGGER, Stage.OBSERVE, Stage.DETACH)
"""Stages that come only once all is attached."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """One program on one kernel: what was said, and what the run shows.

    `outcome` is what it did in a few words, and `class_of` the class of its refusal, "" where there is none.
    """

    object: str
    program: str
    kernel: str
    version: str
    agreement: Agreement
    said: ProgramForecast
    outcome: str
    class_of: str = ""
    log: str = ""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """All programs that both have, and the kernels that only one of them has, or of which they have other builds."""

    compared: tuple[Compared, ...]
    kernels: tuple[str, ...]
    left_out: tuple[str, ...] = ()

    def count(self, agreement: Agreement) -> int:
        """Return how many programs on how many kernels go that way."""
        return sum(each.agreement is agreement for each in self.compared)

    @property
    def disagreements(self) -> tuple[Compared, ...]:
        """Those where the two say different things."""
        return tuple(each for each in self.compared if each.agreement in DISAGREEMENTS)


def compared(forecast: Forecast, report: Report) -> Comparison:
    """Compare a forecast with the report of a run of `check`, by the ids of objects and the builds of kernels."""
    pairs, left_out = _kernels(forecast, report)
    found = tuple(
        each
        for kernel, row in pairs
        for of_object in forecast.objects
        for each in _programs(of_object, kernel, row, report)
    )
    return Comparison(compared=found, kernels=tuple(row.name for _, row in pairs), left_out=tuple(left_out))


def _kernels(forecast: Forecast, report: Report) -> tuple[list[tuple[LookedAt, KernelResult]], list[str]]:
    """Return the kernels of a run with what was looked at: the same build, which need not have the same name."""
    by_build: Mapping[tuple[str, str, str], LookedAt] = {
        (each.arch, each.release, each.version): each for each in reversed(forecast.kernels) if not each.problem
    }
    pairs, left_out = [], []
    for row in report.kernels:
        version = row.package.version if row.package is not None else row.version
        there = by_build.get((row.arch, row.release, version)) or by_build.get((row.arch, row.release, row.release))
        if there is None:
            left_out.append(f"{row.name}: the run has {version or row.release or 'no answer'}, the forecast does not")
        else:
            pairs.append((there, row))
    return pairs, left_out


def _programs(found: ObjectForecast, kernel: LookedAt, row: KernelResult, report: Report) -> Iterator[Compared]:
    cell = next((each for each in report.cells if (each.kernel, each.case) == (row.name, found.name)), None)
    said = {each.program: each for each in found.kernels.get(kernel.name, ())}
    for part in _parts(cell):
        if part.name in said:
            yield Compared(
                object=found.name,
                program=part.name,
                kernel=row.name,
                version=kernel.version or kernel.release,
                agreement=_agreement(said[part.name], part),
                said=said[part.name],
                outcome=_outcome(part),
                class_of=part.outcome.refusal,
                log=part.outcome.log,
            )


def _parts(cell: CellResult | None) -> tuple[PartResult, ...]:
    return () if cell is None else tuple(each for each in cell.parts if each.about)


def _agreement(said: ProgramForecast, part: PartResult) -> Agreement:
    outcome = part.outcome
    attached = outcome.kind is OutcomeKind.WORKS or (
        outcome.kind is OutcomeKind.MISBEHAVES and outcome.stage in _ATTACHED
    )
    if not attached and outcome.kind is not OutcomeKind.REFUSED:
        return Agreement.NO_ANSWER
    if said.answer is Answer.MISSING:
        return Agreement.RUN_WORKS if attached else Agreement.AGREES
    if said.answer is Answer.FOUND:
        return Agreement.AGREES if attached else Agreement.RUN_REFUSES
    return Agreement.LEFT_OPEN


def _outcome(part: PartResult) -> str:
    outcome = part.outcome
    where = f" at {outcome.stage}" if outcome.kind is not OutcomeKind.WORKS and outcome.stage else ""
    name = f": {outcome.errno_name}" if outcome.errno_name else ""
    return f"{outcome.kind}{where}{name}{f', {outcome.refusal}' if outcome.refusal else ''}"
