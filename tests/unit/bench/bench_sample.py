"""Fixed measurements, and the golden files of what is made of them (UPDATE_GOLDEN=1 writes these again)."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.bench.samples import (
    CaseSamples,
    Facts,
    KernelSize,
    MatrixSamples,
    Measurements,
    RunSample,
    Sizes,
    VirtmeSamples,
    run_sample,
)
from harness.model.results import (
    CellResult,
    Expectation,
    KernelResult,
    Outcome,
    OutcomeKind,
    Report,
    RunInfo,
    Start,
    Verdict,
)

GOLDEN = Path(__file__).parent / "golden"

COLD: Mapping[str, float] = {
    "fetch": 0.0625,
    "start": 0.25,
    "boot": 2.0,
    "connect": 0.25,
    "push": 0.125,
    "agent": 0.375,
    "cases": 0.375,
    "shutdown": 0.0625,
    "total": 3.5,
}
WARM: Mapping[str, float] = {
    "fetch": 0.0625,
    "start": 0.125,
    "boot": 0.1875,
    "connect": 0.125,
    "push": 0.0625,
    "agent": 0.0625,
    "cases": 0.375,
    "shutdown": 0.0625,
    "total": 1.0625,
}


def golden(name: str, text: str) -> None:
    """Fail where `text` is not the golden file `name`."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    assert text == path.read_text(), f"{path.name} differs; UPDATE_GOLDEN=1 writes it again"


def report(
    *,
    start: Start = Start.COLD,
    seconds: Mapping[str, float] | None = None,
    environment: Mapping[str, Any] | None = None,
    kernels: int = 1,
    cases: int = 1,
    run: float | None = None,
    outcome: OutcomeKind = OutcomeKind.WORKS,
    boots: int = 1,
) -> Report:
    """Return the report of a run over some kernels that all took the same."""
    seconds = dict(seconds or (COLD if start is Start.COLD else WARM))
    # 0.25 s of firmware: boot, connect and agent are 2.75 s, and the guest's clock says 2.5 s.
    environment = {"init_uptime": "1.5", "uptime": 2.5} if environment is None else environment
    names = [f"6.{number}-x86_64" for number in range(1, kernels + 1)]
    results = [
        KernelResult(
            name=name,
            arch="x86_64",
            release="6.1.0-50-cloud-amd64",
            seconds=dict(seconds),
            environment=dict(environment),
            boots=boots,
            memory=320.0 if start is Start.COLD else 144.0,
        )
        for name in names
    ]
    ids = [f"case-{number:02d}" for number in range(cases)]
    cells = [
        CellResult(
            kernel=name,
            case=case,
            title="",
            outcome=Outcome(kind=outcome, reason="as it was", seconds=0.0625),
            expectation=Expectation(outcome=OutcomeKind.WORKS, reason=""),
            verdict=Verdict.PASS if outcome is OutcomeKind.WORKS else Verdict.FAIL,
            verdict_reason="",
            start=start,
        )
        for name in names
        for case in ids
    ]
    total = kernels * seconds["total"]
    info = RunInfo(
        id="x",
        started="2026-01-31T23:59:59Z",
        seconds=total + 0.0625 if run is None else run,
        version="0",
        command="",
        host={},
        accel="tcg",
        accel_reason="",
        jobs=1,
        complete=True,
        exit_code=0,
    )
    return Report(run=info, kernels=tuple(results), cases=tuple((case, "") for case in ids), cells=tuple(cells))


def sample(start: Start, *, slower: float = 0.0, **changes: Any) -> RunSample:
    """Return the sample of one process, `slower` seconds slower than usual in its boot."""
    seconds = dict(COLD if start is Start.COLD else WARM)
    seconds["boot"] += slower
    seconds["total"] += slower
    found = report(start=start, seconds=seconds, **changes)
    return run_sample(found, process=found.run.seconds + 0.5, start=start)


FACTS = Facts(
    started="2026-01-31T23:59:59Z",
    seconds=700.5,
    version="0.1.0",
    command="bpfmatrix bench",
    host={"kernel": "6.1.0-44-amd64", "machine": "x86_64", "cpus": "2", "python": "3.11.2"},
    qemu="7.2.19",
    accel="tcg",
    accel_reason="the host has no /dev/kvm",
    kernel="6.1-x86_64",
    release="6.1.0-50-cloud-amd64",
    kernel_version="6.1.176-1",
    memory=256,
    cpus=1,
    case="kprobe-fentry-fexit",
    rounds=3,
)


def measurements() -> Measurements:
    """Return three rounds of everything."""
    slower = (0.0, 0.25, 0.125)
    cold = tuple(sample(Start.COLD, slower=each) for each in slower)
    warm = tuple(sample(Start.WARM, slower=each / 2) for each in slower)
    matrix = {
        start: {
            1: tuple(sample(start, kernels=4, slower=each) for each in slower),
            2: tuple(sample(start, kernels=4, slower=each, run=4.5 if start is Start.COLD else 2.5) for each in slower),
        }
        for start in Start
    }
    points = tuple(
        tuple(
            (count, replace(sample(Start.WARM), guest=count * 0.0625, run=1.0 + count * (0.0625 + each / 4)))
            for count in (1, 10, 30)
        )
        for each in slower
    )
    return Measurements(
        facts=FACTS,
        floor=(2.0, 2.25, 2.0),
        floor_shipped=(1.75, 2.0, 1.875),
        cold=cold,
        warm=warm,
        sizes=Sizes(
            image=20_085_248,
            image_downloaded=11_100_000,
            kernels=(
                KernelSize(
                    name="6.1-x86_64", disk=14_700_000, modules=400_000, snapshot=104_100_000, downloaded=26_484_304
                ),
                KernelSize(name="mine", disk=None, modules=0, snapshot=None, downloaded=None),
            ),
        ),
        virtme=VirtmeSamples(
            version="1.42",
            kernel="6.1-x86_64-generic",
            release="6.1.0-50-amd64",
            command="vng --run vmlinuz",
            seconds=(9.0, 9.5, 9.25),
            cold=tuple(sample(Start.COLD, slower=each + 1) for each in slower),
            warm=tuple(sample(Start.WARM, slower=each) for each in slower),
        ),
        matrix=MatrixSamples(kernels=("6.1-x86_64", "6.2-x86_64", "6.3-x86_64", "6.4-x86_64"), runs=matrix),
        added=tuple(CaseSamples(case=case, rounds=points) for case in ("subprog-global", "xdp")),
    )


def quick_measurements() -> Measurements:
    """Return one round without what may be left out."""
    whole = measurements()
    why = "virtme-ng is not installed"
    return replace(
        whole,
        facts=replace(FACTS, rounds=1),
        floor=whole.floor[:1],
        floor_shipped=whole.floor_shipped[:1],
        cold=whole.cold[:1],
        warm=(sample(Start.WARM, outcome=OutcomeKind.REFUSED, boots=2),),
        virtme=None,
        matrix=None,
        added=(),
        notes={"virtme_ng_over_cold": why, "virtme_ng_over_warm": why, "jobs2_over_ideal": "the matrix was left out"},
    )
