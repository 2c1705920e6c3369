"""`init`: a project of one's own in a folder: a matrix with a few kernels, their lock, and a first case."""

from __future__ import annotations

from pathlib import Path
from string import Template

from harness.config.matrix import Matrix, load_matrix
from harness.config.schema import SCHEMAS
from harness.errors import UsageError
from harness.host import package_data
from harness.host.paths import shown
from harness.model.architectures import ARCHITECTURES, Architecture, host_architecture
from harness.supply.lock import Lock, read_lock
from harness.supply.project import LOCK_FILE

STARTER = Path(__file__).resolve().parent / "starter"
"""The files that `init` writes. The matrix file is a template."""
MATRIX_FILE = "matrix.yaml"
SERIES = ("6.1", "6.12")
"""The kernels of a first matrix: those of Debian's releases, which every mirror carries, as ours are named."""
OTHERWISE = "x86_64"
"""The architecture of the kernels where the host's own is none that we know."""


def init(folder: Path) -> list[Path]:
    """Write a new project into a folder and return the files.

    Raises UsageError, before anything is written, where one of them is there already; or where one cannot be written.
    """
    arch = host_architecture() or ARCHITECTURES[OTHERWISE]
    texts = new_files(arch, load_matrix(package_data.matrix_file()), read_lock(package_data.lock_file()))
    there = [name for name in texts if (folder / name).exists() or (folder / name).is_symlink()]
    if there:
        names = ", ".join(shown(folder / name) for name in there)
        raise UsageError(f"init overwrites nothing, and this is in the way: {names}. Move it, or choose another folder")
    written = []
    for name, text in texts.items():
        path = folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{shown(path)} cannot be written: {error.strerror}") from error
        written.append(path)
    return written


def new_files(arch: Architecture, matrix: Matrix, lock: Lock) -> dict[str, str]:
    """Return the texts of a new project's files, by their paths in it.

    `matrix` and `lock` are those that come with bpfmatrix; the new project has some of their kernels, and their pins.
    """
    names = {f"{series}-{arch.name}" for series in SERIES}
    kernels = [kernel.model_dump(mode="json", exclude_unset=True) for kernel in matrix.kernels if kernel.name in names]
    pins = Lock(
        kernels={name: pin for name, pin in lock.kernels.items() if name in names},
        images={name: image for name, image in lock.images.items() if name == arch.debian},
    )
    filled = {
        "kernels": "\n".join(
            f"  - {{{', '.join(f'{key}: {value}' for key, value in each.items())}}}" for each in kernels
        ),
        "arch": arch.name,
        "flavour": str(kernels[-1]["package"]).removeprefix("linux-image-"),
    }
    starter = {str(path.relative_to(STARTER)): path for path in sorted(STARTER.rglob("*")) if path.is_file()}
    schemas = {f"schemas/{name}": package_data.schemas_folder() / name for name in SCHEMAS}
    texts = {name: path.read_text(encoding="utf-8") for name, path in {**starter, **schemas}.items()}
    return {**texts, MATRIX_FILE: Template(texts[MATRIX_FILE]).substitute(filled), LOCK_FILE: pins.render()}
