"""A large report whose evidence is as it is in real runs: other logs, events and deaths in nearly every cell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reports_sample import BUG, REFUSED, WORKS, connection, kernel, nasty_report

from harness.model.results import CellResult, Expectation, Origin, Outcome, OutcomeKind, Report, Stage, Verdict

ARCHES = ("x86_64", "arm64", "riscv64", "s390x", "ppc64le")
STAGES = {"open": 0.0121, "load-target": 0.0334, "load-tracer": 0.0102, "attach-tracer": 0.002, "trigger": 0.105}


def large_report(kernels: int, cases: int) -> Report:
    """Return a report of so many kernels and cases: of ten cells six passed, three were refused, one has a bug."""
    names = [f"{5 + n % 3}.{n}-{ARCHES[n % 5]}" for n in range(kernels)]
    ids = [(f"case-{n}-of-many", f"the case number {n}, which traces a program and looks at it") for n in range(cases)]
    cells = tuple(
        CellResult(
            kernel=name,
            case=case,
            title=title,
            outcome=outcome,
            expectation=replace(expectation, source=f"{expectation.source}, function_{c}()"),
            verdict=verdict,
            verdict_reason=f"{verdict} of case {c}",
        )
        for k, name in enumerate(names)
        for c, (case, title) in enumerate(ids)
        for outcome, expectation, verdict in [_answer(k, c)]
    )
    of = nasty_report()
    return Report(
        run=replace(of.run, complete=True, exit_code=0, notices=(), accel_reason="/dev/kvm is missing"),
        kernels=tuple(kernel(name, arch=ARCHES[n % 5], distribution="debian") for n, name in enumerate(names)),
        cases=tuple(ids),
        cells=cells,
    )


def _answer(k: int, c: int) -> tuple[Outcome, Expectation, Verdict]:
    number = k * 7919 + c * 104729
    kind = (k // 3 + c) % 10
    if kind < 6:
        kinds = enumerate(("fentry", "kprobe", "fexit"))
        events = tuple({**connection(each), "sport": 32768 + (number + at) % 28000} for at, each in kinds)
        return _outcome(OutcomeKind.WORKS, number, events=events, reason="every event came"), WORKS, Verdict.PASS
    if kind < 9:
        log = "".join(f"{n}: (79) r{n % 9} = *(u64 *)(r1 +{(number + n * 8) % 4096})\n" for n in range(12 + number % 9))
        refused = _outcome(
            OutcomeKind.REFUSED,
            number,
            stage=Stage.LOAD_TRACER,
            errno=13,
            errno_name="EACCES",
            origin=Origin.SYSTEM_CALL,
            refusal=("context-not-known", "no-trampoline", "busy")[number % 3],
            log=f"{log}R1 invalid mem access 'scalar'\nprocessed {number % 99} insns\n",
            reason=f"the verifier refused program_{c}",
            asked={"api": "bpf_object__load", "program": f"program_{c}", "attach_btf_id": number % 9999},
        )
        return refused, REFUSED, Verdict.XFAIL
    trace = "\n".join(f"[{number % 97}.{n:06}] RAX: {number * n:016x} RBX: {number * 31 * n:016x}" for n in range(14))
    died = _outcome(
        OutcomeKind.CRASHED,
        number,
        stage=Stage.TRIGGER,
        crash=f"BUG: TASK stack guard page was hit at {number:016x}\n{trace}",
        reason="the kernel died",
        console_tail=tuple(trace.splitlines()),
    )
    return died, BUG, Verdict.KNOWN_BUG


def _outcome(kind: OutcomeKind, number: int, **more: Any) -> Outcome:
    stages = {stage: round(seconds + number % 97 / 1e4, 4) for stage, seconds in STAGES.items()}
    return Outcome(kind=kind, seconds=round(0.1 + number % 977 / 1e3, 3), stages=stages, **more)
