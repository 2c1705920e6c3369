"""The facts of one row: everything that its guests gave, or why there was none. Nothing is judged here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from harness.errors import BuildError, CompileError
from harness.facts.records import CaseRecord, KernelLog
from harness.facts.session import SessionFacts
from harness.model.distributions import distribution_of, number_of
from harness.model.results import Fault, OutcomeKind, PackageInfo, Start
from harness.model.rows import Row

NO_PACKAGE = PackageInfo(source="", name="", version="", sha256="")
"""The package of a kernel that was never obtained."""


@dataclass(frozen=True, kw_only=True)
class BuildFault:
    """Why the objects of a case cannot be had: a sentence, and the compiler's text where it was the compiler.

    `refused` says that it is the compiler of the row that refuses what another one of the axis compiles.
    """

    reason: str
    log: str = ""
    refused: bool = False


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why no case of a row has an answer: it was not reached, or whatever should have run it failed.

    `wrong_input` says that the user's own input is why, `fault` whose fault it is; None in older journals.
    """

    kind: Literal[OutcomeKind.LOST, OutcomeKind.NOT_RUN]
    reason: str
    wrong_input: bool = False
    fault: Fault | None = None


@dataclass(frozen=True, kw_only=True)
class KernelFacts:
    """The facts of one row, by case where they are a case's.

    `compiler` is the version of the compiler that made its objects, where that is an axis; `release` is that of the
    kernel's files, "" where it is not known before the kernel says it. `seconds` is by phase,
    summed over all guests, `fetch` among them; `boots` counts the guests, `memory` is the most that one of their QEMUs
    took of the host's, in MiB. `starts` says how the guest of each case was started; `faults` are the cases whose
    objects could not be built, which no guest had. With `failure` there are no records. `inputs` are the hashes of what
    went into the answers (harness/run/inputs.py); `run` is the id of the run whose guests gave them, "" for the run
    that has these facts.
    """

    row: Row
    arch: str
    compiler: str = ""
    release: str = ""
    package: PackageInfo = NO_PACKAGE
    accel: str = ""
    transport: str = ""
    qemu_version: str = ""
    environment: Mapping[str, Any] = field(default_factory=dict)
    records: Mapping[str, CaseRecord] = field(default_factory=dict)
    starts: Mapping[str, Start] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    notices: tuple[str, ...] = ()
    console_tail: tuple[str, ...] = ()
    boots: int = 0
    memory: float = 0.0
    boot_logs: tuple[KernelLog, ...] = ()
    faults: Mapping[str, BuildFault] = field(default_factory=dict)
    failure: Failure | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    run: str = ""

    @property
    def distribution(self) -> str:
        """Whose kernel it is (harness/model/distributions.py): the source says so, else the kernel; "" where nobody."""
        return distribution_of(self.package.distribution, self.environment)

    @property
    def version(self) -> str:
        """The version that rules compare with, "" where the distribution's kernels have none that would do.

        Of a guest that has said nothing it is that of the kernel's files. Debian's release names the ABI
        ("6.1.0-50-cloud-amd64"), its version string the real version ("... Debian 6.1.176-1 (2026-...)").
        """
        return version_of(self.environment, self.package.version or self.release, known=self.package.distribution)


def version_of(environment: Mapping[str, object], fallback: str, *, known: str = "") -> str:
    """Return the version of the kernel that a guest said it runs, `fallback` where it said nothing.

    `known` is the distribution that the kernel's source names. "" where its kernels have no version to compare with.
    """
    return number_of(distribution_of(known, environment), environment, fallback=fallback)


def with_session(facts: KernelFacts, session: SessionFacts, *, counts: bool = True) -> KernelFacts:
    """Return the facts of a row with those of one more of its guests.

    Without `counts` the guest has cost something, and nothing that it said is kept: it is started again.
    """
    seconds = dict(facts.seconds)
    for phase, value in session.seconds.items():
        seconds[phase] = seconds.get(phase, 0.0) + value
    starts = dict.fromkeys(session.records, session.start) if session.start is not None else {}
    cost = replace(
        facts,
        boots=facts.boots + 1,
        seconds=seconds,
        console_tail=session.console_tail,
        memory=max(facts.memory, session.memory),
        notices=(*facts.notices, *session.notices),
        starts={**facts.starts, **starts},
    )
    if not counts:
        return cost
    return replace(
        cost,
        records={**facts.records, **session.records},
        environment={**session.environment, **facts.environment},
        problems=(*facts.problems, *session.problems),
        boot_logs=(*facts.boot_logs, session.boot_log),
    )


def fault_of(error: BuildError, *, refused: bool = False) -> BuildFault:
    """Return what is known of a case whose objects cannot be built; `refused` is that of BuildFault."""
    if not isinstance(error, CompileError):
        return BuildFault(reason=str(error))
    first = next((line.strip() for line in error.log.splitlines() if "error:" in line), "")
    return BuildFault(reason=f"{error.reason}{': ' if first else ''}{first}", log=error.log, refused=refused)
