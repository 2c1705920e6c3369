"""The plan: every kernel x every case that was asked for. Everything after it is driven by it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Generic, Protocol, TypeVar

from harness.config.base import OTHER_ARCHITECTURE_NAMES
from harness.config.matrix import Kernel, Matrix
from harness.config.reading.explain import did_you_mean
from harness.errors import UsageError
from harness.host.called_as import command
from harness.model.architectures import ARCHITECTURES

ALL = "all"
"""The name that stands for every architecture."""


class Named(Protocol):
    """What a plan needs of a case."""

    @property
    def id(self) -> str:
        """The case's id, unique in its plan."""


AnyCase = TypeVar("AnyCase", bound=Named)


@dataclass(frozen=True, kw_only=True)
class Cell(Generic[AnyCase]):
    """One kernel x one case."""

    kernel: Kernel
    case: AnyCase


@dataclass(frozen=True, kw_only=True)
class Plan(Generic[AnyCase]):
    """What a run does. `cells` has every kernel x every case, in the order of kernels, then cases."""

    kernels: tuple[Kernel, ...]
    cases: tuple[AnyCase, ...]
    cells: tuple[Cell[AnyCase], ...]


def make_plan(
    matrix: Matrix,
    cases: Sequence[AnyCase],
    *,
    kernel_globs: Sequence[str] = (),
    arches: Sequence[str] = (),
    case_globs: Sequence[str] = (),
    host_arch: str,
) -> Plan[AnyCase]:
    """Return the plan for the kernels of `matrix` and for `cases` that the filters leave.

    Globs keep what any of them matches; without globs everything is kept. The name of a sweep, as matrix.yaml has it,
    stands for all of its rows. `arches` keeps the kernels of
    these architectures ("all": of every one). Without it those of `host_arch` are kept; but where a glob of
    `kernel_globs` matches none of these, all that it matches. The order is that of the matrix and of `cases`.
    Raises UsageError where a filter names what does not exist or where no cell is left.
    """
    kernels = choose_kernels(matrix, globs=kernel_globs, arches=arches, host_arch=host_arch)
    wanted_cases = matching("case", case_globs, [case.id for case in cases])
    kept = tuple(case for case in cases if case.id in wanted_cases)
    if not kept:
        raise UsageError(f"no case to try: `cases` of the matrix file finds none; see `{command('cases')}`")
    cells = tuple(Cell(kernel=kernel, case=case) for kernel in kernels for case in kept)
    return Plan(kernels=kernels, cases=kept, cells=cells)


def choose_kernels(
    matrix: Matrix, *, globs: Sequence[str] = (), arches: Sequence[str] = (), host_arch: str
) -> tuple[Kernel, ...]:
    """Return the kernels that `make_plan` takes for the same filters; raise UsageError where these do not fit."""
    _check_arches(arches, matrix)
    found = matching("kernel", globs, list(dict.fromkeys(name for each in matrix.kernels for name in _names(each))))
    named = frozenset(kernel.name for kernel in matrix.kernels if not found.isdisjoint(_names(kernel)))
    if arches:
        wanted = {kernel.name for kernel in matrix.kernels if ALL in arches or kernel.arch in arches} & named
    else:
        wanted = _of_host(matrix, globs or ["*"], host_arch=host_arch, others=bool(globs))
    if not wanted:
        raise UsageError(_no_kernels(matrix, named=named, arches=arches, host_arch=host_arch))
    return tuple(kernel for kernel in matrix.kernels if kernel.name in wanted)


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


def _names(kernel: Kernel) -> tuple[str, ...]:
    """Return what a kernel may be called by: the name of its entry, which of a sweep's row is another, and its own."""
    return tuple(dict.fromkeys((kernel.entry, kernel.name)))


def _of_host(matrix: Matrix, globs: Iterable[str], *, host_arch: str, others: bool) -> set[str]:
    """Return the names of the host's kernels that any of `globs` matches.

    With `others`, a glob that matches kernels of other architectures only stands for all of those.
    """
    kept: set[str] = set()
    for pattern in globs:
        matches = [each for each in matrix.kernels if any(fnmatchcase(name, pattern) for name in _names(each))]
        own = [kernel.name for kernel in matches if kernel.arch == host_arch]
        kept.update(own or (kernel.name for kernel in matches if others))
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


def _no_kernels(matrix: Matrix, *, named: frozenset[str], arches: Sequence[str], host_arch: str) -> str:
    """Say why no kernel is left."""
    left = _count_arches(kernel for kernel in matrix.kernels if kernel.name in named)
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
