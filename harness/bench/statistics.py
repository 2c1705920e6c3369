"""Medians, spreads, ratios of pairs, and slopes. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

DIGITS = 4
"""What is kept behind the point of anything but the raw samples; host clocks and guests are noisier than that."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """Some samples in the order in which they were taken, their median, and how far they lie apart."""

    median: float
    min: float
    q1: float
    q3: float
    max: float
    samples: tuple[float, ...]

    def document(self) -> dict[str, Any]:
        """Return the spread as bench.json has it."""
        return asdict(self) | {"samples": list(self.samples)}


@dataclass(frozen=True, kw_only=True)
class Line:
    """A straight line through points: what each step costs (`slope`), and what none costs (`intercept`)."""

    slope: float
    intercept: float


def spread(samples: Sequence[float]) -> Spread | None:
    """Return the spread of some samples, None where there are none.

    Quartiles are interpolated between the samples (the inclusive method), so that they never lie outside them.
    """
    if not samples:
        return None
    ordered = sorted(samples)
    q1, median, q3 = statistics.quantiles(ordered, n=4, method="inclusive") if len(ordered) > 1 else ordered * 3
    low, high = ordered[0], ordered[-1]
    first, middle, third, least, most = (round(value, DIGITS) for value in (q1, median, q3, low, high))
    return Spread(median=middle, min=least, q1=first, q3=third, max=most, samples=tuple(samples))


def ratios(over: Sequence[float], under: Sequence[float]) -> Spread | None:
    """Return the spread of the ratios of pairs, None where there are none.

    The samples of a pair were taken one after the other, so that what slows the host down slows both. A pair
    without its other half, or with nothing to divide by, is left out.
    """
    return spread([round(a / b, DIGITS) for a, b in zip(over, under, strict=False) if b > 0])


def line(points: Sequence[tuple[float, float]]) -> Line | None:
    """Return the line of least squares through (x, y) points, None where they have less than two different x.

    Fractions are exact. What statistics.linear_regression() returns differs in its last bits from one Python to the
    next, and that is enough to round 0.09375 down instead of up.
    """
    if len({x for x, _ in points}) < 2:
        return None
    exact = [(Fraction(x), Fraction(y)) for x, y in points]
    mean_x, mean_y = (sum(values) / len(exact) for values in zip(*exact, strict=True))
    slope = sum((x - mean_x) * (y - mean_y) for x, y in exact) / sum((x - mean_x) ** 2 for x, _ in exact)
    return Line(slope=float(round(slope, DIGITS)), intercept=float(round(mean_y - slope * mean_x, DIGITS)))
