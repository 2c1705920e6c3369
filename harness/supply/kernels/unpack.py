"""Taking a kernel's files out of Debian packages. Nothing of a package is run, only its members are read."""

from __future__ import annotations

import contextlib
import gzip
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from harness.errors import FetchError
from harness.host.process import find_tool

_MODULES_FOLDER = re.compile(r"^(?:usr/)?lib/modules/([^/]+)/(.+)$")
_BOOT_FILE = re.compile(r"^boot/(vmlinuz|vmlinux|config|System\.map)-([^/]+)$")

_CHANGELOG = re.compile(r"^(?:\./)?usr/share/doc/[^/]+/changelog(?:\.Debian)?\.gz$")
_LONGEST_CHANGELOG = 64 * 1024 * 1024
"""Bytes; those of Debian's kernels have 2 MB."""


def place(member: str) -> str | None:
    """Return where a package's member belongs in the unpacked tree, or None where it is not wanted.

    The kernel may lie in /boot or below /usr/lib/modules/RELEASE; modules below /lib or /usr/lib. They all
    come out under `boot/KIND-RELEASE` and `lib/modules/RELEASE/...`.
    """
    name = str(PurePosixPath(member.removeprefix("./")))
    if _BOOT_FILE.match(name):
        return name
    match = _MODULES_FOLDER.match(name)
    if match is None or ".." in PurePosixPath(name).parts:
        return None
    release, rest = match.groups()
    if rest in ("vmlinuz", "vmlinux", "config", "System.map"):
        return f"boot/{rest}-{release}"
    if rest.startswith(("kernel/", "modules.")):
        return f"lib/modules/{release}/{rest}"
    return None


def unpack_kernel_packages(debs: Iterable[Path], root: Path) -> None:
    """Write the wanted members of some packages below `root`; raise FetchError on a damaged package."""
    for deb in debs:
        with _opened(deb) as archive:
            for member in archive:
                _extract(archive, member, root)


def changelog_of(deb: Path) -> str:
    """Return the changelog that a package carries (Debian policy 12.7), "" without one; raise FetchError as above."""
    found = ""
    with _opened(deb) as archive:
        for member in archive:
            source = archive.extractfile(member) if _CHANGELOG.match(member.name) and member.isfile() else None
            if source is None:
                continue
            with source, gzip.open(source) as text:
                found = max(found, text.read(_LONGEST_CHANGELOG).decode(errors="replace"), key=len)
    return found


@contextlib.contextmanager
def _opened(deb: Path) -> Iterator[tarfile.TarFile]:
    """Hold the files of a package as an archive that is read from its beginning to its end."""
    dpkg_deb = find_tool("dpkg-deb", package="dpkg", purpose="unpack Debian's packages")
    with subprocess.Popen(
        [dpkg_deb, "--fsys-tarfile", deb],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        try:
            with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                yield archive
            while process.stdout.read(1 << 16):
                pass  # the archive's padding: dpkg-deb fails where nobody takes it
        except (tarfile.TarError, gzip.BadGzipFile, EOFError) as error:
            raise FetchError(f"{deb.name} cannot be unpacked: {error}") from error
        finally:
            process.stdout.close()
        complaint = process.stderr.read().decode(errors="replace").strip()
    if process.returncode != 0:
        raise FetchError(f"{deb.name} cannot be unpacked: {complaint}")


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, root: Path) -> None:
    target = place(member.name)
    if target is None or not member.isfile():
        return
    source = archive.extractfile(member)
    if source is None:
        return
    path = root / target
    path.parent.mkdir(parents=True, exist_ok=True)
    with source, path.open("wb") as file:
        shutil.copyfileobj(source, file)
