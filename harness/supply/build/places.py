"""Where the sources of a kernel can be: a folder, Debian's package of sources, a git clone. One class each."""

from __future__ import annotations

import contextlib
import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from harness.config.matrix import BuildKernel, Kernel
from harness.errors import FetchError, KernelBuildError, KernelFileError, PackageGoneError, UsageError
from harness.host.cache import Cache
from harness.host.called_as import command
from harness.host.process import find_tool, run
from harness.host.scratch import scratch_folder
from harness.model.architectures import ARCHITECTURES, host_architecture, host_name
from harness.supply.build import git
from harness.supply.build.pin import BuildPin
from harness.supply.build.tree import built_in_place, check_tree, tree_hash, version_of
from harness.supply.debian.apt import Stanza
from harness.supply.debian.archive import Archive
from harness.supply.debian.resolve import Index, newest_first

SHOWN = 12
"""How many digits of a hash are shown."""
ENTRY = "commits"
"""The name of what commits are built as where no entry of a matrix is named."""
UNPACK_SECONDS = 1800.0
_TARBALL = re.compile(r"(?:^|/)usr/src/(?:[^/]+/)?linux-source-[^/]*\.tar(?:\.\w+)?$")
_PACKAGE = "linux-source"


class Place(Protocol):
    """One of the places. `blank` is a pin with all that repeats the request, and no sources."""

    def check(self, kernel: BuildKernel) -> None:
        """Raise KernelFileError where the entry names what is not there. No network."""

    def listed(self, kernel: BuildKernel, blank: BuildPin) -> Sequence[BuildPin]:
        """Return all that the entry may stand for now, the newest first; at least one, else raise PackageGoneError."""

    def there(self, pin: BuildPin) -> bool:
        """Say whether the sources of a pin can be had now."""

    def changed(self, kernel: BuildKernel, pin: BuildPin) -> str:
        """Return why a pin must not be built, nor taken from the cache; "" where nothing is against it."""

    def moved(self, kernel: BuildKernel, pin: BuildPin) -> str:
        """Return what the user must know of what the entry stands for by now; "" where that is the pin. No network."""

    def sources(self, kernel: BuildKernel, pin: BuildPin, scratch: Path) -> AbstractContextManager[Path]:
        """Hold the sources of a pin; what must be written for that lies in `scratch`. Raises PackageGoneError."""


@dataclass(frozen=True)
class TreePlace:
    """A folder with sources, as they are now."""

    cache: Cache

    def check(self, kernel: BuildKernel) -> None:
        """Find a folder that is none, or that nothing can be built of."""
        tree = _given(kernel.tree)
        check_tree(tree, kernel=kernel.name)
        built = built_in_place(tree)
        if built and not git.is_work_tree(tree):
            raise KernelFileError(
                f"kernel {kernel.name}: somebody has built in {tree} (it has {built}), and the kernel's Makefile "
                f"builds nowhere else from such a tree.\n  `make -C {tree} mrproper` removes what was built, and "
                f"its .config: copy that before. To run the kernel that was built there, say `source: path`"
            )

    def listed(self, kernel: BuildKernel, blank: BuildPin) -> Sequence[BuildPin]:
        """Return the one that there is."""
        self.check(kernel)
        tree = _given(kernel.tree)
        version, found = check_tree(tree, kernel=kernel.name), self._hash(tree)
        return (replace(blank, version=f"{version} ({found[:SHOWN]})", tree=found),)

    def there(self, pin: BuildPin) -> bool:  # noqa: ARG002  (Place)
        """Say yes: whether it is, `changed` says."""
        return True

    def changed(self, kernel: BuildKernel, pin: BuildPin) -> str:
        """Compare what is in the folder with the pin. One that is not there any more is no other."""
        tree = _given(kernel.tree)
        if not tree.exists() or self._hash(tree) == pin.tree:
            return ""
        return f"{tree} is not what it was when {pin.version} was pinned: its files have changed"

    def moved(self, kernel: BuildKernel, pin: BuildPin) -> str:  # noqa: ARG002
        """Return nothing: `changed` has said it."""
        return ""

    @contextlib.contextmanager
    def sources(self, kernel: BuildKernel, pin: BuildPin, scratch: Path) -> Iterator[Path]:
        """Hold the folder itself, or a copy of what git has of it where somebody has built in it.

        Raises KernelBuildError at the end where it has changed meanwhile: nobody knows then what was built.
        """
        self.check(kernel)
        tree = _given(kernel.tree)
        if built_in_place(tree):
            found = git.work_tree(tree, scratch=scratch)
            git.export(tree, found, scratch / "source", scratch=scratch)
            yield scratch / "source"
        else:
            yield tree
        if self._hash(tree) != pin.tree:
            raise KernelBuildError(
                f"kernel {kernel.name}: files in {tree} were changed while it was built, so nobody knows what was "
                f"built. Run it again"
            )

    def _hash(self, tree: Path) -> str:
        if not git.is_work_tree(tree):
            return tree_hash(tree, cache=self.cache)
        with self.cache.scratch("build-trees") as scratch:
            return git.work_tree(tree, scratch=scratch)


@dataclass(frozen=True)
class PackagePlace:
    """Debian's packages of sources, of which each is a tarball."""

    archive: Archive

    def check(self, kernel: BuildKernel) -> None:
        """Find nothing: reading matrix.yaml has found what can be wrong without the suite's index."""

    def listed(self, kernel: BuildKernel, blank: BuildPin) -> Sequence[BuildPin]:
        """Return what the suite's index lists now."""
        suite, package = str(kernel.suite), str(kernel.package)
        # The package is of no architecture, and a suite need not have the kernel's.
        architecture = (host_architecture() or ARCHITECTURES["x86_64"]).debian
        with self.archive.index(suite, architecture) as index:
            found = source_packages(index, package=package, version=kernel.version)
            if not found:
                names = ", ".join(index.names(_PACKAGE)[:SHOWN])
                wanted = package if kernel.version is None else f"{package} = {kernel.version}"
                raise PackageGoneError(f"{suite} has no package {wanted}; it has: {names or 'none alike'}")
        return [replace(blank, version=stanza.package.version, packages=(stanza.package,)) for stanza in found]

    def there(self, pin: BuildPin) -> bool:
        """Ask the mirror."""
        return all(self.archive.has(package) for package in pin.packages)

    def changed(self, kernel: BuildKernel, pin: BuildPin) -> str:  # noqa: ARG002
        """Return nothing: a package is what it is."""
        return ""

    def moved(self, kernel: BuildKernel, pin: BuildPin) -> str:  # noqa: ARG002
        """Return nothing: whether there is a newer one, `lock` asks."""
        return ""

    @contextlib.contextmanager
    def sources(self, kernel: BuildKernel, pin: BuildPin, scratch: Path) -> Iterator[Path]:
        """Fetch the package, and unpack what is in it."""
        folder = scratch / "source"
        folder.mkdir()
        for package in pin.packages:
            deb = self.archive.fetch(package, scratch)
            tarball = take_tarball(deb, scratch)
            deb.unlink()
            tar = find_tool("tar", package="tar", purpose="unpack a kernel's sources")
            done = run(
                [tar, "--extract", "--strip-components=1", "--file", tarball, "-C", folder], timeout=UNPACK_SECONDS
            )
            if done.returncode != 0:
                raise FetchError(f"{package.name} {package.version} cannot be unpacked: {done.stderr.strip()[:500]}")
            tarball.unlink()
        check_tree(folder, kernel=kernel.name)
        yield folder


@dataclass(frozen=True)
class GitPlace:
    """A ref of a git clone of this machine."""

    def check(self, kernel: BuildKernel) -> None:
        """Find a folder that is no clone."""
        git.check_clone(_given(kernel.git), kernel=kernel.name)

    def listed(self, kernel: BuildKernel, blank: BuildPin) -> Sequence[BuildPin]:
        """Return the commit that the ref stands for now."""
        clone = _given(kernel.git)
        found = git.resolve(clone, str(kernel.ref), kernel=kernel.name)
        version = version_of(git.file_of(clone, found.commit, "Makefile"))
        if not version:
            raise KernelFileError(f"kernel {kernel.name}: {kernel.ref} of {clone} is no source tree of a kernel")
        return (replace(blank, version=f"{version} ({found.commit[:SHOWN]})", commit=found.commit, tree=found.tree),)

    def there(self, pin: BuildPin) -> bool:  # noqa: ARG002
        """Say yes: what is not there is found when it is taken."""
        return True

    def changed(self, kernel: BuildKernel, pin: BuildPin) -> str:  # noqa: ARG002
        """Return nothing: a commit is what it is."""
        return ""

    def moved(self, kernel: BuildKernel, pin: BuildPin) -> str:
        """Compare the commit that the ref stands for now with the pin."""
        clone = _given(kernel.git)
        try:
            found = git.resolve(clone, str(kernel.ref), kernel=kernel.name)
        except (KernelFileError, PackageGoneError):
            return ""  # the pinned commit may be there or cached, and that is what was asked for
        if found.commit == pin.commit:
            return ""
        return (
            f"{kernel.name}: {kernel.ref} is another commit by now ({found.commit[:SHOWN]}); the pinned {pin.version} "
            f"was run. Run `{command('lock')}` to take the new one"
        )

    @contextlib.contextmanager
    def sources(self, kernel: BuildKernel, pin: BuildPin, scratch: Path) -> Iterator[Path]:
        """Write the files of the commit."""
        clone = _given(kernel.git)
        git.check_clone(clone, kernel=kernel.name)
        git.export(clone, str(pin.commit), scratch / "source", scratch=scratch)
        check_tree(scratch / "source", kernel=kernel.name)
        yield scratch / "source"


PLACES: Mapping[str, Callable[[Cache, Archive], Any]] = MappingProxyType(
    {
        "tree": lambda cache, archive: TreePlace(cache),  # noqa: ARG005
        "package": lambda cache, archive: PackagePlace(archive),  # noqa: ARG005
        "git": lambda cache, archive: GitPlace(),  # noqa: ARG005
    }
)
"""By the key of the matrix that names it."""


def place_of(kernel: BuildKernel) -> str:
    """Return which of the places an entry of the matrix names."""
    return next(name for name in PLACES if getattr(kernel, name) is not None)


def source_packages(index: Index, *, package: str, version: str | None) -> list[Stanza]:
    """Return the packages of sources that a name or a pattern means, the newest first.

    `linux-source` alone has no sources, and stands for those that it depends on.
    """
    names = [name for name in index.names(re.split(r"[*?\[]", package)[0]) if fnmatch.fnmatchcase(name, package)]
    if names == [_PACKAGE]:
        metas = index.show(names).get(_PACKAGE, ())
        names = [name for meta in metas[:1] for name in meta.depends if name.startswith(f"{_PACKAGE}-")]
    stanzas = (stanza for found in index.show(names).values() for stanza in found if stanza.package.name != _PACKAGE)
    return newest_first(stanza for stanza in stanzas if version is None or stanza.package.version == version)


def take_tarball(deb: Path, folder: Path) -> Path:
    """Write the tarball of a package of sources to `folder`; raise FetchError where it has none."""
    import tarfile  # noqa: PLC0415  (few runs need it)

    dpkg_deb = find_tool("dpkg-deb", package="dpkg", purpose="unpack Debian's packages")
    with scratch_folder(parent=folder) as own:
        plain = own / "data.tar"
        done = run([dpkg_deb, "--fsys-tarfile", deb], output=plain)
        if done.returncode != 0:
            raise FetchError(f"{deb.name} cannot be unpacked: {done.stderr.strip()}")
        with tarfile.open(plain) as archive:
            for member in archive:
                source = archive.extractfile(member) if member.isfile() and _TARBALL.search(member.name) else None
                if source is not None:
                    target = folder / Path(member.name).name
                    with source, target.open("wb") as file:
                        while data := source.read(1 << 20):
                            file.write(data)
                    return target
    raise FetchError(f"{deb.name} has no tarball of a kernel's sources")


def _given(path: Path | None) -> Path:
    assert path is not None  # place_of() has said so
    return path


def entry_of(kernels: Sequence[Kernel], clone: Path) -> BuildKernel:
    """Return the entry that each commit is built as: the one that is named, else the host's; raise UsageError."""
    if not kernels:
        return BuildKernel(name=ENTRY, arch=host_name(), source="build", git=clone.absolute(), ref="HEAD")
    if len(kernels) > 1 or not isinstance(kernels[0], BuildKernel):
        raise UsageError(
            "--commits builds one kernel; name an entry of the matrix with `source: build` with --kernel, or none "
            f"(see `{command('kernels')}`)"
        )
    own = {"git": clone.absolute(), "ref": "HEAD", "tree": None, "package": None, "suite": None, "version": None}
    return kernels[0].model_copy(update=own)


def row_of(entry: BuildKernel, commit: str) -> BuildKernel:
    """Return the row of one commit."""
    return entry.model_copy(update={"name": f"{entry.name}-{commit[:SHOWN]}", "ref": commit})
