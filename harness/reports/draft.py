"""Rules drafted from what a run saw, in the form of check.yaml; their reasons are left to be filled in. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.errors import ConfigError
from harness.model.results import THE_KERNELS, KernelResult, Outcome, OutcomeKind, PartResult, Report, Stage, Verdict
from harness.model.versions import kernel_version
from harness.reports import text

FILL_IN = "FILL IN"
"""What a drafted rule has where its author must say something: config/check.py refuses it."""
Series = tuple[int, int]


@dataclass(frozen=True)
class _Seen:
    """What a rule would say of a part: its keys, and whose kernels it is for where nothing was expected."""

    part: str
    keys: tuple[tuple[str, str], ...]
    distribution: str = ""


@dataclass
class _Where:
    """Where something was seen: the series of kernels by architecture."""

    series: dict[str, set[Series]] = field(default_factory=dict)
    kernels: list[str] = field(default_factory=list)


def draft(report: Report) -> str:
    """Return the text of `expect` for each object of a run whose programs were refused unexpectedly.

    A refusal becomes a rule with its stage, errno and class, for the kernels that it was seen on. What has an answer
    that no rule covers becomes one for that distribution's kernels, also where it works. What misbehaved, died or has
    no answer becomes a remark: no one has an expectation of it.
    """
    blocks = [_of_case(report, case) for case, _ in report.cases]
    found = [block for block in blocks if block]
    return "\n".join(found) if found else "# Nothing to accept: no program was refused unexpectedly.\n"


def _of_case(report: Report, case: str) -> str:
    seen: dict[_Seen, _Where] = {}
    remarks: list[str] = []
    answered: dict[tuple[str, str], dict[str, set[Series]]] = {}
    for kernel in report.kernels:
        cell = report.cell(kernel.name, case)
        series = _series(kernel.version)
        for part in cell.parts:
            of = (part.name, _whose(part, kernel))
            answered.setdefault(of, {}).setdefault(kernel.arch, set()).update([series] if series else [])
        for part in _own_faults(cell.parts):
            keys, whose = _keys(part.outcome), _whose(part, kernel)
            if not keys or (series is None and not whose):
                remarks.append(f"# {part.name} on {kernel.name}: {text.one_line(part.verdict_reason)}")
                continue
            where = seen.setdefault(_Seen(part.name, keys, whose), _Where())
            where.series.setdefault(kernel.arch, set()).update([series] if series else [])
            where.kernels.append(kernel.name)
    if not seen and not remarks:
        return ""
    lines = [f"# {case}, drafted from {report.run.id}"]
    if seen:
        lines.append("expect:")
        lines += [
            line
            for found, where in seen.items()
            for line in _rule(found, where, answered[found.part, found.distribution])
        ]
    return "\n".join(
        [*lines, *(["# Not drafted, since no rule should make them right:"] if remarks else []), *remarks, ""]
    )


def _own_faults(parts: Sequence[PartResult]) -> Iterator[PartResult]:
    """Yield the parts that did not do as expected, but for all together where that was refused as one of them was."""
    wrong = [part for part in parts if part.verdict in (Verdict.FAIL, Verdict.ERROR, Verdict.ANSWERED)]
    refused = {_keys(part.outcome) for part in wrong if part.about and part.outcome.kind is not OutcomeKind.WORKS}
    yield from (part for part in wrong if part.about or _keys(part.outcome) not in refused)


def _whose(part: PartResult, kernel: KernelResult) -> str:
    """Return the distribution that a rule for a part must name: that of a kernel of which nothing was expected."""
    return kernel.distribution if part.verdict is Verdict.ANSWERED else ""


def _keys(outcome: Outcome) -> tuple[tuple[str, str], ...]:
    """Return what a rule says of what works, of a refusal, or of an unmet precondition; nothing of the rest."""
    if outcome.kind is OutcomeKind.WORKS:
        return (("outcome", "works"),)
    if outcome.kind is OutcomeKind.NOT_APPLICABLE and outcome.cause:
        return (
            ("outcome", "not-applicable"),
            (outcome.cause, outcome.cause_name),
            ("errno", str(outcome.errno_name)),
        )
    if outcome.kind is not OutcomeKind.REFUSED or outcome.stage in (None, Stage.BUILD):
        return ()
    keys = [("outcome", "refused"), ("stage", str(outcome.stage))]
    keys += [("errno", outcome.errno_name)] if outcome.errno_name else []
    keys += [("origin", str(outcome.origin))] if outcome.origin and outcome.origin not in THE_KERNELS else []
    keys += [("refusal", outcome.refusal)] if outcome.refusal and outcome.refusal != "unclassified" else []
    return tuple(keys)


def _rule(found: _Seen, where: _Where, answered: Mapping[str, set[Series]]) -> Iterator[str]:
    """Yield the lines of a rule; more than one where architectures differ in their versions."""
    groups: dict[str, list[str]] = {}
    for arch, series in where.series.items():
        groups.setdefault(_versions(series, answered[arch]), []).append(arch)
    for versions, arches in groups.items():
        yield f"  - program: {found.part}"
        if found.distribution:
            yield f"    distribution: {found.distribution}"
        if found.distribution and not any(where.series.values()):  # no number tells these kernels from others
            yield f"    kernel: [{', '.join(where.kernels)}]"
        if set(arches) != set(answered):
            yield f"    arch: [{', '.join(arches)}]"
        if versions:
            yield f"    version: {json.dumps(versions)}"
        yield from (f"    {key}: {value}" for key, value in found.keys)
        yield f'    reason: "{FILL_IN}: why is it so on {text.one_line(", ".join(where.kernels), limit=200)}?"'
        if dict(found.keys)["outcome"] != OutcomeKind.WORKS:
            yield f'    source: "{FILL_IN}: a commit, a line of the kernel, a page"'


def _versions(seen: set[Series], answered: set[Series]) -> str:
    """Return the range that has the series where something was seen, and none of the others that answered."""
    others = answered - seen
    if not others:
        return ""
    if max(seen) < min(others):
        return f"<{_dotted(min(others))}"
    if min(seen) > max(others):
        return f">={_dotted(min(seen))}"
    return " | ".join(f">={_dotted(each)},<{each[0]}.{each[1] + 1}" for each in sorted(seen))


def _series(version: str) -> Series | None:
    try:
        found = kernel_version(version)
    except ConfigError:
        return None
    return found.major, found.minor


def _dotted(series: Iterable[int]) -> str:
    return ".".join(map(str, series))
