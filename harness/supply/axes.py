"""What the values of the axes beside the kernels are made of: the compilers, and the libbpf of the guests."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from harness.config.axes import ClangChoice, LibbpfChoice
from harness.config.matrix import Kernel, Matrix
from harness.errors import ConfigError
from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES, Architecture, host_architecture
from harness.supply.axis_packages import AxisPackages, Request, clang_request, libbpf_request
from harness.supply.compilers import Compiler, HostCompiler, UnpackedCompiler
from harness.supply.debian.apt import PackageFile
from harness.supply.debian.mirrors import Mirrors
from harness.supply.debian.pin import ImagePin
from harness.supply.image.guest_libbpf import GuestLibbpf, check_own
from harness.supply.image.userland import unpack


class Axes:
    """Obtains what rows have beside their kernels, each thing once."""

    def __init__(
        self,
        *,
        cache: Cache,
        mirrors: Callable[[], Mirrors],
        pins: Mapping[str, ImagePin],
        locked_only: bool,
        base: Callable[[Architecture], Path],
    ) -> None:
        """`base` is the userland of the guests of an architecture."""

        def unpacked(packages: Sequence[PackageFile], scratch: Path) -> Path:
            return unpack(packages, mirrors=mirrors(), scratch=scratch, name="packages")

        self.packages = AxisPackages(cache=cache, mirrors=mirrors, pins=pins, locked_only=locked_only)
        self._cache, self._unpack = cache, unpacked
        self._libbpf = GuestLibbpf(cache=cache, packages=self.packages, base=base, unpack=unpacked)

    def compiler(self, choice: ClangChoice) -> Compiler:
        """Return the compiler that an entry of the axis means; it is obtained when it must compile."""
        host = host_architecture()
        request = clang_request(choice, host.debian) if host is not None else None
        if request is not None:
            return UnpackedCompiler(
                str(choice.version),
                cache=self._cache,
                packages=lambda: self.packages.packages(request).packages,
                unpack=self._unpack,
            )
        if choice.version is not None:
            raise ConfigError(f"clang-{choice.version}: Debian has none for this machine's architecture")
        return HostCompiler(choice.path)

    def libbpf(self, choice: LibbpfChoice, arch: Architecture) -> Path | None:
        """Return the archive of a libbpf, None for the guest image's own; raise what `GuestLibbpf.archive` raises."""
        return self._libbpf.archive(choice, arch)

    def check_libbpf(self, choice: LibbpfChoice, arch: Architecture) -> None:
        """Find the user's mistakes in an entry of the axis before any guest; raise ConfigError."""
        if choice.path is not None:
            check_own(choice.path, arch)


def requests_of(matrix: Matrix, kernels: Sequence[Kernel]) -> Iterator[Request]:
    """Yield what the axes of some kernels ask of the suites: compilers for this machine, libbpf for the guests."""
    host = host_architecture()
    found: dict[str, Request] = {}
    for kernel in kernels:
        arch = ARCHITECTURES[kernel.arch]
        wanted = [libbpf_request(choice, arch.debian) for choice in kernel.libbpf or matrix.libbpf or ()]
        if host is not None:
            wanted += [clang_request(choice, host.debian) for choice in kernel.clang or matrix.clang or ()]
        found |= {request.key: request for request in wanted if request is not None}
    yield from found.values()
