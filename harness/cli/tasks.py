"""The commands of bpfmatrix for its users, as Invoke tasks. Each is one call into the harness."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from harness.host.start_up import leave


@contextmanager
def errors_shown() -> Iterator[None]:
    """End with the message and the exit code of an error that is meant for the user."""
    from harness.errors import EXIT_HARNESS, BpfmatrixError

    try:
        yield
    except KeyboardInterrupt:
        raise Exit("bpfmatrix: interrupted", code=EXIT_HARNESS) from None
    except BpfmatrixError as error:
        raise Exit(f"bpfmatrix: {error}", code=error.exit_code) from error


_FILTERS = {
    "kernel": "Only kernels whose name matches this pattern: the host architecture's, or if none is, all (repeatable).",
    "arch": "Only kernels of this architecture; all for every one (repeatable; default: the host's).",
    "case": "Only cases whose id matches this pattern (repeatable).",
}

_SUITE = "Take the cases of a suite that comes with bpfmatrix instead of the matrix's: tracing."


@task(help={"folder": "Where to write it (default: the current folder)."})
def init(_context: Context, folder: str = ".") -> None:
    """Write a project of one's own: a matrix with kernels for this machine, and a first case."""
    from harness.cli import commands

    with errors_shown():
        commands.init(Path(folder))


@task(
    default=True,
    iterable=["kernel", "arch", "case"],
    help={
        **_FILTERS,
        "suite": _SUITE,
        "results": "Folder for the results (default: results/ beside matrix.yaml).",
        "accel": "auto, kvm or tcg (default: as matrix.yaml says).",
        "jobs": "How many guests run at once (default: as cores and memory allow).",
        "locked": "Take exactly the packages of matrix.lock, or fail.",
        "cold": "Boot every guest, instead of restoring those that were booted before from their snapshots.",
        "resume": "The folder of a run to go on with: what it has answers for, from the same inputs, is not run again.",
        "matrix_file": "The matrix file (default: matrix.yaml).",
    },
)
def matrix(
    _context: Context,
    kernel: list[str] | None = None,  # as they are where no command is named: nothing is parsed then
    arch: list[str] | None = None,
    case: list[str] | None = None,
    suite: str = "",
    results: str = "",
    accel: str = "",
    jobs: int = 0,
    locked: bool = False,
    cold: bool = False,
    resume: str = "",
    matrix_file: str = "matrix.yaml",
) -> None:
    """Run the cases on the kernels and write reports."""
    from harness.cli import commands

    with errors_shown():
        code = commands.matrix(
            matrix_file=Path(matrix_file),
            suite=suite or None,
            kernels=kernel or [],
            arches=arch or [],
            cases=case or [],
            results=Path(results) if results else None,
            accel=accel or None,
            jobs=jobs,
            locked=locked,
            cold=cold,
            resume=Path(resume) if resume else None,
        )
    leave(code)


@task(
    positional=["run"],
    help={
        "run": "The folder of the run, such as results/latest.",
        "rules": "recorded: by the expectations that the run had; current: by those of today (default: recorded).",
        "matrix_file": "The matrix file, for the rules of today (default: matrix.yaml).",
    },
)
def judge(_context: Context, run: str, rules: str = "recorded", matrix_file: str = "matrix.yaml") -> None:
    """Write the reports of a finished run again, without any guest."""
    from harness.cli import commands

    with errors_shown():
        code = commands.judge(run=Path(run), rules=rules, matrix_file=Path(matrix_file))
    leave(code)


@task(
    iterable=["kernel", "arch", "case"],
    help={
        **_FILTERS,
        "case": "Only cases whose id matches this pattern (repeatable; at least one is needed).",
        "results": "Folder for the results; the last 20 runs are kept (default: results/ beside matrix.yaml).",
        "accel": "auto, kvm or tcg (default: as matrix.yaml says).",
        "jobs": "How many guests run at once (default: as cores and memory allow).",
        "matrix_file": "The matrix file (default: matrix.yaml).",
    },
)
def watch(
    _context: Context,
    kernel: list[str],
    arch: list[str],
    case: list[str],
    results: str = "",
    accel: str = "",
    jobs: int = 0,
    matrix_file: str = "matrix.yaml",
) -> None:
    """Run the cases on the kernels, and again after every save, until Ctrl-C."""
    from harness.cli import commands

    with errors_shown():
        code = commands.watch(
            matrix_file=Path(matrix_file),
            kernels=kernel,
            arches=arch,
            cases=case,
            results=Path(results) if results else None,
            accel=accel or None,
            jobs=jobs,
        )
    leave(code)


@task(iterable=["arch"], help={"arch": _FILTERS["arch"], "matrix_file": "The matrix file (default: matrix.yaml)."})
def kernels(_context: Context, arch: list[str], matrix_file: str = "matrix.yaml") -> None:
    """List the kernels of the matrix and what the lock pins them to."""
    from harness.cli import commands

    with errors_shown():
        commands.kernels(matrix_file=Path(matrix_file), arches=arch)


@task(help={"matrix_file": "The matrix file (default: matrix.yaml).", "suite": _SUITE})
def cases(_context: Context, matrix_file: str = "matrix.yaml", suite: str = "") -> None:
    """List the cases."""
    from harness.cli import commands

    with errors_shown():
        commands.cases(matrix_file=Path(matrix_file), suite=suite or None)


@task(
    iterable=["kernel"],
    help={"kernel": _FILTERS["kernel"], "matrix_file": "The matrix file (default: matrix.yaml)."},
)
def lock(_context: Context, kernel: list[str], matrix_file: str = "matrix.yaml") -> None:
    """Pin the newest packages that the matrix stands for in matrix.lock."""
    from harness.cli import commands

    with errors_shown():
        commands.lock(matrix_file=Path(matrix_file), kernels=kernel)


@task(
    help={
        "kernel": "The kernel to boot.",
        "accel": "auto, kvm or tcg (default: as matrix.yaml says).",
        "matrix_file": "The matrix file (default: matrix.yaml).",
    }
)
def shell(_context: Context, kernel: str, accel: str = "", matrix_file: str = "matrix.yaml") -> None:
    """Boot one kernel and give an interactive shell in it."""
    from harness.cli import commands

    with errors_shown():
        code = commands.shell(matrix_file=Path(matrix_file), kernel=kernel, accel=accel or None)
    leave(code)


@task(help={"matrix_file": "The matrix file (default: matrix.yaml)."})
def doctor(_context: Context, matrix_file: str = "matrix.yaml") -> None:
    """Say what this host offers, and what to do about what is missing."""
    from harness.cli import commands

    with errors_shown():
        code = commands.doctor(matrix_file=Path(matrix_file))
    leave(code)


@task(help={"results": "Remove the results of earlier runs, too."})
def clean(_context: Context, results: bool = False) -> None:
    """Empty the cache of kernels, images and objects."""
    from harness.cli import commands

    with errors_shown():
        commands.clean(results=Path("results") if results else None)


@task(
    help={
        "kernel": "The kernel to measure (default: the host architecture's 6.1, else its first).",
        "rounds": "How often each thing is measured, in turns (default: 5).",
        "matrix_kernels": "The kernels of the matrix at 1 and 2 jobs, as a pattern (default: all of the architecture).",
        "quick": "Measure once, without the matrix.",
        "accel": "auto, kvm or tcg (default: as matrix.yaml says).",
        "output": "Folder for bench.json, bench.md and phases.svg (default: results/bench-TIME).",
        "page": "A page that has the marks for the tables, such as docs/performance.md; the plot goes beside it.",
        "matrix_file": "The matrix file (default: matrix.yaml).",
    }
)
def bench(
    _context: Context,
    kernel: str = "",
    rounds: int = 5,
    matrix_kernels: str = "*",
    quick: bool = False,
    accel: str = "",
    output: str = "",
    page: str = "",
    matrix_file: str = "matrix.yaml",
) -> None:
    """Measure what a cell costs, against a bare boot of its kernel."""
    from harness.bench import command

    with errors_shown():
        code = command.bench(
            matrix_file=Path(matrix_file),
            kernel=kernel or None,
            rounds=rounds,
            matrix_kernels=matrix_kernels,
            quick=quick,
            accel=accel or None,
            output=Path(output) if output else None,
            page_file=Path(page) if page else None,
        )
    leave(code)


@task(
    iterable=["kernel", "case"],
    help={
        "kernel": "Run mutants on kernels whose name matches this pattern (repeatable; default: 6.12 of the host's "
        "architecture, and others for cases that do not work there).",
        "case": _FILTERS["case"],
        "transcripts": "Judge changed expectations on what this run recorded, such as results/latest (default: on what "
        "the guests of this command report).",
        "guests": "Also run mutants in guests (default: yes; --no-guests leaves them out, and needs --transcripts).",
        "results": "Folder for the results (default: results/ beside matrix.yaml); the report goes to mutants/ in it.",
        "accel": "auto, kvm or tcg (default: as matrix.yaml says).",
        "jobs": "How many guests run at once (default: 2).",
        "cold": "Boot every guest.",
        "matrix_file": "The matrix file (default: matrix.yaml).",
    },
)
def mutants(
    _context: Context,
    kernel: list[str],
    case: list[str],
    transcripts: str = "",
    guests: bool = True,
    results: str = "",
    accel: str = "",
    jobs: int = 2,
    cold: bool = False,
    matrix_file: str = "matrix.yaml",
) -> None:
    """Change each case in one place at a time, and see whether its cell turns red."""
    from harness.mutants import command
    from harness.supply.project import Project

    with errors_shown():
        code = command.mutants(
            command.Wanted(
                project=Project(matrix_file=Path(matrix_file)),
                kernels=kernel,
                cases=case,
                transcripts=Path(transcripts) if transcripts else None,
                guests=guests,
                results=Path(results) if results else None,
                accel=accel or None,
                jobs=jobs,
                cold=cold,
            )
        )
    leave(code)
