"""A source of kernels whose builds are numbers, and supplies of a project with one kernel of it."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from unit_samples import X86, kernel_files, written_case

from harness.config.matrix import DebianKernel, Kernel, Matrix, PathKernel
from harness.errors import PackageGoneError
from harness.host.cache import Cache
from harness.supply.kernels.files import KernelFiles
from harness.supply.kernels.source import Description, KernelSource, Resolution
from harness.supply.lock import KernelPin, Lock
from harness.supply.project import Project
from harness.supply.supplies import Supplies

KERNEL = DebianKernel.model_validate(
    {"name": "6.1", "arch": "x86_64", "source": "debian", "suite": "bookworm", "package": "linux-image-amd64"}
)


OWN = PathKernel.model_validate({"name": "own", "arch": "x86_64", "source": "path", "image": "/vmlinuz"})


@dataclass
class PlayedSource:
    """A source whose builds are numbers; `lost` are those without files, `asked` the modules of
    each that was had; `failure` is what obtaining build 1 raises."""

    pin_type: ClassVar[type[Any] | None] = int

    folder: Path
    newest: int = 2
    passed_over: tuple[str, ...] = ()
    lost: set[int] = field(default_factory=set)
    failure: Exception | None = None
    asked: list[list[str]] = field(default_factory=list)
    checked: list[str] = field(default_factory=list)
    in_cache: bool = True
    notice: str = ""
    config: Path | None = None

    def check(self, kernel: Kernel, *, modules: Sequence[str], case_modules: Sequence[str]) -> None:
        self.checked += [kernel.name, *case_modules]

    def builds(self, kernel: Kernel) -> Sequence[int]:
        return range(self.newest, 0, -1)

    def pin(self, kernel: Kernel) -> Resolution[int]:
        return Resolution(pin=self.newest, passed_over=self.passed_over)

    def gone(self, kernel: Kernel, pin: int) -> Sequence[str]:
        return ("the file",) if pin in self.lost else ()

    def answers(self, kernel: Kernel, pin: int) -> bool:
        return pin > 0

    def obtain(
        self, kernel: Kernel, pin: int | None, *, modules: Sequence[str], case_modules: Sequence[str] = ()
    ) -> KernelFiles:
        assert set(modules) == set(X86.modules), "those of cases are no part of what every guest loads"
        if self.failure is not None and pin == 1:
            raise self.failure
        if pin in self.lost:
            raise PackageGoneError(f"the file of build {pin} is gone")
        self.asked.append(list(case_modules))
        entry = self.folder / f"build-{pin}"
        entry.mkdir(exist_ok=True)
        (entry / "vmlinuz").touch()
        cached = entry if self.in_cache else None
        return kernel_files(entry, notice=self.notice, entry=cached, release=f"build {pin}", config=self.config)

    def unpack(self, kernel: Kernel, pin: int, folder: Path) -> None:
        raise NotImplementedError

    def changelog(self, kernel: Kernel, pin: int) -> str:
        return f"build {pin}"

    def describe(self, kernel: Kernel, pin: int | None) -> Description:
        version = "" if pin is None else f"build {pin}"
        return Description(what="a kernel", where="a place", version=version, pinnable=self.in_cache, files=(version,))


def supplies_of(
    source: KernelSource[Any, Any], folder: Path, *, pinned: int | None = None, locked_only: bool = False
) -> Supplies:
    """Supplies of a project of one kernel, which the lock pins to a build that exists in these tests alone."""
    matrix = Matrix.model_validate({"kernels": [KERNEL.model_dump(by_alias=True, exclude_defaults=True)]})
    made = Supplies(
        Project(matrix_file=folder / "matrix.yaml"),
        matrix,
        cache=Cache(folder / "cache"),
        locked_only=locked_only,
        sources={"debian": source, "path": source},
    )
    if pinned is not None:
        made.lock = Lock(kernels={KERNEL.name: KernelPin("debian", pinned)})
    return made


def with_modules(*modules: str) -> Any:
    return written_case(modules=list(modules))
