"""What a forecast says: findings of one program on one kernel, and the answer that they come to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Weight(StrEnum):
    """What a finding comes to."""

    MISSING = "missing"
    """The kernel does not have it, and the program cannot do without it."""
    MODULE = "module"
    """A module of the kernel has it, which is not loaded unless somebody does."""
    NOT_SHOWN = "not-shown"
    """BTF does not show it; it may be there."""
    TESTED = "tested"
    """The kernel does not have it, and the program tests for it: it never comes to where it would need it."""
    CHANGED = "changed"
    """The kernel has it, with another size, sign or kind than the object knows."""


class Answer(StrEnum):
    """What a forecast says of a program on a kernel."""

    FOUND = "found"
    """All that it wants is there, as far as BTF shows."""
    NEEDS_MODULE = "needs-module"
    NOT_SHOWN = "not-shown"
    MISSING = "missing"


_ANSWERS = (
    (Weight.MISSING, Answer.MISSING),
    (Weight.MODULE, Answer.NEEDS_MODULE),
    (Weight.NOT_SHOWN, Answer.NOT_SHOWN),
)
"""What the heaviest finding comes to; with none of these all is found."""


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that must be said: what it is about (`subject`, as `struct sock.sk_protocol`), and a sentence part.

    `modules` have it where the kernel itself does not.
    """

    weight: Weight
    subject: str
    text: str
    modules: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ProgramForecast:
    """What is said of a program on one kernel; the findings are in the order of the program."""

    program: str
    findings: tuple[Finding, ...] = ()

    @property
    def answer(self) -> Answer:
        """What the findings come to."""
        return answer_of(self.findings)


def answer_of(findings: Iterable[Finding]) -> Answer:
    """Return what findings come to: the heaviest counts."""
    weights = {each.weight for each in findings}
    return next((answer for weight, answer in _ANSWERS if weight in weights), Answer.FOUND)


def without_repeats(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return one finding for each subject, the heaviest: what is tested for in one place may be needed in another.

    Their order is that in which the subjects came first.
    """
    order = list(Weight)
    kept: dict[str, Finding] = {}
    for each in findings:
        there = kept.get(each.subject)
        if there is None or order.index(each.weight) < order.index(there.weight):
            kept[each.subject] = each
    return tuple(kept.values())
