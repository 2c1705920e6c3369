"""Building the shared part of the guest image out of Debian packages.

Packages are unpacked, never installed. The only program of theirs that runs is the host architecture's own
Python interpreter, which compiles the library to bytecode: bytecode does not depend on the architecture.
"""

from __future__ import annotations

import re
import stat
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ImageError
from harness.host.cache import Cache, Entry, digest, sha256_file
from harness.host.process import find_tool, run
from harness.host.scratch import scratch_folder
from harness.supply.debian.apt import PackageFile, download
from harness.supply.debian.mirrors import Mirrors
from harness.supply.image import cpio
from harness.supply.image.contents import Contents
from harness.supply.image.interpreter import run_python

FORMAT = 2
LIMIT = 25 * 1000 * 1000
"""An image above this many bytes is refused: something that is not needed has crept in."""

_SETTINGS = {
    "etc/passwd": b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": b"root:x:0:\nnogroup:x:65534:\n",
    "etc/hosts": b"127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n",
    "etc/shells": b"/bin/sh\n",
}
_FOLDERS = ("dev", "etc", "etc/dropbear", "modules", "proc", "run", "sys", "tmp", "usr")
_COMPILE = (
    "import compileall, sys; ok = compileall.compile_dir(sys.argv[1], maxlevels=9, quiet=1, legacy=True, "
    "optimize=2, stripdir=sys.argv[2], force=True, "
    "invalidation_mode=__import__('py_compile').PycInvalidationMode.UNCHECKED_HASH); sys.exit(not ok)"
)


@dataclass(frozen=True, kw_only=True)
class UserlandParts:
    """What the image of one architecture is made from; `interpreter` is the host's own python packages."""

    packages: tuple[PackageFile, ...]
    interpreter: tuple[PackageFile, ...]
    contents: Contents
    init: bytes

    def key(self) -> str:
        """Return the cache key: the same inputs, the same key."""
        return digest(
            FORMAT,
            [package.sha256 for package in self.packages],
            [package.sha256 for package in self.interpreter],
            self.contents.model_dump(mode="json"),
            self.init.decode(),
        )


def build_userland(*, cache: Cache, mirrors: Callable[[], Mirrors], parts: UserlandParts) -> Entry:
    """Return the cache entry that holds `base.cpio`, built now where it is missing.

    Raises ImageError where the packages do not hold what the image needs, and what fetching raises.
    """

    def make(folder: Path) -> dict[str, Any]:
        with scratch_folder(parent=folder.parent) as scratch:
            target = unpack(parts.packages, mirrors=mirrors(), scratch=scratch, name="target")
            if parts.interpreter == parts.packages:
                interpreter = target
            else:
                interpreter = unpack(parts.interpreter, mirrors=mirrors(), scratch=scratch, name="host")
            compile_library(target, interpreter=interpreter, python=parts.contents.python)
            nodes = select(target, parts.contents, init=parts.init)
            check_libraries(nodes, scratch=scratch)
        data = cpio.archive(nodes)
        if len(data) > LIMIT:
            raise ImageError(
                f"the guest image has {len(data)} bytes, above its limit of {LIMIT}: images/contents.yaml "
                f"keeps too much"
            )
        (folder / "base.cpio").write_bytes(data)
        return {"bytes": len(data), "sha256": sha256_file(folder / "base.cpio"), "files": len(nodes)}

    return cache.entry("images", parts.key(), make)


def compile_library(root: Path, *, interpreter: Path, python: str) -> None:
    """Compile the Python library below `root` to bytecode beside its sources, with another tree's interpreter.

    The bytecode is without docstrings, and never checked against its source (which does not go into the
    image); paths in it are relative to `root`. Raises ImageError where the interpreter fails.
    """
    done = run_python(interpreter, "-c", _COMPILE, root / "usr/lib" / python, root, python=python)
    # test/ and lib2to3 hold files that are wrong on purpose; they are not kept, and a kept one is missed below.
    if done.returncode < 0 or "Fatal Python error" in done.stderr:
        raise ImageError(f"{python} of the image cannot run on this host: {(done.stderr or done.stdout).strip()}")


def select(root: Path, contents: Contents, *, init: bytes) -> list[cpio.Node]:
    """Return the archive's entries: the kept files (Python sources as their bytecode), and the skeleton.

    Raises ImageError where a required file or a module's bytecode is missing.
    """
    nodes: dict[str, cpio.Node] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if not contents.wants(name):
            continue
        if path.is_symlink():
            nodes[name] = cpio.link(name, str(path.readlink()))
        elif path.is_file() and name.endswith(".py"):
            compiled = path.with_suffix(".pyc")
            if not compiled.exists():
                raise ImageError(f"{name} could not be compiled to bytecode")
            nodes[f"{name}c"] = cpio.file(f"{name}c", compiled.read_bytes())
        elif path.is_file():
            nodes[name] = cpio.file(name, path.read_bytes(), executable=bool(path.stat().st_mode & 0o111))
    for name, target in contents.links.items():
        nodes[name] = cpio.link(name, target)
    missing = [name for name in contents.required if name not in nodes]
    if missing:
        raise ImageError(f"missing in the guest image: {', '.join(missing)}; see images/contents.yaml")
    for name, data in _SETTINGS.items():
        nodes[name] = cpio.file(name, data)
    nodes["init"] = cpio.file("init", init, executable=True)
    nodes["dev/console"] = cpio.character_device("dev/console", major=5, minor=1)
    for top in ("bin", "sbin", "lib", "lib64"):
        if any(name.startswith(f"usr/{top}/") for name in nodes):
            nodes[top] = cpio.link(top, f"usr/{top}")
    for name in [*_FOLDERS, *_parents(nodes)]:
        nodes.setdefault(name, cpio.folder(name))
    nodes["root"] = cpio.folder("root", private=True)
    return list(nodes.values())


def check_libraries(nodes: Iterable[cpio.Node], *, scratch: Path | None = None) -> None:
    """Raise ImageError where a program or library of the image needs a library that is not in it.

    Files are looked at one by one in a folder made below `scratch`.
    """
    readelf = find_tool("llvm-readelf", package="llvm", purpose="check the guest image")
    present = {Path(node.path).name for node in nodes}
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        for node in nodes:
            if not (stat.S_ISREG(node.mode) and node.data.startswith(b"\x7fELF")):
                continue
            copy = folder / "elf"
            copy.write_bytes(node.data)
            text = run([readelf, "-d", copy]).stdout
            missing = set(re.findall(r"Shared library: \[([^\]]+)\]", text)) - present
            if missing:
                raise ImageError(
                    f"{node.path} of the guest image needs {', '.join(sorted(missing))}: "
                    f"add the package and the file to images/contents.yaml"
                )


def unpack(packages: Iterable[PackageFile], *, mirrors: Mirrors, scratch: Path, name: str) -> Path:
    """Fetch packages and unpack them into the folder `name` of `scratch`, and return that; raise ImageError."""
    dpkg_deb = find_tool("dpkg-deb", package="dpkg", purpose="unpack Debian's packages")
    root = scratch / name
    root.mkdir()
    for package in packages:
        deb = download(package, base=mirrors.base(package.archive), folder=scratch)
        done = run([dpkg_deb, "-x", deb, root])
        deb.unlink()
        if done.returncode != 0:
            raise ImageError(f"{package.name} cannot be unpacked: {done.stderr.strip()}")
    return root


def _parents(names: Iterable[str]) -> list[str]:
    found = {str(parent) for name in names for parent in Path(name).parents}
    return sorted(found - {"."})
