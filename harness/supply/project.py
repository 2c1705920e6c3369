"""Where the parts of a project lie."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.config.case import WrittenCase
from harness.config.case_folders import load_cases
from harness.config.matrix import Matrix, load_matrix
from harness.config.reading.explain import did_you_mean
from harness.errors import UsageError
from harness.host import package_data

LOCK_FILE = "matrix.lock"


@dataclass(frozen=True, kw_only=True)
class Project:
    """Where the parts of a project lie: the matrix file, and beside it bpf/, images/, matrix.lock.

    `suite` names a suite of cases that comes with bpfmatrix and takes the place of the project's own cases. Raises
    UsageError where there is none of that name.
    """

    matrix_file: Path
    suite: str | None = None

    def __post_init__(self) -> None:
        if self.suite is not None and self.suite not in package_data.suites():
            names = list(package_data.suites())
            near = did_you_mean(self.suite, names)
            raise UsageError(f'no suite is called "{self.suite}"{near} (there are: {", ".join(names)})')

    @property
    def folder(self) -> Path:
        """The folder of matrix.yaml."""
        return self.matrix_file.absolute().parent

    @property
    def lock_file(self) -> Path:
        """matrix.lock."""
        return self.folder / LOCK_FILE

    @property
    def images(self) -> Path:
        """The description of the guest image: the project's own, else the one that comes with bpfmatrix."""
        own = self.folder / "images"
        return own if own.is_dir() else package_data.images_folder()

    @property
    def include(self) -> Path:
        """The project's own shared headers, if it has any."""
        return self.folder / "bpf/include"

    @property
    def includes(self) -> tuple[Path, ...]:
        """The folders of shared headers, in the order of the search: the project's own, and bpfmatrix's.

        A suite is compiled with bpfmatrix's alone.
        """
        packaged = package_data.include_folder()
        own = [self.include] if self.suite is None and self.include.is_dir() else []
        return (*own, *([] if own and own[0].resolve() == packaged else [packaged]))

    def load_matrix(self, *, sweeps: bool = False) -> Matrix:
        """Read the matrix file; to its known splats a suite adds those of the matrix that it comes with.

        Sweeps have the rows in their place that the lock names, or, with `sweeps`, stay as they are written. Raises
        ConfigError.
        """
        matrix = self._written()
        if sweeps or all(kernel.sweeping is None for kernel in matrix.kernels):
            return matrix
        # Expensive, and few matrices have sweeps.
        from harness.supply.lock import read_lock  # noqa: PLC0415
        from harness.supply.sweeps import expanded  # noqa: PLC0415

        return expanded(matrix, read_lock(self.lock_file))

    def _written(self) -> Matrix:
        matrix, packaged = load_matrix(self.matrix_file), package_data.matrix_file()
        if self.suite is None or self.matrix_file.resolve() == packaged.resolve():
            return matrix
        more = [entry for entry in load_matrix(packaged).known_splats if entry not in matrix.known_splats]
        return matrix.model_copy(update={"known_splats": (*matrix.known_splats, *more)})

    def load_cases(self, matrix: Matrix | None, *, only: Sequence[str] = ()) -> Sequence[WrittenCase]:
        """Read the cases: those of the suite, for which no matrix is needed, or those that the matrix names.

        `only` is that of config/case_folders.py. Raises ConfigError.
        """
        return load_cases(self.matrix_file, self.case_globs(matrix.cases if matrix else ()), only=only)

    def case_globs(self, written: Sequence[str]) -> tuple[str, ...]:
        """Return the globs of the case folders: those of the suite, else `written`, which the matrix file has."""
        if self.suite is None:
            return tuple(written)
        return (f"{glob.escape(str(package_data.suites()[self.suite]))}/*",)
