"""Reports for the tests of report.html in a browser: small, with everything in its place."""

from __future__ import annotations

from dataclasses import replace

from reports_sample import BUG, PASSED, REFUSED, WORKS, kernel, nasty_report

from harness.model.results import CellResult, Mark, Origin, Outcome, OutcomeKind, PartResult, Report, Stage, Verdict

KERNELS = ("6.1-x86_64", "6.12-x86_64", "7.3-x86_64", "6.1-arm64", "6.12-arm64", "7.3-riscv64", "7.4-riscv64")
CASES = tuple(f"{family}-{name}" for family in ("kprobe", "freplace") for name in ("one", "two", "three", "four"))
LOG = "0: R1=ctx() R10=fp0\nR1 invalid mem access 'scalar'\nprocessed 1 insns (limit 1000000)\n"
REFUSAL = Outcome(
    kind=OutcomeKind.REFUSED,
    reason="the verifier refused trace_fentry",
    stage=Stage.LOAD_TRACER,
    errno=13,
    errno_name="EACCES",
    origin=Origin.SYSTEM_CALL,
    refusal="context-not-known",
    log=LOG,
    stages={"open": 0.0121, "load-target": 0.0334, "load-tracer": 0.004},
)
CRASH = Outcome(
    kind=OutcomeKind.CRASHED,
    reason="the kernel died: BUG: TASK stack guard page was hit",
    stage=Stage.TRIGGER,
    crash="BUG: TASK stack guard page was hit\nRIP: 0010:bpf_prog_1",
    console_tail=("[ 1.0] all is well", "Kernel panic - not syncing"),
)
MARKED = replace(PASSED, mark=Mark.DID_NOT_RUN, mark_reason="attached, but the workload did not make it run")
ANSWERS = {
    ("6.1-x86_64", "freplace-two"): (CRASH, BUG, Verdict.KNOWN_BUG),
    ("6.12-x86_64", "kprobe-two"): (REFUSAL, WORKS, Verdict.FAIL),
    ("7.3-x86_64", "kprobe-two"): (REFUSAL, WORKS, Verdict.FAIL),
    ("6.1-arm64", "kprobe-one"): (REFUSAL, REFUSED, Verdict.XFAIL),
    ("6.12-arm64", "kprobe-three"): (replace(REFUSAL, refusal="no-trampoline"), REFUSED, Verdict.XFAIL),
    ("6.12-arm64", "freplace-four"): (MARKED, WORKS, Verdict.PASS),
}
"""The cells that are not plain."""


def mixed_report(cases: tuple[str, ...] = CASES) -> Report:
    """Return a report of three architectures; all kernels of riscv64 passed all cases."""
    cells = tuple(
        CellResult(
            kernel=name,
            case=case,
            title=f"what {case} tries",
            outcome=outcome,
            expectation=expectation,
            verdict=verdict,
            verdict_reason=f"{verdict} for a reason",
            parts=_parts() if verdict is Verdict.FAIL else (),
        )
        for name in KERNELS
        for case in cases
        for outcome, expectation, verdict in [ANSWERS.get((name, case), (PASSED, WORKS, Verdict.PASS))]
    )
    return Report(
        run=replace(nasty_report().run, complete=True, notices=(), command="bpfmatrix matrix"),
        kernels=tuple(kernel(name, arch=name.split("-")[1], distribution="debian") for name in KERNELS),
        cases=tuple((case, f"what {case} tries") for case in cases),
        cells=cells,
    )


def _parts() -> tuple[PartResult, ...]:
    works = replace(PASSED, measured={"verified-instructions": 42, "jited-bytes": 99})
    return (
        PartResult(name="prog_works", outcome=works, verdict=Verdict.PASS, verdict_reason="works", about="kprobe/a"),
        PartResult(name="prog_not", outcome=REFUSAL, verdict=Verdict.FAIL, verdict_reason="refused", about="fentry/b"),
    )
