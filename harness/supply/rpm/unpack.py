"""Taking a kernel's files out of RPMs. Nothing of a package is run, and only regular files are written.

The kernel lies in /boot or below /lib/modules/RELEASE, its modules in any folder of that, compressed or not. They come
out as the other sources have them: `boot/KIND-RELEASE` and `lib/modules/RELEASE`. What depmod makes is left out, since
each package that brings some knows its own modules alone.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from harness.errors import FetchError
from harness.host.process import find_tool, has_tool, run
from harness.supply.kernels.modules import decompress, plain_name
from harness.supply.rpm.cpio import NoCpioError, members

READERS: tuple[tuple[str, Callable[[str, Path], Sequence[str | Path]]], ...] = (
    ("rpm2cpio", lambda tool, rpm: [tool, rpm]),
    ("bsdtar", lambda tool, rpm: [tool, "--format=newc", "-cf", "-", f"@{rpm}"]),
)
"""The programs that give the payload of an RPM as a cpio archive, and how; the first that the host has is taken."""
READERS_PACKAGE = "rpm2cpio"

MOST_UNPACKED = 8 << 30
"""Bytes that the packages of a kernel may unpack to; those of a distribution have less than 1 GiB."""

_IMAGES = ("vmlinuz", "Image", "image", "zImage", "vmlinux")
"""What the image is called: SUSE calls it as the kernel's makefiles do, by architecture. The first counts; SUSE ships
a vmlinux beside it, for kdump."""
_KINDS = "|".join((*_IMAGES, "config", r"System\.map"))
_BOOT_FILE = re.compile(rf"boot/({_KINDS})-([^/]+)")
_MODULES_FILE = re.compile(r"(?:usr/)?lib/modules/([^/]+)/(.+)")
_PACKED = re.compile(r"\.(gz|xz|zst|bz2|hmac)$")
_MODULE = re.compile(r"\.ko(\.(gz|xz|zst))?$")
_LISTS = ("modules.builtin", "modules.builtin.modinfo", "modules.order")
_NOT_MODULES = ("build/", "source/", "vdso/")

_KMOD_READS = {".gz": "+ZLIB", ".xz": "+XZ", ".zst": "+ZSTD"}
"""Which compressed modules a kmod can read, as `kmod --version` says; Debian's of bookworm lacks the first."""


def place(member: str) -> str | None:
    """Return where a package's member belongs in the unpacked tree, or None where it is not wanted."""
    name = PurePosixPath(member.removeprefix("./").lstrip("/"))
    if ".." in name.parts:
        return None
    boot = _BOOT_FILE.fullmatch(str(name))
    if boot is not None:
        return None if _PACKED.search(boot.group(2)) else str(name)
    match = _MODULES_FILE.fullmatch(str(name))
    if match is None:
        return None
    release, rest = match.groups()
    if re.fullmatch(_KINDS, rest):
        return f"boot/{rest}-{release}"
    wanted = rest in _LISTS or (_MODULE.search(rest) and not rest.startswith(_NOT_MODULES))
    return f"lib/modules/{release}/{rest}" if wanted else None


def unpack_rpms(rpms: Iterable[Path], root: Path) -> None:
    """Write the wanted members of some packages below `root`; raise FetchError on a damaged package."""
    for rpm in rpms:
        _unpack(rpm, root)
    for name in _IMAGES:
        for path in sorted(root.glob(f"boot/{name}-*")):
            release = path.name.removeprefix(f"{name}-")
            chosen = root / f"boot/vmlinuz-{release}"
            if path != chosen:
                path.unlink() if chosen.exists() else path.rename(chosen)
    for folder in root.glob("lib/modules/*"):
        # What says that a kernel has its modules, whatever folders of its own they lie in.
        (folder / "kernel").mkdir(exist_ok=True)
    decompress_unreadable(root)


def decompress_unreadable(root: Path, *, kmod: str | None = None) -> None:
    """Decompress the modules below `root` that the host's kmod cannot read; `kmod` is what `kmod --version` says."""
    packed = [path for path in root.rglob("*.ko.*") if path.suffix in _KMOD_READS]
    if not packed:
        return
    if kmod is None:
        kmod = run([find_tool("kmod", package="kmod", purpose="order the kernel's modules"), "--version"]).stdout
    for path in packed:
        if _KMOD_READS[path.suffix] not in kmod:
            path.with_name(plain_name(path)).write_bytes(decompress(path))
            path.unlink()


def _unpack(rpm: Path, root: Path) -> None:
    with subprocess.Popen(
        [str(word) for word in _reader(rpm)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None and process.stderr is not None
        problem = ""
        try:
            _write(process.stdout, root)
            while process.stdout.read(1 << 16):
                pass  # what pads the archive: its writer fails where nobody takes it
        except NoCpioError as error:
            problem = str(error)
        finally:
            process.stdout.close()
        said = "; ".join(process.stderr.read().decode(errors="replace").split("\n")).strip("; ")
    if problem or process.returncode != 0:
        raise FetchError(f"{rpm.name} cannot be unpacked: {'; '.join(text for text in (said, problem) if text)}")


def _reader(rpm: Path) -> Sequence[str | Path]:
    name, argv = next((each for each in READERS if has_tool(each[0])), READERS[0])
    return argv(find_tool(name, package=READERS_PACKAGE, purpose="unpack RPM packages"), rpm)


def _write(stream: IO[bytes], root: Path) -> None:
    """Write the wanted files of an archive; of one with several names, all wanted ones get what the last has."""
    waiting: dict[int, list[Path]] = {}
    size = 0
    for member in members(stream):
        target = place(member.name) if member.is_file else None
        paths = [] if target is None else [root / target]
        if member.is_file and member.links > 1:
            paths = waiting.setdefault(member.inode, []) + paths
            waiting[member.inode] = paths
            if not member.size:
                continue
        if not paths:
            continue
        size += member.size
        if size > MOST_UNPACKED:
            raise NoCpioError(f"it has more than {MOST_UNPACKED >> 30} GiB")
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
        with paths[0].open("wb") as file:
            for piece in member.pieces():
                file.write(piece)
        for path in paths[1:]:
            path.unlink(missing_ok=True)
            path.hardlink_to(paths[0])


def changelog_of(rpm: Path) -> str:
    """Return the changelog of a package, the newest entry first; raise FetchError where it cannot be read."""
    tool = find_tool("rpm", package="rpm", purpose="read an RPM's changelog")
    done = run([tool, "--query", "--package", "--nosignature", "--changelog", rpm], timeout=60)
    if done.returncode != 0:
        raise FetchError(f"{rpm.name}: its changelog cannot be read: {done.stderr.strip()}")
    return done.stdout
