"""What one row of the grid is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True, kw_only=True)
class Row:
    """One row: a kernel, and beside it a userland and a compiler where those are axes of the matrix; else "".

    Each is a name of the matrix file, the last two such as `libbpf-1.5` and `clang-19`.
    """

    kernel: str
    userland: str = ""
    compiler: str = ""

    @property
    def name(self) -> str:
        """The name in reports, in JUnit and of the folder in a run's results; the kernel's where that is alone."""
        return "+".join(part for part in (self.kernel, self.userland, self.compiler) if part)


def objects_of(arch: str, row: Row) -> str:
    """Return which objects a row has, as a key: an architecture, and a compiler where that is an axis."""
    return "+".join(part for part in (arch, row.compiler) if part)
