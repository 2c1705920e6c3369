"""What of bpfmatrix itself goes into a guest: the service and the agent, as bytecode of the guest's own Python.

Compiling them takes an emulated guest longer than most cases; so the image's interpreter does it once, on the host.
The service lies in the initramfs; the agent is pushed to it (harness/guest/parcel.py).
"""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ImageError
from harness.host.cache import Cache, digest, sha256_known
from harness.host.scratch import scratch_folder
from harness.supply.image import cpio, guest_compiler
from harness.supply.image.guest_compiler import COMPILED_AGENT, COMPILED_SERVICE, SERVICE, module_name
from harness.supply.image.interpreter import run_python

FOLDER = "usr/lib/bpfmatrix"
"""Where the programs lie in the guest; images/init starts the service from there."""
PROGRAMS = Path(__file__).resolve().parents[2]
"""Where the sources of the programs lie: in the package `harness` itself."""
AGENT, PACKAGE = "guest_agent.py", "agent"
"""The agent's entry and the folder of its modules, beside the service."""
FORMAT = 2


@dataclass(frozen=True, kw_only=True)
class GuestPrograms:
    """What runs the cases in a guest: the initramfs entries of the service, and the agent that is pushed to it.

    The agent is what marshal makes of its modules, name -> code object, or else name -> source.
    """

    nodes: tuple[cpio.Node, ...] = ()
    agent: bytes = b""


def harness_programs() -> dict[str, bytes]:
    """Return the programs that run in guests: file name -> source."""
    package = [path for path in sorted((PROGRAMS / PACKAGE).glob("*.py")) if path.name != "__init__.py"]
    paths = [PROGRAMS / SERVICE, PROGRAMS / AGENT, *package]
    return {str(path.relative_to(PROGRAMS)): path.read_bytes() for path in paths}


def guest_programs(sources: Mapping[str, bytes], *, cache: Cache, base: Path | None) -> GuestPrograms:
    """Return what goes into guests of the programs `sources`, compiled by the Python of `base`.

    `sources` are the service and the agent's modules, as harness_programs() has them. `base` is the userland for the
    host's own architecture (bytecode does not depend on it); without it, the sources go into the guest.
    Raises ImageError where a program does not compile.
    """
    if base is None:
        service, code = SERVICE, sources[SERVICE]
        modules = {module_name(file): source for file, source in sources.items() if file != SERVICE}
        agent = marshal.dumps(modules, 2)  # from version 3 on the same modules need not be the same bytes
    else:
        service, (code, agent) = f"{SERVICE}c", _compiled(sources, cache=cache, base=base)
    nodes = (cpio.folder(FOLDER), cpio.file(f"{FOLDER}/{service}", code))
    return GuestPrograms(nodes=nodes, agent=agent)


def _compiled(sources: Mapping[str, bytes], *, cache: Cache, base: Path) -> tuple[bytes, bytes]:
    """Return service and agent, compiled now or in the cache."""

    def make(folder: Path) -> dict[str, Any]:
        with scratch_folder(parent=folder.parent) as scratch:
            root, programs = scratch / "userland", scratch / "programs"
            _unpack(base, root)
            for file, source in sources.items():
                (programs / file).parent.mkdir(parents=True, exist_ok=True)
                (programs / file).write_bytes(source)
            _compile(root, programs)
            for made in (COMPILED_SERVICE, COMPILED_AGENT):
                (programs / made).rename(folder / made)
        return {}

    texts = sorted((file, source.decode()) for file, source in sources.items())
    compiler = Path(guest_compiler.__file__).read_text(encoding="utf-8")
    entry = cache.entry("programs", digest(FORMAT, sha256_known(base), texts, compiler), make)
    return (entry.path / COMPILED_SERVICE).read_bytes(), (entry.path / COMPILED_AGENT).read_bytes()


def _unpack(base: Path, root: Path) -> None:
    """Unpack what the interpreter needs of a userland: everything below /usr/bin and /usr/lib."""
    for node in cpio.read(base.read_bytes()):
        path = root / node.path
        if not node.path.startswith(("usr/bin", "usr/lib")):
            continue
        kind = node.mode & 0o170000
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == 0o040000:
            path.mkdir(exist_ok=True)
        elif kind == 0o120000:
            path.symlink_to(node.data.decode())
        elif kind == 0o100000:
            path.write_bytes(node.data)
            path.chmod(0o755)


def _compile(root: Path, programs: Path) -> None:
    """Let the Python of the unpacked userland `root` compile the programs of a folder."""
    done = run_python(root, guest_compiler.__file__, programs)
    if done.returncode != 0:
        raise ImageError(f"the guest's programs do not compile: {(done.stderr or done.stdout).strip()}")
