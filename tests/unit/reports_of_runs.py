"""The report of a run of `check` of one object with one program, on one kernel."""

from __future__ import annotations

from harness.model.results import (
    CellResult,
    Expectation,
    KernelResult,
    Outcome,
    OutcomeKind,
    PackageInfo,
    PartResult,
    Report,
    RunInfo,
    Stage,
    Verdict,
)


def report_of(kind: OutcomeKind, stage: Stage | None = None) -> Report:
    """Return the report: the program `it` of the object `mine` did `kind`, and so did all of them together."""
    outcome = Outcome(kind=kind, reason="as it did", stage=stage)
    parts = tuple(
        PartResult(name=name, outcome=outcome, verdict=Verdict.PASS, verdict_reason="", about=about)
        for name, about in (("it", "xdp"), ("all-together", ""))
    )
    cell = CellResult(
        kernel="row",
        case="mine",
        title="mine.o",
        outcome=outcome,
        expectation=Expectation(outcome=OutcomeKind.WORKS, reason=""),
        verdict=Verdict.PASS,
        verdict_reason="",
        parts=parts,
    )
    package = PackageInfo(source="debian", name="linux-image", version="6.1.1-1", sha256="0")
    run = RunInfo(
        id="run",
        started="2026-11-30T12:00:00+00:00",
        seconds=1.0,
        version="1",
        command="check",
        host={},
        accel="tcg",
        accel_reason="",
        jobs=1,
        complete=True,
        exit_code=0,
    )
    return Report(
        run=run,
        kernels=(KernelResult(name="row", arch="x86_64", package=package),),
        cases=(("mine", "mine.o"),),
        cells=(cell,),
    )
