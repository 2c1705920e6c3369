"""Files as a .tar.gz, the same bytes for the same files; and what is in one that somebody else made. Pure."""

from __future__ import annotations

import gzip
import io
import tarfile
import zlib
from collections.abc import Mapping

from harness.errors import ConfigError

MOST_BYTES = 1 << 30
"""How large all files of an archive that is read may be together."""
MODE = 0o644


def packed(files: Mapping[str, bytes], *, folder: str) -> bytes:
    """Return a .tar.gz with some files in a folder: no time, no owner, nothing else of this host is in it."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size, member.mode = len(content), MODE
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(raw.getvalue(), mtime=0)


def unpacked(content: bytes, *, name: str) -> dict[str, bytes]:
    """Return the files of a .tar.gz by their paths below the one folder that all of them are in.

    Raises ConfigError where it is none, is too large, or has what no bundle has: links, devices, the same file twice, a
    path that leads out of its folder, files in several folders.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            return _files(archive, name=name)
    except (tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise ConfigError(f"{name} cannot be unpacked: {error}. It is damaged or no .tar.gz; get it again") from error


def _files(archive: tarfile.TarFile, *, name: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    folders: set[str] = set()
    size = 0
    for member in archive:
        if member.isdir():
            continue
        folder, _, path = member.name.partition("/")
        steps = member.name.split("/")
        size += member.size
        if not member.isreg() or not path or folder in ("", ".", "..") or {"", ".", ".."} & set(steps):
            raise ConfigError(f"{name} has {member.name!r} in it, which no bundle has; do not unpack it")
        if path in found:
            raise ConfigError(f"{name} has {member.name!r} in it twice; do not unpack it")
        if size > MOST_BYTES:
            raise ConfigError(f"{name} has more than {MOST_BYTES >> 20} MiB in it; do not unpack it")
        file = archive.extractfile(member)
        found[path] = file.read() if file is not None else b""
        folders.add(folder)
    if len(folders) > 1:
        raise ConfigError(f"{name} has several folders in it ({', '.join(sorted(folders))}); a bundle has one")
    return found
