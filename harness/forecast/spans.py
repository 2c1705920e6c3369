"""From a list of kernels to ranges of versions: on which a program's answer is the same, one after the other. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from packaging.version import Version

from harness.errors import ConfigError
from harness.forecast.answers import Answer, Finding, ProgramForecast, Weight
from harness.forecast.document import LookedAt, ObjectForecast
from harness.model.versions import kernel_version

LIGHT = frozenset({Weight.TESTED, Weight.CHANGED})
"""What does not decide, and is said beside it."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """Kernels in a row, the oldest first, on which the same is said of a program."""

    kernels: tuple[LookedAt, ...]
    answer: Answer
    findings: tuple[Finding, ...]

    @property
    def deciding(self) -> tuple[Finding, ...]:
        """The findings that the answer comes from."""
        return tuple(each for each in self.findings if each.weight not in LIGHT)


@dataclass(frozen=True, kw_only=True)
class Series:
    """The kernels of one architecture and distribution, whose versions can be compared, in their order."""

    arch: str
    distribution: str
    kernels: tuple[LookedAt, ...]

    @property
    def title(self) -> str:
        """What they are called."""
        return f"{self.arch}, {self.distribution}" if self.distribution else self.arch


def series_of(kernels: Sequence[LookedAt]) -> list[Series]:
    """Return the kernels that could be looked at, those whose versions can be compared together, the oldest first."""
    found: dict[tuple[str, str], list[LookedAt]] = {}
    for each in kernels:
        if not each.problem:
            found.setdefault((each.arch, each.distribution), []).append(each)
    return [
        Series(arch=arch, distribution=whose, kernels=tuple(sorted(those, key=_order)))
        for (arch, whose), those in found.items()
    ]


def _order(kernel: LookedAt) -> Version:
    for text in (kernel.version, kernel.release):
        try:
            return kernel_version(text)
        except ConfigError:
            continue
    return Version("0")


def spans_of(series: Series, found: ObjectForecast, program: str, *, light: bool = False) -> list[Span]:
    """Return the spans of a program over a series; with `light` what does not decide divides them, too."""
    said = [(kernel, _said(found, kernel, program)) for kernel in series.kernels]
    there = [(kernel, one) for kernel, one in said if one is not None]

    def same(pair: tuple[LookedAt, ProgramForecast]) -> tuple[object, ...]:
        return pair[1].answer, *(each for each in pair[1].findings if light or each.weight not in LIGHT)

    return [
        Span(kernels=tuple(kernel for kernel, _ in pairs), answer=pairs[0][1].answer, findings=pairs[0][1].findings)
        for _, group in groupby(there, key=same)
        if (pairs := list(group))
    ]


def _said(found: ObjectForecast, kernel: LookedAt, program: str) -> ProgramForecast | None:
    return next((each for each in found.kernels.get(kernel.name, ()) if each.program == program), None)


def range_of(span: Span) -> str:
    """Return the versions of a span: `6.1.176-1`, or `5.10.223-1 to 6.12.118-1 (6 kernels)`."""
    versions = [each.version or each.release or each.name for each in span.kernels]
    if len(versions) == 1:
        return versions[0]
    return f"{versions[0]} to {versions[-1]} ({len(versions)} kernels)"


def sentences(spans: Sequence[Span]) -> Iterator[str]:
    """Yield what is said of a program, a sentence for each span; of one span alone the range is all there is."""
    for span in spans:
        where = "everywhere" if len(spans) == 1 and len(span.kernels) > 1 else range_of(span)
        why = "; ".join(each.text for each in span.deciding)
        yield f"{span.answer} {'on' if where != 'everywhere' else ''} {where}{f': {why}' if why else ''}".replace(
            "  ", " "
        )


def light_findings(spans: Sequence[Span]) -> list[tuple[Finding, int]]:
    """Return what does not decide, each once, with the number of kernels for which it is said."""
    counts: dict[Finding, int] = {}
    for span in spans:
        for each in span.findings:
            if each.weight in LIGHT:
                counts[each] = counts.get(each, 0) + len(span.kernels)
    return list(counts.items())
