"""What of bpfmatrix itself goes into a guest: the service and the agent, as bytecode of the guest's own Python.

Compiling them takes an emulated guest longer than most cases; so the image's interpreter does it once, on the host.
The service lies in the initramfs; the agent is pushed to it (harness/guest/parcel.py).
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ImageError
from harness.host.cache import Cache, digest, sha256_known
from harness.host.process import run
from harness.supply.image import cpio

FOLDER = "usr/lib/bpfmatrix"
"""Where the programs lie in the guest; images/init starts the service from there."""
AGENT, SERVICE = "guest_agent.py", "guest_service.py"
FORMAT = 1
_COMPILE = (
    "import py_compile, sys; [py_compile.compile(name, cfile=name + 'c', dfile=name.rpartition('/')[2], doraise=True, "
    "optimize=2, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH) for name in sys.argv[1:]]"
)


@dataclass(frozen=True, kw_only=True)
class GuestPrograms:
    """What runs the cases in a guest: the initramfs entries of the service, and the agent that is pushed to it.

    Both are bytecode as it lies in a .pyc file, or else source.
    """

    nodes: tuple[cpio.Node, ...] = ()
    agent: bytes = b""


def harness_programs() -> dict[str, bytes]:
    """Return the programs that run in guests: file name -> source."""
    folder = Path(__file__).resolve().parents[2]
    return {name: (folder / name).read_bytes() for name in (AGENT, SERVICE)}


def guest_programs(sources: Mapping[str, bytes], *, cache: Cache, base: Path | None) -> GuestPrograms:
    """Return what goes into guests of the programs `sources` (AGENT, SERVICE), compiled by the Python of `base`.

    `base` is the userland for the host's own architecture (bytecode does not depend on it); without it, the sources
    go into the guest. Raises ImageError where a program does not compile.
    """
    if base is None:
        made, service = dict(sources), SERVICE
    else:
        made, service = _compiled(sources, cache=cache, base=base), f"{SERVICE}c"
    nodes = (cpio.folder(FOLDER), cpio.file(f"{FOLDER}/{service}", made[SERVICE]))
    return GuestPrograms(nodes=nodes, agent=made[AGENT])


def _compiled(programs: Mapping[str, bytes], *, cache: Cache, base: Path) -> dict[str, bytes]:
    def make(folder: Path) -> dict[str, Any]:
        with tempfile.TemporaryDirectory(prefix=".python-", dir=folder.parent) as name:
            root = Path(name)
            _unpack(base, root)
            for program, source in programs.items():
                (folder / program).write_bytes(source)
            _compile(root, [folder / program for program in programs])
            for program in programs:
                (folder / program).unlink()
        return {}

    key = digest(FORMAT, sha256_known(base), sorted((name, source.decode()) for name, source in programs.items()))
    entry = cache.entry("programs", key, make)
    return {name: (entry.path / f"{name}c").read_bytes() for name in programs}


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


def _compile(root: Path, sources: list[Path]) -> None:
    loader = next(iter(sorted(root.glob("usr/lib/*/ld*.so*")) + sorted(root.glob("usr/lib*/ld*.so*"))), None)
    if loader is None:
        raise ImageError("the guest image holds no dynamic loader to run its Python with")
    libraries = ":".join(str(path) for path in sorted(root.glob("usr/lib/*-linux-*")))
    environment = {**os.environ, "PYTHONHOME": str(root / "usr"), "PYTHONHASHSEED": "0"}
    done = run(
        [loader, "--library-path", libraries, root / "usr/bin/python3", "-S", "-c", _COMPILE, *sources],
        env=environment,
    )
    if done.returncode != 0:
        raise ImageError(f"the guest's programs do not compile: {(done.stderr or done.stdout).strip()}")
