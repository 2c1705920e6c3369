"""What a bench makes run on this host: whole runs as processes of their own, and floors; what they leave on disk."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from harness.bench.floor import floor
from harness.bench.samples import KernelSize, Sizes
from harness.config.case import WrittenCase
from harness.config.matrix import Kernel, Matrix
from harness.errors import BenchError
from harness.guest.snapshots import KIND, Snapshots
from harness.host import process
from harness.host.cache import MANIFEST, Cache
from harness.model.architectures import Architecture
from harness.model.results import Report, Start
from harness.qemu.accel import Accel, qemu_version
from harness.reports.json_report import parse
from harness.supply.guest_plan import GuestPlan
from harness.supply.image.keys import make_keys
from harness.supply.project import Project
from harness.supply.supplies import Supplies

PROCESS_SECONDS = 1800.0


class Runner(Protocol):
    """What runs guests for a bench, and says what they cost."""

    def guest(self, kernel: Kernel) -> GuestPlan:
        """Return what a guest of a kernel is started from."""
        ...

    def accel(self, guest: GuestPlan) -> Accel:
        """Return the accelerator that a guest has."""
        ...

    def floor(self, guest: GuestPlan, *, shipped: bool = False) -> float:
        """Return the seconds that harness/bench/floor.py measures."""
        ...

    def report(
        self, project: Project, kernels: Sequence[str], cases: Sequence[str], *, start: Start, jobs: int = 1
    ) -> tuple[Report, float]:
        """Run a matrix; return its report, and the seconds that all of it took. Raises BenchError where none came."""
        ...

    def snapshot_made_since(self, begun: float) -> bool:
        """Say whether a snapshot was made after `begun` (seconds since the epoch)."""
        ...

    def sizes(self, kernels: Sequence[Kernel]) -> Sizes:
        """Return what the guest image and some kernels take."""
        ...


class HostRunner:
    """The `Runner` of this host: `scratch` is a folder for what runs leave, `accel` what they are asked for."""

    def __init__(
        self,
        supplies: Supplies,
        matrix: Matrix,
        *,
        arch: Architecture,
        case: WrittenCase,
        cache: Cache,
        scratch: Path,
        accel: str | None,
    ) -> None:
        """`case` is the case that guests are prepared for, `arch` the architecture whose image `sizes` measures."""
        self._supplies, self._matrix, self._arch, self._case = supplies, matrix, arch, case
        self._cache, self._scratch, self._wanted_accel = cache, scratch, accel
        self._keys = make_keys()

    def guest(self, kernel: Kernel) -> GuestPlan:
        """Return what a guest of a kernel is started from, as run/rows.py does."""
        return self._supplies.guest(kernel, [self._case], keys=self._keys, folder=Path(), accel=self._wanted_accel)

    def accel(self, guest: GuestPlan) -> Accel:
        """Return the accelerator that a guest has; it is probed where nobody knows yet."""
        return self._supplies.accel(self._wanted_accel or self._matrix.defaults.accel, guest.kernel)

    def floor(self, guest: GuestPlan, *, shipped: bool = False) -> float:
        """Return the seconds that harness/bench/floor.py measures; raise what it raises."""
        return floor(guest, shipped=shipped)

    def report(
        self, project: Project, kernels: Sequence[str], cases: Sequence[str], *, start: Start, jobs: int = 1
    ) -> tuple[Report, float]:
        """Run `bpfmatrix matrix` as a process of its own; return its report and the seconds that it took.

        Raises BenchError where it leaves no report.
        """
        with tempfile.TemporaryDirectory(prefix="run-", dir=self._scratch) as name:
            argv = [
                *(sys.executable, "-m", "harness.cli", "matrix", "--matrix-file", str(project.matrix_file.absolute())),
                *(["--suite", project.suite] if project.suite else []),
                *(word for kernel in kernels for word in ("--kernel", kernel)),
                *(word for case in cases for word in ("--case", case)),
                *("--jobs", str(jobs), "--results", name),
                *(["--accel", self._wanted_accel] if self._wanted_accel else []),
                *(["--cold"] if start is Start.COLD else []),
            ]
            environment = {**os.environ, "BPFMATRIX_CACHE": str(self._cache.root)}
            begun = time.monotonic()
            done = process.run(argv, env=environment, timeout=PROCESS_SECONDS)
            seconds = time.monotonic() - begun
            report = Path(name) / "latest/report.json"
            if not report.exists():
                said = (done.stderr or done.stdout).strip()
                raise BenchError(f"a run left no report (exit code {done.returncode}): {' '.join(argv[2:])}\n{said}")
            return parse(report.read_text(encoding="utf-8"), name=str(report)), seconds

    def snapshot_made_since(self, begun: float) -> bool:
        """Say whether the cache has a snapshot that was made after `begun` (seconds since the epoch)."""
        return snapshot_made_since(self._cache, begun)

    def sizes(self, kernels: Sequence[Kernel]) -> Sizes:
        """Return what the guest image and some kernels take on disk, and what was downloaded for them, in bytes."""
        snapshots = Snapshots(self._cache, qemu_version=qemu_version(self._arch))
        image = self._supplies.lock.images.get(self._arch.debian)
        found = []
        for kernel in kernels:
            guest = self.guest(kernel)
            snapshot = snapshots.kept(guest)
            entry = guest.kernel.entry
            found.append(
                KernelSize(
                    name=kernel.name,
                    disk=None if entry is None else allocated(entry),
                    modules=sum(allocated(path) for path in guest.kernel.modules),
                    snapshot=None if snapshot is None else allocated(snapshot.folder),
                    downloaded=self._supplies.describe(kernel).size,
                )
            )
        return Sizes(
            image=self._supplies.base(self._arch).stat().st_size,
            image_downloaded=None if image is None else sum(package.size for package in image.packages),
            kernels=tuple(found),
        )


def snapshot_made_since(cache: Cache, begun: float) -> bool:
    """Say whether a cache has a snapshot that was made after `begun` (seconds since the epoch)."""
    for manifest in cache.root.glob(f"{KIND}/*/{MANIFEST}"):
        with contextlib.suppress(OSError):  # another process may have removed it just now
            if manifest.stat().st_mtime >= begun:
                return True
    return False


def allocated(path: Path) -> int:
    """Return the bytes that a file, or all files below a folder, take on disk; holes take none."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum(file.stat().st_blocks * 512 for file in files)
