"""Another libbpf for the guests, as an archive that is appended to the userland: the library, and nothing else.

So a row with another libbpf differs from one without by that alone: the agent, its Python, the C library, libelf and
zlib are those of the guest image. A libbpf that needs a younger C library than the image has is refused by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.config.axes import LibbpfChoice
from harness.errors import ConfigError, ImageError
from harness.host.cache import Cache, digest, sha256_file, sha256_known
from harness.host.paths import shown
from harness.host.scratch import scratch_folder
from harness.model.architectures import Architecture
from harness.supply.axis_packages import AxisPackages, libbpf_request
from harness.supply.debian.apt import PackageFile
from harness.supply.elf import Needs, read_needs
from harness.supply.image import cpio
from harness.supply.image.guest_files import GuestFiles

FORMAT = 1
KIND = "libbpf"
ARCHIVE = "libbpf.cpio"
OPENED = "libbpf.so.1"
"""What the agent opens (harness/agent/libbpf.py); it leads to a libbpf.so.0, too."""
_STEM = "libbpf.so."


class GuestLibbpf:
    """Makes the archives, each kept in the cache by what is in it.

    `base` is the userland of the guests of an architecture; `unpack` unpacks package files into a folder below another.
    """

    def __init__(
        self,
        *,
        cache: Cache,
        packages: AxisPackages,
        base: Callable[[Architecture], Path],
        unpack: Callable[[Sequence[PackageFile], Path], Path],
    ) -> None:
        self._cache, self._packages, self._base, self._unpack = cache, packages, base, unpack

    def archive(self, choice: LibbpfChoice, arch: Architecture) -> Path | None:
        """Return the archive of a libbpf for guests of an architecture, None for that of the guest image.

        Raises ConfigError where it cannot be the guests', and what fetching raises.
        """
        request = libbpf_request(choice, arch.debian)
        if choice.path is not None:
            check_own(choice.path, arch)
            path, parts = choice.path, [sha256_known(choice.path)]
        elif request is not None:
            pin = self._packages.packages(request)
            path, parts = None, [package.sha256 for package in pin.packages]
        else:
            return None

        def make(folder: Path) -> dict[str, Any]:
            with scratch_folder(parent=folder.parent) as scratch:
                file = path or library_in(self._unpack(pin.packages, scratch), what=choice.label)
                needs = needs_of(file, arch, what=choice.label)
                check_needs(needs, GuestFiles([self._base(arch)]), what=f"libbpf ({choice.label})")
                file_name = file.resolve().name if file.resolve().name.startswith(_STEM) else f"{_STEM}own"
                (folder / ARCHIVE).write_bytes(
                    cpio.archive(nodes(file.read_bytes(), needs.soname, arch, name=file_name))
                )
                about = {"soname": needs.soname, "library": sha256_file(file)}
            return {**about, "sha256": sha256_file(folder / ARCHIVE)}

        entry = self._cache.entry(KIND, digest(FORMAT, arch.name, parts, sha256_known(self._base(arch))), make)
        return entry.path / ARCHIVE


def check_own(path: Path, arch: Architecture) -> None:
    """Raise ConfigError where a file is no libbpf for guests of an architecture."""
    if not path.is_file():
        raise ConfigError(f"there is no library {shown(path)}; correct `libbpf` in matrix.yaml, or --libbpf")
    needs_of(path, arch, what=shown(path))


def needs_of(path: Path, arch: Architecture, *, what: str) -> Needs:
    """Return what a libbpf needs; raise ConfigError where a file is none, or one for another architecture."""
    needs = read_needs(path)
    if needs is None or not needs.soname.startswith(_STEM):
        said = f"its soname is {needs.soname or 'missing'}" if needs else "it is no ELF file"
        raise ConfigError(f"{what} is no libbpf: {said}, and not {_STEM}N")
    if needs.arch != arch.name:
        raise ConfigError(
            f"{what} is a libbpf for {needs.arch}, and the guests are {arch.name}; say one for each kernel "
            "(`libbpf` of its entry), or leave out those kernels"
        )
    return needs


def check_needs(needs: Needs, guest: GuestFiles, *, what: str) -> None:
    """Raise ConfigError where guests do not have a library that another needs, or not its version."""
    for library, versions in needs.versions.items():
        node = guest.find_library(library)
        lacking = [name for name in versions if node is not None and name.encode() not in node.data]
        if lacking:
            raise ConfigError(
                f"{what} needs {', '.join(lacking)} of {library}, which that of the guest image does not have: it was "
                "built for a younger userland than that of images/contents.yaml"
            )
    missing = [library for library in needs.needed if guest.find_library(library) is None]
    if missing:
        raise ConfigError(f"{what} needs {', '.join(missing)}, which the guest image does not have")


def library_in(root: Path, *, what: str) -> Path:
    """Return the libbpf of an unpacked package; raise ImageError."""
    found = [path for path in sorted(root.rglob(f"{_STEM}*")) if path.is_file() and not path.is_symlink()]
    if not found:
        raise ImageError(f"the package with the libbpf of {what} has no {_STEM}*")
    return found[0]


def nodes(library: bytes, soname: str, arch: Architecture, *, name: str) -> list[cpio.Node]:
    """Return the files of an archive: the library under its own name, and the links that lead to it.

    An old one says its version nowhere else (harness/agent/libbpf_old.py).
    """
    folder = f"usr/lib/{arch.multiarch}"
    links = dict.fromkeys(link for link in (soname, OPENED) if link != name)
    return [cpio.file(f"{folder}/{name}", library), *(cpio.link(f"{folder}/{link}", name) for link in links)]
