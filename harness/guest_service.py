#!/usr/bin/python3
"""What waits for work in the guest: images/init starts it, it loads the agent and takes the job that comes over SSH.

Python and libbpf take longer to load in an emulated guest than most cases take to run. So that happens while the
harness is still connecting; or, in a guest whose state is kept as a snapshot, once for all the runs that are
restored from it. Such a guest gets what must be its run's own (keys, entropy, the time) over its console, before
anything listens on its network.

docs/agent-protocol.md describes what it reads and writes. Standard library only.
"""

import ctypes
import gc
import json
import os
import struct
import sys
import time
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))  # python3 -I does not
import guest_agent

FOLDER, CONSOLE = "/run/bpfmatrix", "/dev/console"
HOST_KEY, AUTHORIZED_KEYS = "/etc/dropbear/dropbear_ed25519_host_key", "/root/.ssh/authorized_keys"
STANDBY, GREETED = "bpfmatrix: standing by", "bpfmatrix: greeted"
"""Written to the console when the guest waits for its greeting, and when all of it is in place."""


def main(*, standby, gate=False):
    """Load the agent, take a greeting where the guest stands by, then one job; with a `gate`, let init go on before."""
    lib, log = guest_agent.Libbpf(), guest_agent.KernelLog()
    gc.freeze()  # children share these pages; nothing is gained by looking through them
    if standby:
        places = Places()
        with open(CONSOLE, "r+b", buffering=0) as console:
            places.fill(json.loads(greeting(console)))
            if gate:
                with open(f"{FOLDER}/go", "wb") as file:
                    file.write(b"go\n")
            console.write(f"{GREETED}\n".encode())
    with open(f"{FOLDER}/in", "rb") as source:  # waits until the harness's command opens it
        job = receive(source)
    guest_agent.serve(job, lib=lib, log=log, fd=os.open(f"{FOLDER}/out", os.O_WRONLY))


def receive(source):
    """Read a line of JSON and the files that it announces, zlib's stream of both; write the files, return the job."""
    line, _, data = zlib.decompress(source.read()).partition(b"\n")
    head, start = json.loads(line), 0
    for path, size in head["files"]:
        if not os.path.isdir(os.path.dirname(path)):
            os.makedirs(os.path.dirname(path))
        write(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644), data[start : start + size])
        start += size
    return head["job"]


def write(fd, data):
    """Write all of `data` and close the file. Python's own files are slow where one is made for the first time."""
    while data:
        data = data[os.write(fd, data) :]
    os.close(fd)


def greeting(console):
    """Say that the guest stands by, and return the line that comes back."""
    console.write(f"{STANDBY}\n".encode())
    line = b""
    while not line.endswith(b"\n"):
        line += console.read(4096)
    return line


class Places:
    """Where a greeting's words go. All is opened before the guest stands by: a restored one does little for the first
    time, which is slow while it is emulated."""

    def __init__(self):
        os.makedirs(os.path.dirname(AUTHORIZED_KEYS), mode=0o700, exist_ok=True)
        self._host_key, self._authorized_keys = (
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600) for path in (HOST_KEY, AUTHORIZED_KEYS)
        )
        self._random = os.open("/dev/urandom", os.O_WRONLY)
        self._libc = ctypes.CDLL(None, use_errno=True)
        # RNDADDENTROPY and RNDRESEEDCRNG (include/uapi/linux/random.h)
        self._add, self._reseed = guest_agent.ioctl_request("R", 3, size=8), guest_agent.ioctl_request("R", 7)

    def fill(self, words):
        """Make this guest one of its own: its time, its entropy, its SSH keys."""
        time.clock_settime(time.CLOCK_REALTIME, words["time"])
        entropy = bytes.fromhex(words["entropy"])
        # struct rand_pool_info: the entropy in bits, the size in bytes, the bytes. Then let the generator take it up.
        pool = struct.pack("=ii", len(entropy) * 8, len(entropy)) + entropy
        for request, argument in ((self._add, pool), (self._reseed, None)):
            if self._libc.ioctl(self._random, ctypes.c_ulong(request), argument) != 0:
                raise OSError(ctypes.get_errno(), f"the guest's random numbers cannot be made its own ({request:#x})")
        os.close(self._random)
        write(self._host_key, bytes.fromhex(words["host_key"]))
        write(self._authorized_keys, f"{words['authorized_key']}\n".encode())


if __name__ == "__main__":
    main(standby="standby" in sys.argv[1:], gate="gate" in sys.argv[1:])
