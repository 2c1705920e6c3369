"""Puts the package's data into a wheel. All else about the package is in pyproject.toml.

The data lie in the folders of the repository, where people look for them. A wheel has copies of them in harness/data/;
harness/host/package_data.py finds either. An editable install copies nothing: it reads the repository's own.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
DATA = ("bpf/**/*", "images/**/*", "kconfig/*.config", "docs/*.schema.json", "matrix.yaml", "matrix.lock")
"""What a wheel has as data, as globs in the repository."""
FOLDER = "harness/data"
"""Where a wheel has it."""


def data_files() -> list[Path]:
    """Return the data's paths in the repository."""
    found = {path for glob in DATA for path in ROOT.glob(glob) if path.is_file() and path.name[0] != "."}
    return sorted(path.relative_to(ROOT) for path in found)


class BuildWithData(build_py):
    """The build of a package, with its data."""

    def run(self) -> None:
        """Build the package, then copy the data beside it."""
        super().run()
        if self.editable_mode:
            return
        shutil.rmtree(Path(self.build_lib, FOLDER), ignore_errors=True)  # an earlier build may have left it
        for path in data_files():
            copy = Path(self.build_lib, FOLDER, path)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / path, copy)

    def get_source_files(self) -> list[str]:
        """Return what a source distribution must have for this build."""
        return [*super().get_source_files(), *map(str, data_files())]


setup(cmdclass={"build_py": BuildWithData})
