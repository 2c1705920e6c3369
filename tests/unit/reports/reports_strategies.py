"""Hypothesis strategies: whole Reports out of any text that Python can hold."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from harness.model.results import (
    AllowedSplat,
    CellResult,
    Difference,
    DifferenceKind,
    Expectation,
    ExpectedDifference,
    KernelResult,
    Outcome,
    OutcomeKind,
    PackageInfo,
    PartResult,
    Report,
    RunInfo,
    Stage,
    Start,
    Verdict,
)

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""No time limit per example: a busy machine must not turn a property red."""

ANY_TEXT = st.text(st.characters(), max_size=30)
"""Any code points, lone surrogates and control characters too."""

SEEDED = st.sampled_from(["\x1b[31m", "\x00", "]]>", "```", "|", "<b>", "&amp;", "\r\n", "- x", "1. x", "\\", "_"])
HOSTILE = st.lists(st.one_of(ANY_TEXT, SEEDED), max_size=6).map("".join)
CARRIED = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
"""Text that report.json carries unchanged: all but lone surrogates."""


def _seconds() -> st.SearchStrategy[float]:
    return st.floats(min_value=0, max_value=1e6)


def reports(texts: st.SearchStrategy[str], *, verdicts: st.SearchStrategy[Verdict] | None = None) -> Any:
    """Return a strategy for Reports with a whole grid, all their text drawn from `texts`."""
    chosen = verdicts or st.sampled_from(Verdict)
    lines = st.lists(texts, max_size=3).map(tuple)
    values = st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=6,
    )
    ends = {"saddr": texts, "daddr": texts, "sport": st.integers(0, 65535), "dport": st.integers(0, 65535)}
    connections = st.fixed_dictionaries({"kind": texts, **ends, "retval": st.none() | st.integers(-9, 9)})
    events = st.lists(connections | st.dictionaries(texts, values, max_size=3), max_size=3).map(tuple)
    packages = st.builds(
        PackageInfo, **dict.fromkeys(["source", "name", "version", "sha256", "suite", "notice"], texts)
    )
    kernels = st.builds(
        KernelResult,
        **dict.fromkeys(["name", "arch", "release", "version", "accel", "transport", "qemu_version"], texts),
        libbpf_version=texts,
        package=st.none() | packages,
        seconds=st.dictionaries(texts, _seconds(), max_size=3),
        environment=st.dictionaries(texts, values, max_size=3),
        boots=st.integers(0, 9),
        memory=_seconds(),
        problems=lines,
        console_tail=lines,
    )
    allowed = st.builds(
        AllowedSplat, **dict.fromkeys(["line", "pattern", "reason", "link", "expires"], texts), count=st.integers(1, 9)
    )
    shown = st.lists(st.dictionaries(texts, values, max_size=2), max_size=2).map(tuple)
    seen = st.none() | st.integers(-9, 2**40) | texts | shown
    differ = {"step": texts, "kind": st.sampled_from(DifferenceKind), "of": texts, "seen": seen}
    differences = st.builds(Difference, text=texts, stage=st.none() | st.sampled_from(Stage), **differ)
    outcomes = st.builds(
        Outcome,
        kind=st.sampled_from(OutcomeKind),
        reason=texts,
        stage=st.none() | st.sampled_from(Stage),
        errno=st.none() | st.integers(1, 600),
        errno_name=st.none() | texts,
        refusal=texts,
        advice=texts,
        log=texts,
        events=events,
        splats=lines,
        allowed_splats=st.lists(allowed, max_size=2).map(tuple),
        differences=st.lists(differences, max_size=2).map(tuple),
        console_tail=lines,
        seconds=st.none() | _seconds(),
    )
    parts = st.builds(PartResult, name=texts, outcome=outcomes, verdict=st.sampled_from(Verdict), verdict_reason=texts)
    expectations = st.builds(
        Expectation,
        outcome=st.sampled_from(OutcomeKind),
        reason=texts,
        source=texts,
        stage=st.none() | st.sampled_from(Stage),
        errno=lines,
        refusal=texts,
        message=st.none() | texts,
        known_bug=st.booleans(),
        arch=lines,
        version=texts,
        since=lines,
        fixed=lines,
        differences=st.lists(st.builds(ExpectedDifference, **differ), max_size=2).map(tuple),
    )
    runs = st.builds(
        RunInfo,
        **dict.fromkeys(["id", "started", "version", "command", "accel", "accel_reason"], texts),
        seconds=_seconds(),
        host=st.dictionaries(texts, texts, max_size=3),
        jobs=st.integers(1, 9),
        complete=st.booleans(),
        exit_code=st.integers(0, 3),
        notices=lines,
    )
    cells = st.builds(
        CellResult,
        kernel=st.just(""),
        case=st.just(""),
        title=texts,
        outcome=outcomes,
        expectation=expectations,
        verdict=chosen,
        verdict_reason=texts,
        isolated=st.booleans(),
        start=st.none() | st.sampled_from(Start),
        parts=st.lists(parts, max_size=2, unique_by=lambda part: part.name).map(tuple),
    )

    @st.composite
    def whole(draw: st.DrawFn) -> Report:
        found_kernels = draw(st.lists(kernels, max_size=2, unique_by=lambda kernel: kernel.name))
        cases = draw(st.lists(st.tuples(texts, texts), max_size=2, unique_by=lambda case: case[0]))
        grid = [replace(draw(cells), kernel=kernel.name, case=case) for kernel in found_kernels for case, _ in cases]
        return Report(run=draw(runs), kernels=tuple(found_kernels), cases=tuple(cases), cells=tuple(grid))

    return whole()
