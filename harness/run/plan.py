"""The plan: every kernel x every case that was asked for. Everything after it is driven by it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Generic, Protocol, TypeVar

from harness.config.axes import ClangChoice, LibbpfChoice
from harness.config.base import OTHER_ARCHITECTURE_NAMES
from harness.config.matrix import Kernel, Matrix
from harness.config.reading.explain import did_you_mean
from harness.errors import UsageError
from harness.host.called_as import command
from harness.model.architectures import ARCHITECTURES
from harness.model.rows import Row, objects_of

ALL = "all"
"""The name that stands for every architecture."""


class Named(Protocol):
    """What a plan needs of a case."""

    @property
    def id(self) -> str:
        """The case's id, unique in its plan."""


AnyCase = TypeVar("AnyCase", bound=Named)


@dataclass(frozen=True, kw_only=True)
class PlanRow:
    """One row: a kernel of the matrix, with a userland and a compiler where those are axes of it."""

    kernel: Kernel
    libbpf: LibbpfChoice | None = None
    clang: ClangChoice | None = None

    @property
    def row(self) -> Row:
        """The row as facts and reports have it."""
        return Row(
            kernel=self.kernel.name,
            userland=f"libbpf-{self.libbpf.label}" if self.libbpf else "",
            compiler=f"clang-{self.clang.label}" if self.clang else "",
        )

    @property
    def name(self) -> str:
        """The row's name."""
        return self.row.name

    @property
    def names(self) -> tuple[str, ...]:
        """What it may be called by: the name of its kernel's entry, which of a sweep's row is another, and its own."""
        return tuple(dict.fromkeys((self.kernel.entry, self.kernel.name, self.name)))

    @property
    def objects(self) -> str:
        """Which objects it has: those of all rows of the same architecture and compiler are the same."""
        return objects_of(self.kernel.arch, self.row)


@dataclass(frozen=True, kw_only=True)
class Cell(Generic[AnyCase]):
    """One row x one case."""

    row: PlanRow
    case: AnyCase


@dataclass(frozen=True, kw_only=True)
class Plan(Generic[AnyCase]):
    """What a run does: every row x every case, in the order of kernels, userlands, compilers, then cases."""

    rows: tuple[PlanRow, ...]
    cases: tuple[AnyCase, ...]

    @property
    def kernels(self) -> tuple[Kernel, ...]:
        """The kernels of the rows, each once."""
        return tuple(dict.fromkeys(row.kernel for row in self.rows))

    @property
    def cells(self) -> tuple[Cell[AnyCase], ...]:
        """Every row x every case."""
        return tuple(Cell(row=row, case=case) for row in self.rows for case in self.cases)


def make_plan(
    matrix: Matrix,
    cases: Sequence[AnyCase],
    *,
    kernel_globs: Sequence[str] = (),
    arches: Sequence[str] = (),
    case_globs: Sequence[str] = (),
    host_arch: str,
) -> Plan[AnyCase]:
    """Return the plan for the rows of `matrix` and for `cases` that the filters leave.

    Globs keep what any of them matches, `kernel_globs` by the name of the kernel or of the row; without globs
    everything is kept. The name of a sweep, as matrix.yaml has it, stands for all of its rows. `arches` keeps the
    kernels of these architectures ("all": of every one). Without it those of `host_arch` are kept; but where a glob of
    `kernel_globs` matches none of these, all that it matches. The order is that of the matrix and of `cases`. Raises
    UsageError where a filter names what does not exist or where no cell is left.
    """
    rows = choose_rows(matrix, globs=kernel_globs, arches=arches, host_arch=host_arch)
    wanted_cases = matching("case", case_globs, [case.id for case in cases])
    kept = tuple(case for case in cases if case.id in wanted_cases)
    if not kept:
        raise UsageError(f"no case to try: `cases` of the matrix file finds none; see `{command('cases')}`")
    return Plan(rows=rows, cases=kept)


def rows_of(matrix: Matrix) -> tuple[PlanRow, ...]:
    """Return all rows of a matrix: each kernel with each of its userlands and compilers."""
    return tuple(
        PlanRow(kernel=kernel, libbpf=libbpf, clang=clang)
        for kernel in matrix.kernels
        for libbpf in kernel.libbpf or matrix.libbpf or (None,)
        for clang in kernel.clang or matrix.clang or (None,)
    )


def choose_rows(
    matrix: Matrix, *, globs: Sequence[str] = (), arches: Sequence[str] = (), host_arch: str
) -> tuple[PlanRow, ...]:
    """Return the rows that `make_plan` takes for the same filters; raise UsageError where these do not fit."""
    _check_arches(arches, matrix)
    rows = rows_of(matrix)
    named = matching("kernel", globs, list(dict.fromkeys(name for row in rows for name in row.names)))
    if arches:
        wanted = {row.name for row in rows if ALL in arches or row.kernel.arch in arches}
        wanted &= {row.name for row in rows if not named.isdisjoint(row.names)}
    else:
        wanted = _of_host(rows, globs or ["*"], host_arch=host_arch, others=bool(globs))
    if not wanted:
        left = dict.fromkeys(row.kernel for row in rows if not named.isdisjoint(row.names))
        raise UsageError(_no_kernels(left, arches=arches, host_arch=host_arch))
    return tuple(row for row in rows if row.name in wanted)


def choose_kernels(
    matrix: Matrix, *, globs: Sequence[str] = (), arches: Sequence[str] = (), host_arch: str
) -> tuple[Kernel, ...]:
    """Return the kernels of the rows that `choose_rows` returns, each once; raise what it raises."""
    rows = choose_rows(matrix, globs=globs, arches=arches, host_arch=host_arch)
    return tuple(dict.fromkeys(row.kernel for row in rows))


def matching(what: str, globs: Iterable[str], names: Sequence[str]) -> frozenset[str]:
    """Return those of `names` that any of `globs` matches, or all without globs.

    `what` says what they are names of. Raises UsageError where one of `globs` matches nothing.
    """
    kept: set[str] = set()
    problems = []
    for pattern in globs:
        matches = [name for name in names if fnmatchcase(name, pattern)]
        if not matches:
            near = did_you_mean(pattern.strip("*?"), names)
            there = ", ".join(names) or "none"
            problems.append(f'no {what} matches "{pattern}"{near} (there are: {there})')
        kept.update(matches)
    if problems:
        raise UsageError("\n".join(problems))
    return frozenset(kept) if globs else frozenset(names)


def _of_host(rows: Sequence[PlanRow], globs: Iterable[str], *, host_arch: str, others: bool) -> set[str]:
    """Return the names of the rows of the host's kernels that any of `globs` matches.

    With `others`, a glob that matches kernels of other architectures only stands for all of those.
    """
    kept: set[str] = set()
    for pattern in globs:
        matches = [row for row in rows if any(fnmatchcase(name, pattern) for name in row.names)]
        own = [row.name for row in matches if row.kernel.arch == host_arch]
        kept.update(own or (row.name for row in matches if others))
    return kept


def _check_arches(arches: Iterable[str], matrix: Matrix) -> None:
    """Refuse architectures that are unknown, or of which the matrix has no kernel."""
    there = _count_arches(matrix.kernels)
    problems = []
    for arch in arches:
        if arch == ALL or arch in there:
            continue
        if arch in ARCHITECTURES:
            problems.append(f"the matrix has no kernel of architecture {arch}; it has {_counts(there)}")
        else:
            near = did_you_mean(arch, [*ARCHITECTURES, ALL], OTHER_ARCHITECTURE_NAMES)
            known = ", ".join([*ARCHITECTURES, ALL])
            problems.append(f'unknown architecture "{arch}"{near} (known: {known})')
    if problems:
        raise UsageError("\n".join(problems))


def _no_kernels(named: Iterable[Kernel], *, arches: Sequence[str], host_arch: str) -> str:
    """Say why none of the kernels that the globs name is left."""
    left = _count_arches(named)
    if arches:
        return (
            f"no kernel to boot: none of those named is of architecture {' or '.join(arches)}; "
            f"they are {_counts(left)}. Leave --arch out, or name other kernels"
        )
    return (
        f"no kernel to boot: the matrix has none of this host's architecture ({host_arch}), but {_counts(left)}. "
        "Choose with --arch, or take all of them with --arch all"
    )


def _count_arches(kernels: Iterable[Kernel]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for kernel in kernels:
        counts[kernel.arch] = counts.get(kernel.arch, 0) + 1
    return counts


def _counts(arches: dict[str, int]) -> str:
    return ", ".join(f"{arch} ({count})" for arch, count in arches.items())
