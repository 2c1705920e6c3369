"""What a command line asks of a run, as a value: made once, by harness/cli/options.py."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness.model.accelerators import check_accelerator

if TYPE_CHECKING:
    from harness.supply.project import Project
    from harness.supply.unbuilt import UnbuiltCase


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the command line asks for; None or empty leaves the choice to matrix.yaml.

    `resume` is the folder of a run to go on with; `own_cases` take the place of the project's. Raises UsageError where
    `accel` names no accelerator.
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

    def __post_init__(self) -> None:
        check_accelerator(self.accel)
