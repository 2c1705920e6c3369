"""What has decided (harness/judge/attribution.py), as sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.model.results import Attributed, Attribution, Axis, OutcomeKind, Report, Stage
from harness.reports.wording import listed

MOST_PARTS = 6
"""Parts of a case that one sentence names; of more it says how many."""
DECIDES = {Axis.KERNEL: "the kernel decides", Axis.LIBBPF: "libbpf decides", Axis.CLANG: "the compiler decides"}
_DOES = {
    OutcomeKind.WORKS: "works",
    OutcomeKind.MISBEHAVES: "misbehaves",
    OutcomeKind.CRASHED: "crashes the kernel",
    OutcomeKind.NOT_APPLICABLE: "is not applicable",
}


_FIELDS = {Axis.KERNEL: "kernel_name", Axis.LIBBPF: "userland", Axis.CLANG: "compiler"}
"""What of a row is its value of an axis."""


def sentences(report: Report) -> tuple[str, ...]:
    """Return a sentence for each case, and for all parts of a case of which the same is to be said."""
    grouped: dict[tuple[str, Axis, tuple[Attributed, ...], tuple[str, ...]], list[str]] = {}
    for each in report.attributions:
        grouped.setdefault((each.case, each.axis, each.answers, each.left_out), []).append(each.part)
    whole = {axis: _values(report, axis) for axis in Axis}
    return tuple(
        _sentence(Attribution(case=case, axis=axis, answers=answers, left_out=left), parts, whole)
        for (case, axis, answers, left), parts in grouped.items()
    )


def _sentence(of: Attribution, parts: Sequence[str], whole: dict[Axis, tuple[str, ...]]) -> str:
    said = ", ".join(f"{does(each)} {_with(of.axis, each.values)}" for each in of.answers)
    everywhere = " and ".join(_all_of(of, whole))
    return f"{of.case}{_named(parts)}: {said}{f', {everywhere}' if everywhere else ''}: {DECIDES[of.axis]}"


def does(answer: Attributed) -> str:
    """Return what a case does, as a verb: `is refused (load-tracer)`."""
    if answer.outcome is OutcomeKind.REFUSED:
        return "is not compiled" if answer.stage is Stage.BUILD else f"is refused ({answer.stage})"
    return _DOES[answer.outcome]


def _with(axis: Axis, values: Sequence[str]) -> str:
    return f"{'on' if axis is Axis.KERNEL else 'with'} {listed(tuple(values))}"


def _named(parts: Sequence[str]) -> str:
    if not any(parts):
        return ""
    more = len(parts) - MOST_PARTS
    names = (*parts[:MOST_PARTS], f"{more} more") if more > 0 else tuple(parts)
    return f" ({listed(names)})"


def _all_of(of: Attribution, whole: dict[Axis, tuple[str, ...]]) -> Iterator[str]:
    """Yield over which values of the other axes it is the same."""
    for axis, values in whole.items():
        if axis is of.axis or len(values) < 2:
            continue
        left = f" but {listed(of.left_out)}, where it is not applicable" if axis is Axis.KERNEL and of.left_out else ""
        name = "on every kernel" if axis is Axis.KERNEL else f"with every {axis}"
        yield f"{name}{left}"


def _values(report: Report, axis: Axis) -> tuple[str, ...]:
    """Return the values that the rows have of an axis."""
    return tuple(dict.fromkeys(getattr(kernel, _FIELDS[axis]) for kernel in report.kernels))
