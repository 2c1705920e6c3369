#!/usr/bin/python3
"""What waits for work in the guest: images/init starts it, and it takes the agent and the job that come over SSH.

Python and libbpf take longer to load in an emulated guest than most cases take to run. So that happens while the
harness is still connecting; or, in a guest whose state is kept as a snapshot, once for all the runs that are
restored from it, and the agent with it. Such a guest gets what must be its run's own (keys, entropy, the time) over
its console, before anybody can log in.

docs/agent-protocol.md describes what it reads and writes. Standard library only.
"""

# ruff: noqa: F401  (what the agent imports is loaded here, before it comes)

from __future__ import annotations

import _thread
import codecs
import collections
import contextlib
import ctypes
import errno
import functools
import gc
import json
import marshal
import mmap
import os
import resource
import select
import socket
import struct
import sys
import time
import zlib
from _frozen_importlib import ModuleSpec  # every Python has it loaded, but importlib.machinery is a file to read

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from io import FileIO
    from types import CodeType, ModuleType
    from typing import Any

FOLDER, CONSOLE = "/run/bpfmatrix", "/dev/console"
PACKAGES = ("harness", "harness.agent")
HOST_KEY, AUTHORIZED_KEYS = "/etc/dropbear/dropbear_ed25519_host_key", "/root/.ssh/authorized_keys"
STANDBY, READY, GREETED = "bpfmatrix: standing by", "bpfmatrix: ready", "bpfmatrix: greeted"
"""Written to the console when the guest waits for a greeting, without the agent or with it, and when all of it is in
place."""
# _IOW('R', 3, int [2]) and _IO('R', 7) (include/uapi/linux/random.h); ppc64le has bits of its own for that.
RNDADDENTROPY, RNDRESEEDCRNG = {"ppc64le": (0x80085203, 0x20005207)}.get(os.uname().machine, (0x40085203, 0x5207))


def main(*, standby: bool, gate: bool = False) -> None:
    """Take the agent and a job, and let the one do the other.

    Where the guest stands by, the agent comes first and by itself; then the guest stands by once more, for its job.
    """
    ctypes.CDLL("libbpf.so.1")  # stays loaded
    if standby:
        stand_by(Places(), STANDBY, gate=gate, last=False)
        try:
            code, _ = receive()
        finally:
            places = Places()  # and no keys any more: a guest that does not get further is powered off by init
        serve = load(code)
        wait_until_alone()
        stand_by(places, READY, gate=gate, last=True)
        _, job = receive()
    else:
        code, job = receive()
        serve = load(code)
    serve(job, fd=os.open(f"{FOLDER}/out", os.O_WRONLY))


def stand_by(places: Places, status: str, *, gate: bool, last: bool) -> None:
    """Write `status`; wait for a greeting. With a `gate` init serves the serial port then; the `last` time for good."""
    with open(CONSOLE, "r+b", buffering=0) as console:
        places.fill(json.loads(greeting(console, status)))
        if gate:
            with open(f"{FOLDER}/go", "wb") as file:
                if last:
                    os.unlink(f"{FOLDER}/go")
                file.write(b"go\n")
        console.write(f"{GREETED}\n".encode())


def receive() -> tuple[bytes, Any]:
    """Take one parcel, and return the agent and the job that were in it; nothing for what was not."""
    with open(f"{FOLDER}/in", "rb") as source:  # waits until the harness opens it
        return unpack(source.read())


def unpack(parcel: bytes) -> tuple[bytes, Any]:
    """Read a line of JSON, the agent and the files that it announces, zlib's stream of all; write the files.

    A program that is replaced while it runs must not be written to (ETXTBSY), so what is there is removed before.
    """
    line, _, data = zlib.decompress(parcel).partition(b"\n")
    head = json.loads(line)
    start = head["agent"]
    for path, mode in head.get("folders", ()):
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
    for path, size in head["files"]:
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path))
        if os.path.lexists(path):
            os.unlink(path)
        write(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), data[start : start + size])
        start += size
    for path, mode in head.get("modes", ()):
        os.chmod(path, mode)
    for path, target in head.get("links", ()):
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path))
        os.symlink(target, path)
    return data[: head["agent"]], head["job"]


class Pushed:
    """Finds the agent's modules, which lie in no file; the packages that they are in are empty."""

    def __init__(self, modules: Mapping[str, CodeType | bytes]) -> None:
        self._modules = modules

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> ModuleSpec | None:
        """Return what the import system needs to know of a module; nothing where it is none of the agent's."""
        if name not in PACKAGES and name not in self._modules:
            return None
        loader: Any = self  # not of importlib.abc, which is another file to read
        return ModuleSpec(name, loader, is_package=name in PACKAGES)

    def create_module(self, _spec: ModuleSpec) -> None:
        """Leave it to the import system to make the module."""

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's code."""
        if module.__name__ in self._modules:
            exec(self._modules[module.__name__], module.__dict__)


def load(pushed: bytes) -> Callable[..., None]:
    """Load the agent, and libbpf for it; return what runs a job.

    The agent is what marshal makes of its modules: name -> code object, or else name -> source.
    """
    sys.meta_path.insert(0, Pushed(marshal.loads(pushed)))
    import harness.guest_agent as agent  # noqa: PLC0415  (it was pushed)

    serve = functools.partial(agent.serve, lib=agent.Libbpf(), log=agent.KernelLog())
    gc.freeze()  # children share these pages; nothing is gained by looking through them
    return serve


def wait_until_alone() -> None:
    """Wait until SSH serves nobody: until of its processes only the one is left that listens."""
    while sum(name_of(pid) == "dropbear" for pid in os.listdir("/proc") if pid.isdigit()) > 1:
        time.sleep(0.005)


def name_of(pid: str) -> str:
    """Return the name of a process, or nothing where it has ended."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


def write(fd: int, data: bytes) -> None:
    """Write all of `data` and close the file. Python's own files are slow where one is made for the first time."""
    while data:
        data = data[os.write(fd, data) :]
    os.close(fd)


def greeting(console: FileIO, status: str) -> bytes:
    """Say that the guest stands by, and at which second after its boot; return the line that comes back."""
    console.write(f"{status} at {time.monotonic():.3f} s\n".encode())
    line = b""
    while not line.endswith(b"\n"):
        line += console.read(4096)
    return line


class Places:
    """Where a greeting's words go. All is opened before the guest stands by: a restored one does little for the first
    time, which is slow while it is emulated."""

    def __init__(self) -> None:
        os.makedirs(os.path.dirname(AUTHORIZED_KEYS), mode=0o700, exist_ok=True)
        self._host_key, self._authorized_keys = (
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) for path in (HOST_KEY, AUTHORIZED_KEYS)
        )
        self._random = os.open("/dev/urandom", os.O_WRONLY)
        self._libc = ctypes.CDLL(None, use_errno=True)

    def fill(self, given: dict[str, Any]) -> None:
        """Make this guest one of its own: its time, its entropy, its SSH keys."""
        time.clock_settime(time.CLOCK_REALTIME, given["time"])
        entropy = bytes.fromhex(given["entropy"])
        # struct rand_pool_info: the entropy in bits, the size in bytes, the bytes. Then let the generator take it up.
        pool = struct.pack("=ii", len(entropy) * 8, len(entropy)) + entropy
        for request, argument in ((RNDADDENTROPY, pool), (RNDRESEEDCRNG, None)):
            if self._libc.ioctl(self._random, ctypes.c_ulong(request), argument) != 0:
                raise OSError(ctypes.get_errno(), f"the guest's random numbers cannot be made its own ({request:#x})")
        os.close(self._random)
        write(self._host_key, bytes.fromhex(given["host_key"]))
        write(self._authorized_keys, f"{given['authorized_key']}\n".encode())


if __name__ == "__main__":
    main(standby="standby" in sys.argv[1:], gate="gate" in sys.argv[1:])
