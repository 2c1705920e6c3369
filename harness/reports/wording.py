"""The sentences that reports and the terminal have in common: durations, expectations, outcomes.

All functions are pure; what they return is as clean as the values they are given.
"""

from __future__ import annotations

from harness.model.distributions import facts_of
from harness.model.results import (
    CAUSES,
    WHO,
    AllowedSplat,
    Expectation,
    KernelResult,
    Outcome,
    OutcomeKind,
    PackageInfo,
    Stage,
)
from harness.model.shards import Shard
from harness.reports.grid import plural


def duration(seconds: float | None) -> str:
    """Return `seconds` for a reader: `7.4 s`, from two minutes on `2 min 05 s`; `-` where there is none."""
    if seconds is None:
        return "-"
    if seconds < 119.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def errno(outcome: Outcome) -> str:
    """Return the errno of `outcome` with its name and number, `EINVAL (22)`; empty where there is none."""
    if outcome.errno is None:
        return outcome.errno_name or ""
    return f"{outcome.errno_name} ({outcome.errno})" if outcome.errno_name else str(outcome.errno)


def expected(expectation: Expectation) -> str:
    """Return what a case expects on one kernel, as one line: the outcome, its details, reason and source."""
    said = expected_outcome(expectation)
    if expectation.reason:
        said += f": {expectation.reason}"
    if expectation.source and not expectation.unruled:
        said += f" [{expectation.source}]"
    kernels = covered(expectation)
    return f"{said} [rule for {kernels}]" if kernels else said


def expected_outcome(expectation: Expectation) -> str:
    """Return which outcome a case expects on one kernel, and how it looks."""
    if expectation.unruled:
        return "nothing"
    parts = [str(expectation.outcome)]
    if expectation.stage:
        parts.append(f"at {expectation.stage}")
    if expectation.errno:
        parts.append(f"with {' or '.join(expectation.errno)}")
    if expectation.origin:
        parts.append(f"by {' or by '.join(WHO[origin] for origin in expectation.origin)}")
    if expectation.refusal:
        parts.append(f"as {expectation.refusal}")
    if expectation.message:
        parts.append(f'saying "{expectation.message}"')
    if expectation.cause:
        parts.append(f"because of the {CAUSES.get(expectation.cause, expectation.cause)} {expectation.cause_name}")
    parts += _signature(expectation)
    if expectation.known_bug:
        parts.append("(a known bug)")
    return " ".join(parts)


def covered(expectation: Expectation) -> str:
    """Return which kernels the rule of `expectation` covers, as one line; empty where it covers all."""
    parts = [listed(each) for each in (expectation.kernel, expectation.config, expectation.distribution) if each]
    if expectation.arch:
        parts.append(listed(expectation.arch))
    if expectation.version:
        parts.append(expectation.version)
    if expectation.since:
        parts.append(f"since {listed(expectation.since)}")
    if expectation.fixed:
        parts.append(f"fixed in {listed(expectation.fixed)}")
    return "; ".join(parts)


def listed(items: tuple[str, ...]) -> str:
    """Return some names as a sentence lists them; there is one at least."""
    *first, last = items
    return f"{', '.join(first)} and {last}" if first else last


def _signature(expectation: Expectation) -> list[str]:
    """Return the parts of a signature as clauses."""
    clauses = []
    if expectation.step:
        clauses.append(f'in the step "{expectation.step}"')
    if expectation.panic:
        clauses.append(f"dying of {' or '.join(f'/{pattern}/' for pattern in expectation.panic)}")
    if expectation.reset:
        clauses.append("reset without any text" if not expectation.panic else "or reset without any text")
    clauses += [f"complaining /{pattern}/" for pattern in expectation.splats]
    if expectation.differences:
        from harness.judge.signature import describe  # noqa: PLC0415  it brings all models of cases, and most need none

        clauses.append(f"showing {'; '.join(describe(each) for each in expectation.differences)}")
    return clauses


def happened(outcome: Outcome) -> str:
    """Return what the kernel did, as one line: the outcome, who refused, the class, the reason, the advice."""
    kind = f"{outcome.kind} by {WHO[outcome.origin]}" if outcome.origin else str(outcome.kind)
    if outcome.refusal:
        kind = f"{kind} ({outcome.refusal})"
    said = f"{kind}: {outcome.reason}" if outcome.reason else kind
    if outcome.candidates:
        said = f"{said} Candidates, none of which is known to be it: {'; '.join(outcome.candidates)}."
    return f"{said} Advice: {outcome.advice}" if outcome.advice else said


def brief(outcome: Outcome) -> str:
    """Return what the kernel did, in as few words as tell two outcomes apart: `refused at load-tracer with EINVAL`."""
    said = str(outcome.kind)
    if outcome.stage and outcome.kind is not OutcomeKind.WORKS:
        said += f" at {outcome.stage}"
    if outcome.errno_name or outcome.errno:
        said += f" with {outcome.errno_name or outcome.errno}"
    if outcome.refusal:
        said += f" ({outcome.refusal})"
    if outcome.step and outcome.kind is OutcomeKind.CRASHED:
        said += f' in the step "{outcome.step}"'
    if outcome.over_budget:
        said += ", over budget"
    return f"{said}, {outcome.mark}" if outcome.mark else said


def log_label(outcome: Outcome) -> str:
    """Return whose text the log of `outcome` is, as a label for it."""
    return "the compiler's text" if outcome.stage is Stage.BUILD else "the verifier's log"


def asked(outcome: Outcome) -> str:
    """Return what a refused step asked of libbpf and the kernel, as one line: `api: ..., program: ..., type: ...`."""
    return ", ".join(f"{key.replace('_', ' ')}: {value}" for key, value in outcome.asked.items() if value != "")


def allowed_splat(splat: AllowedSplat) -> str:
    """Return a splat that does not count, as one line: what was said, why it is allowed, where, and until when."""
    times = "" if splat.count == 1 else f" ({splat.count} times)"
    return f"{splat.line}{times}: {splat.reason} [{splat.link}], allowed until {splat.expires}"


def number(kernel: KernelResult) -> str:
    """Return whose kernel it is, and which number of it rules compare with: `ubuntu: of /proc/version_signature`."""
    whose, how = kernel.distribution, facts_of(kernel.distribution).how if kernel.release else ""
    return ": ".join(text for text in (whose, how) if text) or "-"


def package(info: PackageInfo | None) -> str:
    """Return where a kernel came from, as one line; `-` where that is not known."""
    if info is None:
        return "-"
    parts = [info.name, info.version, f"({info.suite or info.source})"]
    return " ".join(word for word in parts if word)


def shard(of: Shard | None) -> str:
    """Return which part of a larger run a run is; "" where it is all of it."""
    if of is None:
        return ""
    return f"{of.name} of a run of {plural(len(of.rows), 'kernel')} and {plural(len(of.cases), 'case')}"
