"""Where the parts of a project lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

LOCK_FILE = "matrix.lock"


@dataclass(frozen=True, kw_only=True)
class Project:
    """Where the parts of a project lie: the matrix file, and beside it bpf/, images/, matrix.lock."""

    matrix_file: Path

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
        return own if own.is_dir() else Path(__file__).resolve().parents[2] / "images"

    @property
    def include(self) -> Path:
        """The project's own shared headers, if it has any."""
        return self.folder / "bpf/include"

    @property
    def includes(self) -> tuple[Path, ...]:
        """The folders of shared headers, in the order of the search: the project's own, and bpfmatrix's."""
        packaged = Path(__file__).resolve().parents[2] / "bpf/include"
        own = [self.include] if self.include.is_dir() else []
        return (*own, *([] if own and own[0].resolve() == packaged else [packaged]))
