"""Reports for the tests of what is asked of finished runs: small grids, made of a word per cell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.answers.bisected import Bisected, Tried
from harness.answers.bisection import Boundary, Is
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

EXPECTED = Expectation(outcome=OutcomeKind.WORKS, reason="it should")
WORKS = Outcome(kind=OutcomeKind.WORKS, reason="every event came")
REFUSED = Outcome(
    kind=OutcomeKind.REFUSED,
    reason="the verifier said no",
    stage=Stage.LOAD_TRACER,
    errno=22,
    errno_name="EINVAL",
    refusal="attach-target",
)
OTHERWISE = Outcome(
    kind=OutcomeKind.REFUSED, reason="not permitted", stage=Stage.LOAD_TRACER, errno=1, errno_name="EPERM"
)
LOST = Outcome(kind=OutcomeKind.LOST, reason="the guest fell silent")
UNRUN = Outcome(kind=OutcomeKind.NOT_RUN, reason="the run was interrupted")
NOTHING = Outcome(kind=OutcomeKind.NOT_APPLICABLE, reason="no such module", cause="module", cause_name="veth")

CELLS: Mapping[str, tuple[Verdict, Outcome]] = {
    "pass": (Verdict.PASS, WORKS),
    "fail": (Verdict.FAIL, REFUSED),
    "other": (Verdict.FAIL, OTHERWISE),
    "xfail": (Verdict.XFAIL, REFUSED),
    "xpass": (Verdict.XPASS, WORKS),
    "answered": (Verdict.ANSWERED, WORKS),
    "unruled": (Verdict.ANSWERED, REFUSED),
    "lost": (Verdict.ERROR, LOST),
    "not-run": (Verdict.NOT_RUN, UNRUN),
    "nothing": (Verdict.NOT_APPLICABLE, NOTHING),
}
"""What a cell may be, by the word that a test has for it."""


def part(name: str, word: str) -> PartResult:
    verdict, outcome = CELLS[word]
    return PartResult(name=name, outcome=outcome, verdict=verdict, verdict_reason=outcome.reason)


def cell(kernel: str, case: str, word: str, **more: Any) -> CellResult:
    verdict, outcome = CELLS[word]
    known: dict[str, Any] = {
        "title": case,
        "outcome": outcome,
        "expectation": EXPECTED,
        "verdict": verdict,
        "verdict_reason": outcome.reason,
    }
    return CellResult(kernel=kernel, case=case, **(known | more))


def kernel(name: str, package_version: str = "", **more: Any) -> KernelResult:
    """A row of Debian's; its package's version begins as its name does where it is not given."""
    version = package_version or f"{name.partition('-')[0]}.1-1"
    known: dict[str, Any] = {
        "arch": name.partition("-")[2] or "x86_64",
        "release": f"{version}-amd64",
        "version": version.partition("-")[0],
        "distribution": "debian",
        "package": PackageInfo(source="debian", name="linux-image", version=version, sha256="0" * 64),
    }
    return KernelResult(name=name, **(known | more))


def run(name: str = "20260101T000000Z", **more: Any) -> RunInfo:
    known: dict[str, Any] = {
        "id": name,
        "started": f"{name[:4]}-{name[4:6]}-{name[6:8]}T{name[9:11]}:{name[11:13]}:{name[13:15]}Z",
        "seconds": 1.0,
        "version": "1.0",
        "command": "bpfmatrix matrix",
        "host": {},
        "accel": "tcg",
        "accel_reason": "",
        "jobs": 1,
        "complete": True,
        "exit_code": 0,
    }
    return RunInfo(**(known | more))


def report(
    cells: Mapping[str, Mapping[str, str | CellResult]],
    *,
    kernels: Mapping[str, KernelResult] | None = None,
    **of_run: Any,
) -> Report:
    """A report of cells by row, then case: each a word of `CELLS`, or a cell."""
    found = [
        each if isinstance(each, CellResult) else cell(row, case, each)
        for row, cases in cells.items()
        for case, each in cases.items()
    ]
    return Report(
        run=run(**of_run),
        kernels=tuple((kernels or {}).get(row) or kernel(row) for row in cells),
        cases=tuple({case: case for cases in cells.values() for case in cases}.items()),
        cells=tuple(found),
    )


NEWER = """\
linux (6.1.2-1) bookworm; urgency=medium

  * New upstream stable update:
    - bpf: Fix a leak
    - net: freplace is a word here
    - bpf: Prevent tailcall infinite loop caused by freplace
    - ext4: Something
    - ext4: quota of mine
"""


def bisected(older: str, newer: str) -> Bisected:
    tried = {
        index: Tried(version=f"6.1.{index + 1}-1", row=f"r{index}", is_=is_, seen=None, folder=Path("results"))
        for index, is_ in enumerate((Is.GOOD, Is.BAD))
    }
    return Bisected(
        kernel="6.1-x86_64",
        case="freplace-loop",
        versions=("6.1.1-1", "6.1.2-1"),
        tried=tried,
        found=Boundary(before=0, after=1, between=()),
        changelogs=(older, newer),
    )
