"""The shared libraries that a pushed program needs: found on this host as its loader would, and whether they go along.

Only where the guest has the host's architecture: else only what is in the guest counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.supply.elf import Needs, Version, read_needs

FOLDER = "/usr/local/lib/bpfmatrix"
"""Where libraries of the host lie in the guest."""
CONFIGURATION = Path("/etc/ld.so.conf")
DEFAULT_FOLDERS = ("/lib64", "/usr/lib64", "/lib", "/usr/lib")
"""Where a loader looks last (ld.so(8))."""
_OF_LIBC = re.compile(
    r"(ld-linux[\w.-]*|ld64|ld|libc|libm|libmvec|libpthread|libdl|librt|libutil|libresolv|libanl|libnsl|libnss_[a-z]+"
    r"|libthread_db|libBrokenLocale|libc_malloc_debug|libpcprofile|libmemusage)\.so(\.[0-9]+)*"
)
"""The files of the GNU C library, which only work together."""

Reader = Callable[[Path], Needs | None]


def of_libc(name: str) -> bool:
    """Say whether a file belongs to the C library, so that it only works with the others of the same build."""
    return _OF_LIBC.fullmatch(name) is not None


def configured_folders(path: Path = CONFIGURATION, *, depth: int = 4) -> list[str]:
    """Return the folders that a loader's configuration names, those that it includes among them."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    found: list[str] = []
    for line in lines:
        text = line.split("#", 1)[0].strip()
        if text.startswith("include ") and depth:
            pattern = text.removeprefix("include ").strip()
            start = Path(pattern).parent if pattern.startswith("/") else path.parent / Path(pattern).parent
            for included in sorted(start.glob(Path(pattern).name)):
                found += configured_folders(included, depth=depth - 1)
        elif text.startswith("/"):
            found.append(text)
    return found


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a program needs, with all that its libraries need in turn.

    `libraries` maps sonames to files of this host, `missing` sonames to the file that needs them. `glibc` is the newest
    version of the C library that any of them needs, those of the C library itself left out. `loader` is the
    interpreter that the program names.
    """

    loader: str = ""
    libraries: Mapping[str, Path] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    glibc: Version = ()


def find_libraries(program: Path, *, folders: Sequence[str], read: Reader = read_needs) -> Found:
    """Return what a program of this host needs; `folders` are those in which its loader looks.

    As ld.so(8) says: DT_RPATH of the file and of those that led to it, where it has no DT_RUNPATH; then its DT_RUNPATH;
    then the folders. Of a file of another architecture nothing is taken.
    """
    first = read(program)
    if first is None:
        return Found()
    libraries: dict[str, Path] = {}
    missing: dict[str, str] = {}
    newest = first.glibc
    queue: list[tuple[Path, Needs, tuple[str, ...]]] = [(program, first, ())]
    while queue:
        path, needs, inherited = queue.pop(0)
        own = tuple(_expanded(needs.rpath, path)) if not needs.runpath else ()
        searched = (*own, *(() if needs.runpath else inherited), *_expanded(needs.runpath, path), *folders)
        for name in needs.needed:
            if name in libraries:
                continue
            found = _first(name, searched, arch=first.arch, read=read)
            if found is None:
                missing.setdefault(name, path.name)
                continue
            libraries[name], its = found
            if not of_libc(name):
                newest = max(newest, its.glibc)
            queue.append((libraries[name], its, (*own, *inherited)))
    missing = {name: by for name, by in missing.items() if name not in libraries}
    return Found(loader=first.loader, libraries=libraries, missing=missing, glibc=newest)


def _expanded(folders: Iterable[str], of: Path) -> Iterator[str]:
    origin = str(of.resolve().parent)
    for folder in folders:
        yield folder.replace("${ORIGIN}", origin).replace("$ORIGIN", origin)


def _first(name: str, folders: Iterable[str], *, arch: str, read: Reader) -> tuple[Path, Needs] | None:
    places = [Path(name)] if "/" in name else [Path(folder) / name for folder in folders]
    for place in places:
        if place.is_file():
            needs = read(place)
            if needs is not None and needs.arch == arch:
                return place, needs
    return None


@dataclass(frozen=True, kw_only=True)
class Along:
    """What goes along with a program: `libraries`, name in FOLDER -> file of this host.

    With `private` the program runs through the host's own loader, which is that one of them; else it finds them by
    LD_LIBRARY_PATH. `loader` is a loader that goes to the place that the program names.
    """

    libraries: Mapping[str, Path] = field(default_factory=dict)
    private: str = ""
    loader: Path | None = None


def along_with(found: Found, *, same: Callable[[str, Path], bool], has: Callable[[str], bool], glibc: Version) -> Along:
    """Return what goes along with a program. Pure, but for what it is given.

    `same` says whether the guest has a library of this soname and of the same build as that file, `has` whether it has
    one of this name at all, or a file of this path; `glibc` is the version of the guest's C library.

    The guest's C library serves a program that needs no newer one. Else, and where it needs a part of it that the guest
    does not have, the host's goes along, loader and all, since its parts only work together.
    """
    others = {name: path for name, path in found.libraries.items() if not of_libc(name)}
    libc = {name: path for name, path in found.libraries.items() if of_libc(name)}
    wanted = {name: path for name, path in others.items() if not same(name, path)}
    if not found.loader:
        return Along(libraries=wanted)
    if not libc and not has(found.loader):  # another C library, whose loader it is
        return Along(libraries=others, loader=Path(found.loader))
    if found.glibc <= glibc and all(has(name) for name in libc):
        return Along(libraries=wanted)
    loader = Path(found.loader)
    return Along(libraries={**others, **libc, loader.name: loader}, private=loader.name)
