"""The compilers of BPF objects: the host's clang, one of the user's own, and releases unpacked from Debian packages.

A release that is unpacked runs by its own loader and C library (ld.so(8), --library-path), so that it does not depend
on those of the host. Nothing is installed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.errors import ConfigError, ImageError
from harness.host.cache import Cache, digest, file_state
from harness.host.process import find_tool, run
from harness.host.scratch import scratch_folder
from harness.supply.debian.apt import PackageFile
from harness.supply.elf import read_needs

FORMAT = 1
KIND = "compilers"
_VERSION = re.compile(r"version (\d+(?:\.\d+)*)")
_LEFT_OUT = re.compile(
    r"(?!libclang-common-).*-dev|(?!clang-\d|lib|zlib).*|lib(?:clang1|c-dev|objc|asan|tsan|ubsan|lsan|hwasan|gomp|itm|quadmath"
    r"|atomic|gc\d|binutils|ctf|gprofng|sframe|jansson|crypt|nsl|tirpc|gssapi|krb5|k5crypto|keyutils|com-err|ssl).*"
)
"""What Debian's clang depends on and compiling for BPF does not need: linkers, other compilers, headers of libraries.
What of the rest it needs is found by its ELF headers."""


@dataclass(frozen=True, kw_only=True)
class Clang:
    """A clang that can be started: the words that start it, and its version."""

    argv: tuple[str, ...]
    version: str


class Compiler(Protocol):
    """What compiles objects."""

    def identity(self) -> tuple[Any, list[Any]]:
        """Return what it says of itself, and of which files it is: other ones make other objects."""

    def clang(self) -> Clang:
        """Return it ready to start; raise what obtaining it raises."""


class HostCompiler:
    """A clang of the host: the one that is found there, or the file `path`."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self._said: str | None = None

    def identity(self) -> tuple[Any, list[Any]]:
        """Return its banner, and the state of its file; raise MissingToolError or ConfigError."""
        real = Path(self._found()).resolve()
        return self._banner(), [(str(real), file_state(real)[2:])]

    def clang(self) -> Clang:
        """Return the host's clang; raise MissingToolError or ConfigError."""
        return Clang(argv=(self._found(),), version=version_in(self._banner()))

    def _found(self) -> str:
        if self._path is None:
            return find_tool("clang", package="clang", purpose="compile BPF programs")
        if not self._path.is_file():
            raise ConfigError(f"there is no clang {self._path}; correct `clang` in matrix.yaml, or --clang")
        return str(self._path)

    def _banner(self) -> str:
        if self._said is None:
            self._said = run([self._found(), "--version"]).stdout
        return self._said


class UnpackedCompiler:
    """A release of clang out of `packages`, which are those that it depends on, too; unpacked when it is needed.

    `unpack` unpacks package files into a folder below another one.
    """

    def __init__(
        self,
        release: str,
        *,
        cache: Cache,
        packages: Callable[[], Sequence[PackageFile]],
        unpack: Callable[[Sequence[PackageFile], Path], Path],
    ) -> None:
        self._release, self._cache, self._packages, self._unpack = release, cache, packages, unpack
        self._known: tuple[PackageFile, ...] | None = None

    def identity(self) -> tuple[Any, list[Any]]:
        """Return its key: the packages that it is made of."""
        return f"clang-{self._release}", [self._key()]

    def clang(self) -> Clang:
        """Return it, unpacked now where it is not in the cache; raise ImageError, and what fetching raises."""
        entry = self._cache.entry(KIND, self._key(), self._make)
        return Clang(argv=started_by(entry.path), version=str(entry.meta["version"]))

    def _key(self) -> str:
        return digest(FORMAT, self._release, [package.sha256 for package in self._needed()])

    def _needed(self) -> tuple[PackageFile, ...]:
        if self._known is None:
            self._known = tuple(package for package in self._packages() if needed(package.name))
        return self._known

    def _make(self, folder: Path) -> dict[str, Any]:
        with scratch_folder(parent=folder.parent) as scratch:
            put_together(self._unpack(self._needed(), scratch), folder, release=self._release)
        done = run([*started_by(folder), "--version"])
        if done.returncode != 0:
            raise ImageError(f"clang-{self._release} cannot run on this host: {(done.stderr or done.stdout).strip()}")
        return {"version": version_in(done.stdout), "packages": [f"{p.name} {p.version}" for p in self._needed()]}


def needed(package: str) -> bool:
    """Say whether a package that clang depends on may have what compiling for BPF needs."""
    return not _LEFT_OUT.fullmatch(package)


def version_in(banner: str) -> str:
    """Return the version in what `clang --version` says, "" where it has none."""
    found = _VERSION.search(banner)
    return found[1] if found else ""


def started_by(folder: Path) -> tuple[str, ...]:
    """Return the words that start the clang in a folder that `put_together` has filled.

    It looks for its own headers beside its program, which is the loader for it; so they are named.
    """
    loader = next(iter(sorted((folder / "loader").iterdir())))
    program = (str(loader), "--library-path", str(folder / "lib"), str(folder / "bin/clang"))
    return (*program, "-resource-dir", str(folder / "resource"))


def put_together(root: Path, folder: Path, *, release: str) -> None:
    """Take a clang out of unpacked packages: its program, loader, libraries and own headers; raise ImageError."""
    program = _real(root / f"usr/lib/llvm-{release}/bin/clang", root)
    needs = read_needs(program) if program.is_file() else None
    if needs is None:
        raise ImageError(f"the package clang-{release} has no usr/lib/llvm-{release}/bin/clang")
    there: dict[str, Path] = {}
    for path in sorted(root.rglob("*.so*")):
        real = _real(path, root)
        if real.is_file():
            there.setdefault(path.name, real)
    for name in ("bin", "lib", "loader", "resource"):
        (folder / name).mkdir()
    libraries = dict(_libraries(program, there))
    loader = Path(needs.loader).name
    if loader not in there:
        raise ImageError(f"clang-{release} is started by {needs.loader}, which no package of it has")
    shutil.copy(program, folder / "bin/clang")
    shutil.copy(there[loader], folder / "loader" / loader)
    for name, path in libraries.items():
        shutil.copy(path, folder / "lib" / name)
    own = next(iter(sorted(root.glob(f"usr/lib/llvm-{release}/lib/clang/*/include/stddef.h"))), None) or next(
        iter(sorted(root.glob(f"usr/lib/clang/{release}*/include/stddef.h"))), None
    )
    if own is None:
        raise ImageError(f"the packages of clang-{release} do not have its own headers (stddef.h)")
    shutil.copytree(_real(own, root).parent, folder / "resource/include")


def _libraries(program: Path, there: dict[str, Path]) -> Iterator[tuple[str, Path]]:
    """Yield the libraries that a program needs, and those that they need, by their names."""
    seen: set[str] = set()
    queue = [program]
    while queue:
        path = queue.pop()
        needs = read_needs(path)
        for name in needs.needed if needs else ():
            if name in seen:
                continue
            seen.add(name)
            if name not in there:
                raise ImageError(f"{path.name} needs {name}, which no package that it depends on has")
            yield name, there[name]
            queue.append(there[name])


def _real(path: Path, root: Path) -> Path:
    """Return the file that a path of an unpacked tree leads to; absolute links begin at `root`."""
    for _ in range(40):  # as MAXSYMLINKS of the kernel
        if not path.is_symlink():
            break
        target = path.readlink()
        path = root / target.relative_to("/") if target.is_absolute() else path.parent / target
    return path
