"""What a command line asks of a run, as a value: made once, by harness/cli/options.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.host import package_data
from harness.model.accelerators import check_accelerator

if TYPE_CHECKING:
    from harness.supply.guest_plan import Visit
    from harness.supply.project import Project
    from harness.supply.unbuilt import UnbuiltCase


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line asks for; None or empty leaves the choice to matrix.yaml.

    `resume` is the folder of a run to go on with; `own_cases` take the place of the project's; `visit` is called with
    each guest whose cases are over, before it is powered off. `memory` (MiB) and `cpus` are what each guest gets, in
    place of what the matrix says; `libbpf` and `clang` take the place of its axes. `shard` is the number of a part of
    the plan and how many there are, `by` and the reports `timings` say how it is split (sharding.py). Raises UsageError
    where `accel` names no accelerator. With `quiet` nothing is shown but what is unexpected; with `json` what is shown
    goes to stderr, and stdout is for a summary.
    """

    project: Project
    kernels: Sequence[str] = ()
    arches: Sequence[str] = ()
    cases: Sequence[str] = ()
    results: Path | None = None
    accel: str | None = None
    jobs: int | None = None
    locked: bool = False
    cold: bool = False
    resume: Path | None = None
    own_cases: Sequence[UnbuiltCase] = ()
    visit: Visit | None = None
    memory: int | None = None
    cpus: int | None = None
    libbpf: Sequence[str] = ()
    clang: Sequence[str] = ()
    shard: tuple[int, int] | None = None
    by: str = ""
    timings: Sequence[Path] = ()
    quiet: bool = False
    json: bool = False

    def __post_init__(self) -> None:
        check_accelerator(self.accel)


MATRIX_FILE = Path("matrix.yaml")
"""Where a matrix is, unless the command line names another."""


def on_default_kernels(options: Options) -> Options:
    """Return the options on the kernels that come with bpfmatrix, where the folder has no matrix file of its own.

    The results go to the current folder then. A matrix file that was named on the command line must be there.
    """
    project = options.project
    if project.matrix_file != MATRIX_FILE or project.matrix_file.exists():
        return options
    packaged = replace(project, matrix_file=package_data.matrix_file())
    return replace(options, project=packaged, results=options.results or Path("results"))
