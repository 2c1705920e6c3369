"""The vocabulary of bpfmatrix as types: everything that flows from the plan to the reports.

All types are frozen: a stage of the pipeline makes new values, it never changes those it was given.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from harness.model.shards import Shard


class Stage(StrEnum):
    """Where a cell is, in the order in which a case passes through them."""

    BUILD = "build"
    """Before any guest: the case's objects are compiled and looked into. No kernel has a part in it."""
    OPEN = "open"
    LOAD_TARGET = "load-target"
    LOAD_TRACER = "load-tracer"
    ATTACH_TRACER = "attach-tracer"
    ATTACH_TARGET = "attach-target"
    TRIGGER = "trigger"
    OBSERVE = "observe"
    DETACH = "detach"


class OutcomeKind(StrEnum):
    """What the kernel did in one cell."""

    WORKS = "works"
    REFUSED = "refused"
    MISBEHAVES = "misbehaves"
    CRASHED = "crashed"
    LOST = "lost"
    NOT_RUN = "not-run"
    NOT_APPLICABLE = "not-applicable"


class Origin(StrEnum):
    """Who refused."""

    SYSTEM_CALL = "system-call"
    """A system call failed: the kernel said no."""
    LIBBPF_KERNEL = "libbpf-kernel"
    """libbpf, after it has read this kernel: its BTF, tracefs, symbols, configuration, or what it can do."""
    LIBBPF = "libbpf"
    """libbpf, as it would on any kernel."""
    UNKNOWN = "unknown"
    """No row of origins.py fits."""


THE_KERNELS = (Origin.SYSTEM_CALL, Origin.LIBBPF_KERNEL)
"""The origins of refusals that say something of this kernel; a rule without `origin` means these."""


WHO = {
    Origin.SYSTEM_CALL: "the kernel",
    Origin.LIBBPF_KERNEL: "libbpf after reading this kernel",
    Origin.LIBBPF: "libbpf alone, as on any kernel",
    Origin.UNKNOWN: "an unknown party",
}
"""Who refused, as a sentence says it: "refused by ..."."""

CAUSES = {"sysctl": "sysctl", "module": "module", "kconfig": "kernel option"}
"""What a kernel may not have that a case needs, by the key of a rule, and as a sentence says it."""


class Mark(StrEnum):
    """What a report says beside a verdict that is neither good nor bad."""

    DID_NOT_RUN = "did-not-run"
    """Attached, and the workload did not make it run."""
    NOT_COUNTED = "not-counted"
    """Nobody knows whether it ran: this kernel, or any, does not count the runs of such a program."""
    NOT_MEASURED = "not-measured"
    """Nobody knows whether it is within its budget: a number of it, or this kernel's limit, is not known."""


class Fault(StrEnum):
    """Whose fault it is that there is no answer."""

    INPUT = "input"
    """The user's own input cannot be used."""
    HARNESS = "harness"
    """bpfmatrix itself."""
    HOST = "host"
    """Something that the host must have is missing, or failed: a mirror, a program, the disk, QEMU."""
    ENDED = "ended"
    """The run ended, or was ended, before it."""


class Verdict(StrEnum):
    """An outcome compared with its expectation."""

    PASS = "pass"
    XFAIL = "xfail"
    KNOWN_BUG = "known-bug"
    FAIL = "fail"
    XPASS = "xpass"
    ANSWERED = "answered"
    """The kernel has an answer, and no rule of the case covers it: nothing was expected, neither good nor bad."""
    ERROR = "error"
    NOT_RUN = "not-run"
    NOT_APPLICABLE = "not-applicable"


UNEXPECTED = frozenset({Verdict.FAIL, Verdict.XPASS})
"""Verdicts of cells whose kernel did something else than the case says."""

INCOMPLETE = frozenset({Verdict.ERROR, Verdict.NOT_RUN})
"""Verdicts of cells that have no answer. exit_codes.py says what each asks for."""

KERNEL_STAGES = tuple(stage for stage in Stage if stage is not Stage.BUILD)
"""The stages in which a guest's kernel has a part: what a rule or a step may name."""


@dataclass(frozen=True, kw_only=True)
class AllowedSplat:
    """A complaint of the guest's kernel that `known-splats` of matrix.yaml allows.

    `line` is the splat's first line, or that of the first of `count`; `pattern`, `reason` and `link` are the
    entry's, and `expires` is its last day (YYYY-MM-DD).
    """

    line: str
    count: int
    pattern: str
    reason: str
    link: str
    expires: str


class DifferenceKind(StrEnum):
    """In what a step differed from what the case says of it."""

    EVENTS = "events"
    """Other events came than those that must be seen."""
    INSPECTED = "inspected"
    """A record, variable, map, printed line or count of runs is not as it must be."""
    RUNS = "runs"
    """A program that must run was attached, and did not."""
    KILLED = "killed"
    """The process that tried it was killed by a signal while the program was attached."""
    SILENCED = "silenced"
    """While the program was attached no answer came, in either of two guests."""
    RETVAL = "retval"
    """A test run returned another value."""
    FIELD = "field"
    """The kernel's info of a link or program has another value."""
    ACCEPTED = "accepted"
    """The kernel accepted what it must refuse."""
    REFUSED = "refused"
    """The kernel refused what it must accept, or refused it with another errno."""
    ORIGIN = "origin"
    """A refusal that must come is not the kernel's (or not that of whom the step names)."""
    MESSAGE = "message"
    """The log of a refusal that must come does not match its pattern."""
    STRAY = "stray"
    """An event carries a port of the trigger's connection, but not its addresses."""
    MISSING_STEPS = "missing-steps"
    """Steps that came before the guest's death were not reported."""
    EXIT = "exit"
    """A command, or a process that a trigger has started, ended otherwise than it must."""
    ARRIVED = "arrived"
    """Of the packets or connections of a trigger another number arrived than must."""
    OUTPUT = "output"
    """A command's output is not as it must be."""
    TESTS = "tests"
    """A command ended as it must, but what it wrote about its test cases is not all good."""
    EXPECTATION = "expectation"
    """An expectation of a scenario does not hold."""
    SCENARIO = "scenario"
    """A scenario ended with an exception, after an expectation that does not hold."""
    LEFT = "left"
    """Something of the case was still there after its end."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One thing that a step showed otherwise than it must.

    `step` is the step's name (harness/scenario/case.py, `step_names`). `of` says of what in the step: the side of an
    observation (`client`, `listener`, `trace`), or the name of a field. `seen` is what came instead: the events
    (dictionaries with `kind` and, where they have one, `retval` and `value`), a number, the name of an errno, how a
    command ended (its exit code, a signal's name, `deadline`).
    `text` is the sentence that a person reads.
    """

    step: str
    kind: DifferenceKind
    text: str
    stage: Stage | None = None
    of: str = ""
    seen: tuple[Mapping[str, Any], ...] | Any = None


@dataclass(frozen=True, kw_only=True)
class ExpectedDifference:
    """One difference that a signature names; the fields are those of `Difference`.

    Of an event in `seen` only the keys that are given are compared.
    """

    step: str
    kind: DifferenceKind
    of: str = ""
    seen: tuple[Mapping[str, Any], ...] | int | str | None = None


@dataclass(frozen=True, kw_only=True)
class OverBudget:
    """A number of a program (measures.py) that is larger than its budget: `value` instead of at most `most`.

    `text` is the sentence that a person reads.
    """

    program: str
    measure: str
    value: int
    most: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What the kernel did in one cell, with the evidence.

    `errno` is a positive number as in errno.h (524 is the kernel-internal ENOTSUPP); `log` is the verifier's own
    text, at the stage `build` the compiler's; `events` are the decoded records of the trigger's own connections in
    the order in which they were emitted; `origin` says who refused (origins.py), `refusal` is the class of a refusal
    (refusals.py; `unclassified` where no row explains it), `advice` what to do about it, `asked` what was asked of
    libbpf and the kernel, and `candidates` what may be behind a refusal without a class; `splats` are excerpts of the
    guest's kernel log, `allowed_splats` says which of them are allowed, and why, and `counted_splats` are those that
    are not; `differences` are what the steps showed otherwise than they must; `console_tail` holds the last lines of
    the console where the guest died or gave no answer; `wrong_input` says that there is no answer because of the
    user's own input (a source that does not compile, a mistake in the case), not because of the harness or its host;
    `fault` says whose fault it is where the whole row has none.

    Of a guest that died, `step` names the step that was under way, `crash` is the kernel's first complaint in that step
    with its trace, and `reset` is QEMU's reason where the machine was reset without any text. Where a precondition was
    not met, `cause` says of what kind it is (one of CAUSES) and `cause_name` which one; `errno_name` says why; `ours`
    says that bpfmatrix needs it, not the case.

    `mark` is what must be said beside the verdict, with `mark_reason`; `measured` are the numbers of a program, by the
    names of measures.py, and `programs` those of each program of a case that is not tried program by program, by
    `object.program`. `over_budget` says which of them are too large. `output` is what the case's command wrote, its
    middle left out where it is long. `xdp` says how the kernel runs each XDP program that was attached, by the name of
    its link: `native`, `generic`, `offload`.
    `stages` are the seconds that the steps of each stage took in the guest, as far as they were reported.
    """

    kind: OutcomeKind
    reason: str
    stage: Stage | None = None
    errno: int | None = None
    errno_name: str | None = None
    origin: Origin | None = None
    refusal: str = ""
    advice: str = ""
    asked: dict[str, Any] = field(default_factory=dict)
    candidates: tuple[str, ...] = ()
    log: str = ""
    events: tuple[dict[str, Any], ...] = ()
    splats: tuple[str, ...] = ()
    allowed_splats: tuple[AllowedSplat, ...] = ()
    counted_splats: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    step: str = ""
    crash: str = ""
    reset: str = ""
    cause: str = ""
    cause_name: str = ""
    ours: bool = False
    console_tail: tuple[str, ...] = ()
    seconds: float | None = None
    wrong_input: bool = False
    fault: Fault | None = None
    mark: Mark | None = None
    mark_reason: str = ""
    measured: Mapping[str, int] = field(default_factory=dict)
    output: str = ""
    xdp: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    over_budget: tuple[OverBudget, ...] = ()
    stages: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """What a case says should happen on some kernels: one rule, or, once it is chosen, what holds for one kernel.

    `kernel` (patterns of names), `config` (options as `NAME=VALUE`), `distribution`, `arch`, `version`, `since` and
    `fixed` say which kernels it covers, empty where they do not limit them. `unruled` is no rule's: no rule covers the
    kernel, and nothing is expected of it.
    `stage`, `errno`, `refusal` and `message` say how a refusal looks. The signature of a known bug is `stage`, `step`
    (of a crash: the step in which the kernel dies), `splats` (patterns, each of which some splat must match, and which
    together cover all of them), `differences` (all, and no others), `panic` (patterns of which one must match the
    kernel's first complaint) and `reset` (the machine may be reset without any text). `cause` and `cause_name` say
    which precondition a kernel does not meet for which a case means nothing.
    """

    outcome: OutcomeKind
    reason: str
    source: str = ""
    stage: Stage | None = None
    errno: tuple[str, ...] = ()
    origin: tuple[Origin, ...] = ()
    refusal: str = ""
    message: str | None = None
    known_bug: bool = False
    kernel: tuple[str, ...] = ()
    config: tuple[str, ...] = ()
    distribution: tuple[str, ...] = ()
    arch: tuple[str, ...] = ()
    version: str = ""
    since: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    step: str = ""
    splats: tuple[str, ...] = ()
    differences: tuple[ExpectedDifference, ...] = ()
    panic: tuple[str, ...] = ()
    reset: bool = False
    cause: str = ""
    cause_name: str = ""
    unruled: bool = False


@dataclass(frozen=True, kw_only=True)
class PartResult:
    """A sub-result of a cell: a program of an object, a test case of a command.

    `name` is unique in its cell; `about` says what it is, such as a program's section, where there is more to say.
    """

    name: str
    outcome: Outcome
    verdict: Verdict
    verdict_reason: str
    about: str = ""


@dataclass(frozen=True, kw_only=True)
class CellResult:
    """One kernel x one case: what was expected, what happened, what that means.

    `isolated` says that the case had a guest of its own; `parts` are its sub-results, in their order. What they come to
    is the cell's own verdict: counts and exit codes go by that.
    """

    kernel: str
    case: str
    title: str
    outcome: Outcome
    expectation: Expectation
    verdict: Verdict
    verdict_reason: str
    start: Start | None = None
    isolated: bool = False
    parts: tuple[PartResult, ...] = ()


class Start(StrEnum):
    """How the guest of a cell was started."""

    COLD = "cold"
    """Booted."""
    WARM = "warm"
    """Restored from the snapshot of a guest that had booted before."""


@dataclass(frozen=True, kw_only=True)
class PackageInfo:
    """Where a kernel came from: a Debian package of a suite, an RPM package, or a path of the user's own.

    `sha256` is that of the kernel image package (debian, rpm) or of the kernel file (path). `distribution` is whose
    kernel the source says it is (distributions.py), "" where it does not know.
    """

    source: str
    name: str
    version: str
    sha256: str
    suite: str = ""
    notice: str = ""
    distribution: str = ""


@dataclass(frozen=True, kw_only=True)
class KernelResult:
    """One row of the grid: what ran, how, and how long each phase took.

    `name` is the row's (rows.py), and `userland` and `compiler` are "" where they are no axis of the matrix.
    `libbpf_version` is what the guest's libbpf says, `clang_version` that of the compiler of an axis.
    `version` is what rules compare with, "" where the kernels of its `distribution` (distributions.py) have no such
    number; `distribution` is "" where nobody says whose kernel it is.
    `seconds` maps a phase (phases.py) to seconds, summed over the guests that this kernel needed. `environment` is
    what the agent reported.
    `boots` counts the guests, `memory` is the most that one of their QEMUs took of the host's, in MiB.
    `problems` are things that no single cell can carry, each a sentence. `run` is the id of the run whose guests gave
    the answers, "" for the run that is reported. `inputs` are the hashes of what went into the answers, by what it is
    (harness/run/inputs.py): two rows that have all of them in common are the same experiment.
    """

    name: str
    userland: str = ""
    compiler: str = ""
    arch: str
    release: str = ""
    version: str = ""
    distribution: str = ""
    accel: str = ""
    transport: str = ""
    qemu_version: str = ""
    libbpf_version: str = ""
    clang_version: str = ""
    package: PackageInfo | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    environment: dict[str, Any] = field(default_factory=dict)
    boots: int = 0
    memory: float = 0.0
    problems: tuple[str, ...] = ()
    console_tail: tuple[str, ...] = ()
    run: str = ""
    inputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def kernel_name(self) -> str:
        """The name of the row's kernel, without its userland and compiler."""
        name = self.name
        for part in (self.compiler, self.userland):
            name = name.removesuffix(f"+{part}") if part else name
        return name


class Axis(StrEnum):
    """What rows differ in."""

    KERNEL = "kernel"
    LIBBPF = "libbpf"
    CLANG = "clang"


@dataclass(frozen=True, kw_only=True)
class Attributed:
    """An answer, and the values of an axis with which a case has it: names of kernels, or of axes as rows have them."""

    values: tuple[str, ...]
    outcome: OutcomeKind
    stage: Stage | None = None


@dataclass(frozen=True, kw_only=True)
class Attribution:
    """What a case, or a part of it, does, depends on one axis alone.

    `answers` are those that it has, the first value's first. `left_out` are kernels on which it means nothing in any
    row: they say nothing of the other axes.
    """

    case: str
    part: str = ""
    axis: Axis
    answers: tuple[Attributed, ...]
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class RunInfo:
    """One run of the matrix, as the reports introduce it. Times are ISO 8601 in UTC.

    `shard` says which part of a larger run it is, None where it is all.
    """

    id: str
    started: str
    seconds: float
    version: str
    command: str
    host: dict[str, str]
    accel: str
    accel_reason: str
    jobs: int
    complete: bool
    exit_code: int
    notices: tuple[str, ...] = ()
    shard: Shard | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything a run leaves: the whole grid, every kernel x every case that was asked for."""

    run: RunInfo
    kernels: tuple[KernelResult, ...]
    cases: tuple[tuple[str, str], ...]
    cells: tuple[CellResult, ...]
    attributions: tuple[Attribution, ...] = ()

    def cell(self, kernel: str, case: str) -> CellResult:
        """Return the cell of `kernel` and `case`; raise KeyError where the grid has none."""
        for cell in self.cells:
            if cell.kernel == kernel and cell.case == case:
                return cell
        raise KeyError((kernel, case))
