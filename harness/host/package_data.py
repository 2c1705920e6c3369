"""What comes with bpfmatrix beside its code, and where it lies: in a checkout, and in an installed package.

A wheel has copies of it in harness/data/ (setup.py puts them there), under the same names as in the repository.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def data_folder(package: Path = _PACKAGE) -> Path:
    """Return the folder of the data: that of the package `package`, or the checkout that it is a part of."""
    installed = package / "data"
    return installed if installed.is_dir() else package.parent


@cache
def _data() -> Path:
    return data_folder()


def is_checkout() -> bool:
    """Say whether this is a checkout of the repository, which has `./run`."""
    return (_data() / "run").is_file()


def images_folder() -> Path:
    """Return the description of the guest image."""
    return _data() / "images"


def include_folder() -> Path:
    """Return the headers that cases share."""
    return _data() / "bpf/include"


def kconfig_folder() -> Path:
    """Return the folder with what the configuration of a kernel that is built needs."""
    return _data() / "kconfig"


def suites() -> dict[str, Path]:
    """Return the suites of cases that come with bpfmatrix: name -> the folder that has the cases' folders."""
    return {"tracing": _data() / "bpf"}


def matrix_file() -> Path:
    """Return the matrix with the default kernels; their lock lies beside it."""
    return _data() / "matrix.yaml"


def lock_file() -> Path:
    """Return the lock of the default kernels and of the guest image."""
    return _data() / "matrix.lock"


def schemas_folder() -> Path:
    """Return the folder of the JSON Schemas."""
    return _data() / "docs"
