"""The tasks that look after a project, its kernels and this host. Each is one call into the harness."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.options import takes

if TYPE_CHECKING:
    from harness.run.options import Options


@takes(help={"folder": "Where to write it (default: the current folder)."})
def init(folder: str = ".") -> None:
    """Write a project of one's own: a matrix with kernels for this machine, and a first case."""
    from harness.cli import commands

    commands.init(Path(folder))


@takes("arch", "matrix_file")
def kernels(options: Options) -> None:
    """List the kernels of the matrix and what the lock pins them to."""
    from harness.cli import commands

    commands.kernels(options)


@takes("matrix_file", "suite")
def cases(options: Options) -> None:
    """List the cases."""
    from harness.cli import commands

    commands.cases(options)


@takes("kernel", "matrix_file")
def lock(options: Options) -> None:
    """Pin the newest packages that the matrix stands for in matrix.lock."""
    from harness.cli import commands

    commands.lock(options)


@takes("matrix_file")
def doctor(options: Options) -> int:
    """Say what this host offers, and what to do about what is missing."""
    from harness.cli import commands

    return commands.doctor(options)


@takes(help={"results": "Remove the results of earlier runs, too."})
def clean(results: bool = False) -> None:
    """Empty the cache of kernels, images and objects."""
    from harness.cli import commands

    commands.clean(results=Path("results") if results else None)
