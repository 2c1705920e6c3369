"""Kernels for the tests of their sources: a mirror of Debian's in memory, and files as a user has them."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import pytest
from kernel_sources import build_entry, make_tree
from oci_samples import Layout, MemoryRegistry, layer
from unit_samples import RELEASE, x86_image

from harness.config.matrix import AptKernel, BuildKernel, DebianKernel, OciKernel, PathKernel
from harness.errors import PackageGoneError
from harness.host.cache import TAG, Cache
from harness.supply.build.building import BuiltKernel, Job
from harness.supply.debian.apt import PackageFile, Stanza
from harness.supply.debian.mirrors import Mirrors
from harness.supply.debian.pin import DebianPin
from harness.supply.debian.resolve import Index, newest_first
from harness.supply.kernels.apt import AptSource
from harness.supply.kernels.build import BuildSource
from harness.supply.kernels.debian import DebianSource
from harness.supply.kernels.modules import ModuleOrder
from harness.supply.kernels.oci import OciSource
from harness.supply.kernels.path import PathSource
from harness.supply.kernels.source import KernelSource, SourceContext

KERNEL = DebianKernel(
    name="6.1-x86_64", arch="x86_64", source="debian", suite="bookworm", package="linux-image-cloud-amd64"
)
MODULES = ["virtio_net", "virtio_pci"]
BOOT = {
    f"boot/vmlinuz-{RELEASE}": x86_image(),
    f"boot/config-{RELEASE}": b"CONFIG_A=y\n",
    f"boot/System.map-{RELEASE}": b"x",
}
TREE = {f"lib/modules/{RELEASE}/kernel/{name}.ko": name.encode() for name in MODULES}


def deb(files: dict[str, bytes]) -> bytes:
    """A package, put together without dpkg-deb."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    control = io.BytesIO()
    with tarfile.open(fileobj=control, mode="w") as archive:
        member = tarfile.TarInfo("./control")
        text = b"Package: x\nVersion: 1\nArchitecture: all\nMaintainer: n\nDescription: x\n"
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    made = b"!<arch>\n"
    for name, part in (("debian-binary", b"2.0\n"), ("control.tar", control.getvalue()), ("data.tar", data.getvalue())):
        made += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(part):<10}`\n".encode() + part + b"\n" * (len(part) % 2)
        )
    return made


def no_mirrors() -> Mirrors:
    """What a source finds that must not look for a mirror."""
    pytest.fail("no mirror is needed here")


def find_by_name(root: Path, *, release: str, names: list[str]) -> ModuleOrder:
    """Stands for depmod and modprobe, which want real modules: every module needs no other."""
    folder = root / "lib/modules" / release / "kernel"
    files = [folder / f"{name}.ko" for name in names if (folder / f"{name}.ko").exists()]
    return ModuleOrder(tuple(files), tuple(name for name in names if not (folder / f"{name}.ko").exists()))


class SourceWorld(Protocol):
    """A place that a source's kernels come from, as the common tests want it."""

    cache: Cache

    def source(self) -> KernelSource[Any, Any]:
        """Return the source, as a process of its own has it."""

    def kernel(self) -> Any:
        """Return the entry of a kernel, with two modules, that the source has."""

    def another(self) -> Any:
        """Return an entry that asks for something else."""

    def lose(self) -> None:
        """Delete the files of all kernels, and keep them listed."""

    def left(self) -> list[str]:
        """Return the files in the cache, but for locks."""


def files_in(cache: Cache) -> list[str]:
    """Return what lies in a cache, but for locks, and what says whose it is."""
    found = [str(path.relative_to(cache.root)) for path in cache.root.rglob("*") if path.is_file()]
    return sorted(name for name in found if not name.startswith(("locks", "users", TAG)))


class MemoryArchive:
    """Debian's archives, with packages in memory; `stanzas` is what its suites list, `fetched` what was asked for."""

    suites = ("bookworm",)
    architecture = "amd64"
    origin = "Debian"

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.stanzas: dict[str, tuple[Stanza, ...]] = {}
        self.fetched: list[str] = []
        self.failure: Exception | None = None

    def add(self, name: str, version: str, files: dict[str, bytes], *depends: str) -> PackageFile:
        """Add a package, listed with what it depends on."""
        data = deb(files)
        path = f"pool/{name}_{version}.deb"
        self.files[path] = data
        sha256 = hashlib.sha256(data).hexdigest()
        package = PackageFile(name=name, version=version, archive="debian", file=path, sha256=sha256, size=len(data))
        stanza = Stanza(package=package, depends=depends)
        self.stanzas[name] = tuple(newest_first([*self.stanzas.get(name, ()), stanza]))
        return package

    @contextlib.contextmanager
    def index(self, suite: str, architecture: str) -> Iterator[Index]:
        if self.failure is not None:
            raise self.failure
        yield self

    def names(self, prefix: str) -> Sequence[str]:
        return sorted(name for name in self.stanzas if name.startswith(prefix))

    def show(self, names: Iterable[str]) -> Mapping[str, tuple[Stanza, ...]]:
        return {name: self.stanzas[name] for name in names if name in self.stanzas}

    def has(self, package: PackageFile) -> bool:
        return package.file in self.files

    def fetch(self, package: PackageFile, folder: Path) -> Path:
        if self.failure is not None:
            raise self.failure
        if package.file not in self.files:
            raise PackageGoneError(f"the mirror no longer has {package.name} {package.version}")
        self.fetched.append(package.name)
        path = folder / Path(package.file).name
        path.write_bytes(self.files[package.file])
        return path


class DebianWorld:
    """A mirror with some packages, and a cache."""

    def __init__(self, folder: Path) -> None:
        self.cache = Cache(folder / "cache")
        self.archive = MemoryArchive()

    def source(self) -> DebianSource:
        return DebianSource(SourceContext(cache=self.cache, mirrors=no_mirrors), archive=self.archive)

    def kernel(self) -> DebianKernel:
        name = f"linux-image-{RELEASE}"
        self.archive.add("linux-image-cloud-amd64", "6.1.176-1", {}, name)
        self.archive.add(name, "6.1.176-1", {**BOOT, **TREE})
        return KERNEL

    def another(self) -> DebianKernel:
        return KERNEL.model_copy(update={"suite": "trixie"})

    def pinned(self, *packages: PackageFile, version: str = "6.1.176-1") -> DebianPin:
        """A pin of KERNEL to these packages."""
        return DebianPin(
            suite=KERNEL.suite, package=KERNEL.package, architecture="amd64", version=version, packages=packages
        )

    def lose(self) -> None:
        self.archive.files.clear()

    def left(self) -> list[str]:
        return files_in(self.cache)


class AptWorld:
    """A repository with some packages, and a cache."""

    def __init__(self, folder: Path) -> None:
        self.cache = Cache(folder / "cache")
        self.archive = MemoryArchive()

    def source(self) -> AptSource:
        context = SourceContext(cache=self.cache, mirrors=no_mirrors)
        return AptSource(context, repositories=lambda kernel: (self.archive, []))  # noqa: ARG005

    def kernel(self) -> AptKernel:
        image, modules = f"linux-image-{RELEASE}", f"linux-modules-{RELEASE}"
        self.archive.add("linux-image-generic", "6.1.176.1", {}, image)
        self.archive.add(image, "6.1.176-1", BOOT, modules)
        self.archive.add(modules, "6.1.176-1", TREE)
        return AptKernel(
            name="generic",
            arch="x86_64",
            source="apt",
            uris=("http://mirror.example/ubuntu",),
            suite="bookworm",
            keyring=Path(__file__),
            package="linux-image-generic",
        )

    def another(self) -> AptKernel:
        return self.kernel().model_copy(update={"components": ("main", "universe")})

    def lose(self) -> None:
        self.archive.files.clear()

    def left(self) -> list[str]:
        return files_in(self.cache)


class PathWorld:
    """A folder with a kernel that a user has built, and a cache."""

    def __init__(self, folder: Path) -> None:
        self.cache = Cache(folder / "cache")
        self.folder = folder / "built"

    def source(self) -> PathSource:
        return PathSource(SourceContext(cache=self.cache, mirrors=no_mirrors))

    def kernel(self) -> PathKernel:
        for name, data in {"vmlinuz": x86_image(), "config": b"CONFIG_A=y\n", **TREE}.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_bytes(data)
        return PathKernel(
            name="mine",
            arch="x86_64",
            source="path",
            image=self.folder / "vmlinuz",
            modules=self.folder / "lib/modules" / RELEASE,
        )

    def another(self) -> PathKernel:
        return self.kernel().model_copy(update={"image": self.folder / "bzImage"})

    def lose(self) -> None:
        (self.folder / "vmlinuz").unlink()

    def left(self) -> list[str]:
        return files_in(self.cache)


class OciWorld:
    """A registry with an image, whose kernel came with a later layer than its modules, and a cache."""

    def __init__(self, folder: Path) -> None:
        self.cache = Cache(folder / "cache")
        self.layout = Layout(folder / "built")
        self.registry = MemoryRegistry(self.layout)

    def source(self) -> OciSource:
        return OciSource(SourceContext(cache=self.cache, mirrors=no_mirrors), registry=self.registry)

    def kernel(self) -> OciKernel:
        self.layout.image(layer({f"usr/{name}": data for name, data in TREE.items()}), layer(BOOT))
        return OciKernel(name="6.1", arch="x86_64", source="oci", image="registry.example/kernels:6.1")

    def another(self) -> OciKernel:
        return self.kernel().model_copy(update={"image": "registry.example/kernels:6.2"})

    def lose(self) -> None:
        for path in (self.layout.folder / "blobs/sha256").iterdir():
            path.unlink()

    def left(self) -> list[str]:
        return files_in(self.cache)


def build_at_once(job: Job, root: Path) -> BuiltKernel:
    """Stands for compilers: the kernel lies in the sources."""
    for name, data in {**BOOT, **TREE}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    (root / f"boot/vmlinuz-{RELEASE}").write_bytes((job.tree / "image").read_bytes())
    return BuiltKernel(RELEASE, "")


class BuildWorld:
    """A folder with a kernel's sources, and a cache."""

    def __init__(self, folder: Path) -> None:
        self.cache = Cache(folder / "cache")
        self.folder = folder / "built"

    def source(self) -> BuildSource:
        return BuildSource(
            SourceContext(cache=self.cache, mirrors=no_mirrors),
            build=build_at_once,
            require=lambda kernel, configuration: None,  # noqa: ARG005
            compilers=lambda kernel, configuration: ["gcc 12"],  # noqa: ARG005
        )

    def kernel(self) -> BuildKernel:
        if not self.folder.exists():
            make_tree(self.folder)
        return build_entry(tree=self.folder)

    def another(self) -> BuildKernel:
        return build_entry(tree=self.folder, config=["CONFIG_OWN=y"])

    def lose(self) -> None:
        shutil.rmtree(self.folder)

    def left(self) -> list[str]:
        """What a tree was the last time it was looked at is known, and is no kernel."""
        return [name for name in files_in(self.cache) if not name.startswith("build-trees")]
