"""Network namespaces of a case: its process's own, and those with a name, which are files in /run/netns."""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
import struct

from harness.agent.kernel_abi import CLONE_NEWNET
from harness.agent.sysctls import set_sysctl, sysctl_path

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAMESPACES = "/run/netns"
"""Where a network namespace lies under its name, as ip-netns(8) has it."""
OWN = "/proc/thread-self/ns/net"
MS_BIND = 4096


def new_namespace(sysctls: Mapping[str, str | int]) -> int:
    """Move this process into a network namespace of its own; return the index of its loopback device, now up.

    Those of the sysctls that a namespace has for itself are set again.
    """
    _must(ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET), "unshare")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        # struct ifreq: name, flags (IFF_UP); SIOCSIFFLAGS
        ctypes.CDLL(None).ioctl(link.fileno(), 0x8914, struct.pack("=16sH22x", b"lo", 1))
    for name, value in sysctls.items():
        # Some are the namespace's own; those that are not are there only in the first one.
        if name.startswith("net.") and os.path.exists(sysctl_path(name)):
            set_sysctl(name, value)
    return socket.if_nametoindex("lo")


def make_namespace(name: str, sysctls: Mapping[str, str | int]) -> None:
    """Make a network namespace with a name: its file is there for whoever enters it, until it is unmounted."""
    os.makedirs(NAMESPACES, exist_ok=True)
    path = f"{NAMESPACES}/{name}"
    os.close(os.open(path, os.O_RDONLY | os.O_CREAT | os.O_EXCL, 0))
    with _back_again():
        new_namespace(sysctls)
        libc = ctypes.CDLL(None, use_errno=True)
        _must(libc.mount(OWN.encode(), path.encode(), None, ctypes.c_ulong(MS_BIND), None), "mount")


def spare_namespace(sysctls: Mapping[str, str | int]) -> int:
    """Make a network namespace without a name; return the file descriptor that keeps it."""
    with _back_again():
        new_namespace(sysctls)
        return namespace_fd("")


@contextlib.contextmanager
def inside_of(fd: int) -> Iterator[None]:
    """Be in the network namespace of a file descriptor for a while."""
    with _back_again():
        _enter(fd)
        yield


@contextlib.contextmanager
def inside(name: str) -> Iterator[None]:
    """Be in a network namespace for a while; without a name, stay."""
    if not name:
        yield
        return
    fd = namespace_fd(name)
    try:
        with inside_of(fd):
            yield
    finally:
        os.close(fd)


def namespace_fd(name: str) -> int:
    """Return a file descriptor of a network namespace, of this process's own where it has no name."""
    return os.open(f"{NAMESPACES}/{name}" if name else OWN, os.O_RDONLY | os.O_CLOEXEC)


@contextlib.contextmanager
def _back_again() -> Iterator[None]:
    own = namespace_fd("")
    try:
        yield
    finally:
        _enter(own)
        os.close(own)


def _enter(fd: int) -> None:
    _must(ctypes.CDLL(None, use_errno=True).setns(fd, CLONE_NEWNET), "setns")


def _must(result: int, call: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), call)
