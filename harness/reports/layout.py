"""The grid of report.html: kernels grouped by architecture and family, cases, and what each cell shows. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.model.results import CellResult, KernelResult, PartResult, Report, Verdict
from harness.reports import grid

SERIES = re.compile(r"\d+\.\d+")
"""The series of a kernel's version."""

MOST_COLUMNS = grid.MOST_COLUMNS
"""With more cases than this they are the rows."""
WIDTHS = (14, 22, 30, 38)
"""How many signs the names of the rows may have room for; a longer one is cut."""
FEW = 8
"""Columns of kernels that are wide enough for the name of an architecture, each alone."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Kernels of one architecture and family that are beside each other.

    `plain` says that all of their cells passed, and that there is nothing else to say of them.
    """

    arch: str
    family: str
    kernels: tuple[int, ...]
    plain: bool


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One cell as the grid shows it.

    `noted` says what is to be said beside its verdict ("" for nothing), `refusal` is the class of its refusal.
    """

    verdict: Verdict
    noted: str
    refusal: str

    @property
    def is_plain(self) -> bool:
        """Whether it passed, and there is nothing else to say of it."""
        return self.verdict is Verdict.PASS and not self.noted


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The grid: `cells[kernel][case]`, with the kernels in the order of their groups.

    `labels` are the kernels' names as they are shown in their groups, `slugs` and `case_slugs` the two parts of the
    fragment of a cell's address.
    """

    kernels: tuple[KernelResult, ...]
    labels: tuple[str, ...]
    slugs: tuple[str, ...]
    cases: tuple[tuple[str, str], ...]
    case_slugs: tuple[str, ...]
    groups: tuple[Group, ...]
    cells: tuple[tuple[Shown, ...], ...]
    kernels_are_rows: bool

    @property
    def width(self) -> str:
        """How wide names are, as classes of the style: the first of `WIDTHS` with room for all, `few` wide columns."""
        names = self.labels if self.kernels_are_rows else tuple(case for case, _ in self.cases)
        longest = max(map(len, names), default=0)
        room = f"names-{next((width for width in WIDTHS if width >= longest), WIDTHS[-1])}"
        return f"{room} few" if not self.kernels_are_rows and len(self.kernels) <= FEW else room


def layout_of(report: Report) -> Layout:
    """Return the grid of a report, in which no cell is missing (grid.py, completed())."""
    families = families_of(report.kernels)
    arches = list(dict.fromkeys(kernel.arch for kernel in report.kernels))
    places = list(dict.fromkeys((kernel.arch, families[kernel.name]) for kernel in report.kernels))
    places.sort(key=lambda place: arches.index(place[0]))
    by_place = {place: [k for k in report.kernels if (k.arch, families[k.name]) == place] for place in places}
    kernels = tuple(kernel for own in by_place.values() for kernel in own)
    found = {(cell.kernel, cell.case): cell for cell in grid.cells_in_order(report)}
    cells = tuple(tuple(shown(found[kernel.name, case]) for case, _ in report.cases) for kernel in kernels)
    groups, first = [], 0
    for (arch, family), own in by_place.items():
        numbers = tuple(range(first, first := first + len(own)))
        plain = all(cell.is_plain for number in numbers for cell in cells[number])
        groups.append(Group(arch=arch, family=family, kernels=numbers, plain=plain))
    slugs = grid.slugs(kernel.name for kernel in report.kernels)
    case_slugs = grid.slugs(case for case, _ in report.cases)
    return Layout(
        kernels=kernels,
        labels=tuple(label_of(kernel) for kernel in kernels),
        slugs=tuple(slugs[kernel.name] for kernel in kernels),
        cases=report.cases,
        case_slugs=tuple(case_slugs[case] for case, _ in report.cases),
        groups=tuple(groups),
        cells=cells,
        kernels_are_rows=len(report.cases) <= MOST_COLUMNS,
    )


def cells_of(layout: Layout, group: Group, case: int) -> tuple[Shown, ...]:
    """Return the cells of a group's kernels for one case."""
    return tuple(layout.cells[kernel][case] for kernel in group.kernels)


def families_of(kernels: Sequence[KernelResult]) -> Mapping[str, str]:
    """Return the family of each kernel by its name: whose kernel it is, and its series where several are of one.

    A sweep over the builds of 6.1 is a family (`debian 6.1`); of kernels that have nothing to do with each other, all
    of a distribution are. Where there is no other family than one, it says nothing, and is "".
    """
    series = Counter((kernel.arch, kernel.distribution, _series(kernel)) for kernel in kernels)
    found = {}
    for kernel in kernels:
        own = _series(kernel)
        many = series[kernel.arch, kernel.distribution, own] >= MANY
        found[kernel.name] = " ".join(part for part in (kernel.distribution, own if many else "") if part)
    several = len({family for family in found.values() if family}) > 1
    return found if several else dict.fromkeys(found, "")


MANY = 4
"""As many kernels of one series are a family of their own."""


def _series(kernel: KernelResult) -> str:
    match = SERIES.match(kernel.version or kernel.release)
    return match[0] if match else ""


def label_of(kernel: KernelResult) -> str:
    """Return a kernel's name without its architecture, beside whose name it is shown."""
    base, plus, axes = kernel.name.partition("+")
    return f"{base.removesuffix(f'-{kernel.arch}') or base}{plus}{axes}"


def shown(cell: CellResult) -> Shown:
    """Return a cell as the grid shows it."""
    return Shown(verdict=cell.verdict, noted=noted(cell), refusal=_refusal(cell))


def noted(cell: CellResult) -> str:
    """Return what is to be said beside a cell's verdict, "" for nothing."""
    judged: tuple[CellResult | PartResult, ...] = (cell, *cell.parts)
    found = dict.fromkeys(str(each.outcome.mark) for each in judged if each.outcome.mark)
    said = [mark.replace("-", " ") for mark in found]
    if any(each.outcome.allowed_splats for each in judged):
        said.append("allowed splat")
    return ", ".join(said)


def _refusal(cell: CellResult) -> str:
    return cell.outcome.refusal or next((part.outcome.refusal for part in cell.parts if part.outcome.refusal), "")
