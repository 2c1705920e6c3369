"""What tests of RPM packages share: tiny kernels, built and signed once a process, and repositories of them."""

from __future__ import annotations

import atexit
import contextlib
import functools
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from rpm_repositories import Signer, build_rpm, make_index, signer
from source_worlds import BOOT, TREE, files_in, no_mirrors
from unit_samples import x86_image

from harness.config.matrix import RpmKernel
from harness.host.cache import Cache
from harness.supply.kernels.rpm import RpmSource
from harness.supply.kernels.source import SourceContext

VERSION = "5.14.0-503.el9"
RELEASE = f"{VERSION}.x86_64"
MODULES_FOLDER = f"lib/modules/{RELEASE}"
CORE = {
    f"{MODULES_FOLDER}/vmlinuz": x86_image(RELEASE),
    f"{MODULES_FOLDER}/config": b"CONFIG_A=y\n",
    f"{MODULES_FOLDER}/System.map": b"s" * 5000,
    f"{MODULES_FOLDER}/modules.builtin": b"kernel/drivers/virtio/virtio_pci.ko\n",
    f"{MODULES_FOLDER}/kernel/virtio_pci.ko": b"virtio_pci",
    f"{MODULES_FOLDER}/build/Makefile": b"not wanted",
}
MODULES = {f"{MODULES_FOLDER}/kernel/virtio_net.ko": b"virtio_net"}

_FILES: Mapping[str, Mapping[str, bytes]] = {
    "kernel-core": CORE,
    "kernel-modules": MODULES,
    "Debian's kernel-core": BOOT,
    "Debian's kernel-modules": TREE,
}

_stack = contextlib.ExitStack()
atexit.register(_stack.close)


@functools.cache
def key() -> Signer:
    """Who signs what is right."""
    return _stack.enter_context(signer())


@functools.cache
def other_key() -> Signer:
    """Somebody else."""
    return _stack.enter_context(signer())


@functools.cache
def _folder() -> Path:
    return Path(_stack.enter_context(tempfile.TemporaryDirectory(prefix="t.")))


@functools.cache
def _built(name: str, signed_by: str, version: str, *, kernel: str = "") -> Path:
    folder = Path(tempfile.mkdtemp(dir=_folder()))
    files = _FILES[kernel + name]
    number, release = version.split("-")
    path = build_rpm(folder, name, files, version=number, release=release)
    if signed_by:
        {"key": key, "other": other_key}[signed_by]().sign_rpm(path)
    return path


def sample(folder: Path, name: str = "kernel-core", *, signed_by: str = "key", version: str = VERSION) -> Path:
    """Put a package into `folder`: kernel-core, or kernel-modules; signed by `key`, `other` or nobody ("")."""
    folder.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copy(_built(name, signed_by, version), folder))


def repository(folder: Path, *, signed_by: str = "key") -> Path:
    """Make a repository of one kernel in two packages, which are signed as in `sample`; its index is, by `key`."""
    shutil.copytree(_indexed(signed_by), folder)
    return folder


@functools.cache
def _indexed(signed_by: str) -> Path:
    folder = Path(tempfile.mkdtemp(dir=_folder()))
    for name in ("kernel-core", "kernel-modules"):
        sample(folder, name, signed_by=signed_by)
    make_index(folder, key=key())
    return folder


def keyring(folder: Path, who: Signer | None = None) -> Path:
    """Write the public key of somebody, `key` where nobody is named, as distributions publish theirs."""
    path = folder / "RPM-GPG-KEY-test"
    path.write_bytes((who or key()).public)
    return path


@functools.cache
def _debians() -> Path:
    """The kernel of the tests of all sources, in packages as RHEL splits them."""
    folder = Path(tempfile.mkdtemp(dir=_folder()))
    for name in ("kernel-core", "kernel-modules"):
        shutil.copy(_built(name, "key", "6.1.176-1", kernel="Debian's "), folder)
    make_index(folder, key=key())
    return folder


class RpmWorld:
    """A repository in a folder, and a cache."""

    def __init__(self, folder: Path) -> None:
        self.cache = Cache(folder / "cache")
        self.folder = folder / "built"
        self.repository = self.folder / "repository"

    def source(self) -> RpmSource:
        return RpmSource(SourceContext(cache=self.cache, mirrors=no_mirrors))

    def kernel(self) -> RpmKernel:
        if not self.repository.exists():
            self.folder.mkdir()
            shutil.copytree(_debians(), self.repository)
        return RpmKernel(
            name="el9",
            arch="x86_64",
            source="rpm",
            distribution="rhel-like",
            baseurl=(f"file://{self.repository}",),
            keyring=keyring(self.folder),
        )

    def another(self) -> RpmKernel:
        return self.kernel().model_copy(update={"version": "5.*"})

    def lose(self) -> None:
        for path in self.repository.glob("*.rpm"):
            path.unlink()

    def left(self) -> list[str]:
        return [name for name in files_in(self.cache) if not name.startswith("rpm-index/")]
