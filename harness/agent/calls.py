"""Calls that the agent makes so that targets run: of the kernel, and of the C library."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import select
import socket
import sys
import time

from harness.agent.attachers import LWT_ROUTES, NETKIT_PEER
from harness.agent.kernel_abi import ioctl_request
from harness.agent.sysctls import sysctl_path
from harness.agent.triggers_files import (
    AT_FDCWD,
    FILE,
    NEW_FOLDER,
    RENAMED,
    make_file,
    make_folders,
    trigger_mount,
)
from harness.agent.triggers_processes import harmless, trigger_fork

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from harness.agent.case_state import CaseState
    from harness.agent.libbpf import Libbpf

FOLIO_BYTES = 64 * 1024
SIGUSR1 = 10
CONNECT_SECONDS = 5
"""More than a connection over the loopback device ever takes."""


def send_datagrams(*datagrams: tuple[str, int]) -> None:
    """Send bytes to addresses, given as (address, how many); that a program drops one (EPERM) is no error."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for address, count in datagrams:
            with contextlib.suppress(PermissionError):
                sender.sendto(b"x" * count, (address, 9))


def sockmap_send(lib: Libbpf, sockets: int, which: int, key_size: int, value_size: int) -> None:
    """Put one end of a TCP connection (0: the sender, 1: the receiver) into a map of sockets; send 16 bytes.

    The map's keys and values have so many bytes; the key is zeroes.
    """
    with socket.socket() as listener, socket.socket() as sender:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        sender.settimeout(CONNECT_SECONDS)
        listener.settimeout(CONNECT_SECONDS)
        sender.connect(listener.getsockname())
        receiver, _ = listener.accept()
        with receiver:
            end = (sender, receiver)[which].fileno()
            key, value = bytes(key_size), end.to_bytes(value_size, sys.byteorder)
            lib.call("bpf_map_update_elem", sockets, key, value, 0)
            sender.send(b"x" * 16)
            if select.select([receiver], [], [], 0.2)[0]:  # a program may have dropped it
                receiver.recv(64)


def rewrite_sysctl(name: str) -> None:
    """Read a sysctl and write what it is: one system call each."""
    fd = os.open(sysctl_path(name), os.O_RDWR)
    os.pwrite(fd, os.read(fd, 256).strip(), 0)
    os.close(fd)


def call_prctl(_case: CaseState, libc: ctypes.CDLL) -> None:
    """Ask prctl(2) for an option that there is not; the rest are its arguments."""
    libc.prctl(23456, *map(ctypes.c_ulong, (34567, 0, 0, 0)))


def call_labs(_case: CaseState, libc: ctypes.CDLL) -> None:
    """Call labs() of libc."""
    libc.labs.argtypes, libc.labs.restype = [ctypes.c_long], ctypes.c_long
    libc.labs(-42)


def call_socket_send(case: CaseState, _libc: ctypes.CDLL) -> None:
    """Send a datagram to the filtered socket; that an earlier one was dropped there does not keep it."""
    case.sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    case.sockets[0].send(b"x" * 16)


def call_udp_loopback(_case: CaseState, _libc: ctypes.CDLL) -> None:
    """Send a datagram over the loopback device."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind(("127.0.0.1", 0))
        link.sendto(b"x" * 16, link.getsockname())


def call_udp_bind(_case: CaseState, _libc: ctypes.CDLL) -> None:
    """Make a socket, bind it, and close it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind(("127.0.0.1", 4711))


def call_socket_options(_case: CaseState, _libc: ctypes.CDLL) -> None:
    """Set one option of a socket and get another."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 42)
        link.getsockopt(socket.IPPROTO_IP, socket.IP_TOS)


def call_touch_memory(case: CaseState, libc: ctypes.CDLL) -> None:
    """Let each perf event of the case fire once, by page faults."""
    for fd in case.perf_events:  # PERF_EVENT_IOC_REFRESH
        libc.ioctl(fd, ctypes.c_ulong(ioctl_request("$", 2)), ctypes.c_ulong(1))
    # A fault may bring 64 KiB at once: as one page, or as 16 (images/init). So each step is into fresh memory.
    with mmap.mmap(-1, 16 * FOLIO_BYTES) as memory:
        for start in range(0, len(memory), FOLIO_BYTES):
            memory[start] = 1


def call_openat(case: CaseState, libc: ctypes.CDLL) -> None:
    """Open a file for reading by openat(2)."""
    make_file(case, FILE)
    os.close(checked(libc.openat(AT_FDCWD, FILE.encode(), os.O_RDONLY | os.O_CLOEXEC)))


def call_read(_case: CaseState, _libc: ctypes.CDLL) -> None:
    """Read 16 bytes of /dev/zero."""
    with opened("/dev/zero", os.O_RDONLY) as fd:
        os.read(fd, 16)


def call_write(_case: CaseState, _libc: ctypes.CDLL) -> None:
    """Write 16 bytes to /dev/null."""
    with opened("/dev/null", os.O_WRONLY) as fd:
        os.write(fd, b"x" * 16)


@contextlib.contextmanager
def opened(path: str, flags: int) -> Iterator[int]:
    """Open a file for a while."""
    fd = os.open(path, flags)
    try:
        yield fd
    finally:
        os.close(fd)


def checked(result: int) -> int:
    """Return what a function of the C library returned; OSError where that is -1."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def call_kill(_case: CaseState, libc: ctypes.CDLL) -> None:
    """Send a signal to this process, whose handler does nothing (kill(2))."""
    with harmless(SIGUSR1):
        checked(libc.kill(os.getpid(), SIGUSR1))


def call_rename(case: CaseState, libc: ctypes.CDLL) -> None:
    """Rename a file (rename(3): the system call renameat(2) or renameat2(2) on some architectures)."""
    make_file(case, FILE)
    checked(libc.rename(FILE.encode(), RENAMED.encode()))
    case.made.append(RENAMED)


def call_unlink(case: CaseState, libc: ctypes.CDLL) -> None:
    """Remove a file (unlink(3): the system call unlinkat(2) on some architectures)."""
    make_file(case, FILE)
    checked(libc.unlink(FILE.encode()))


def call_mkdir(case: CaseState, libc: ctypes.CDLL) -> None:
    """Make a folder (mkdir(3): the system call mkdirat(2) on some architectures)."""
    if os.path.isdir(NEW_FOLDER):
        os.rmdir(NEW_FOLDER)
    checked(libc.mkdir(NEW_FOLDER.encode(), 0o700))
    case.made.append(NEW_FOLDER)


def call_rmdir(case: CaseState, libc: ctypes.CDLL) -> None:
    """Remove a folder (rmdir(3): the system call unlinkat(2) on some architectures)."""
    make_folders(case, NEW_FOLDER)
    checked(libc.rmdir(NEW_FOLDER.encode()))


def call_link(case: CaseState, libc: ctypes.CDLL) -> None:
    """Give a file another name (link(3): the system call linkat(2) on some architectures)."""
    make_file(case, FILE)
    if os.path.lexists(RENAMED):
        os.unlink(RENAMED)
    checked(libc.link(FILE.encode(), RENAMED.encode()))
    case.made.append(RENAMED)


def call_chmod(case: CaseState, libc: ctypes.CDLL) -> None:
    """Change the permissions of a file (chmod(3): the system call fchmodat(2) on some architectures)."""
    make_file(case, FILE)
    checked(libc.chmod(FILE.encode(), 0o600))


CALLS: dict[str, Callable[[CaseState, Any], object]] = {
    # Of a process by its number, or security_task_getpgid() is not asked; a program may let it refuse.
    "getpgid": lambda _case, libc: libc.getpgid(os.getpid()),
    "prctl": call_prctl,
    "nanosleep": lambda _case, _libc: time.sleep(0.001),
    "labs": call_labs,
    "socket-send": call_socket_send,
    "udp-loopback": call_udp_loopback,
    "touch-memory": call_touch_memory,
    "rename-task": lambda _case, libc: libc.prctl(15, b"renamed", 0, 0, 0),  # PR_SET_NAME
    "atoi": lambda _case, libc: libc.atoi(b"1234567"),
    "udp-bind": call_udp_bind,
    "socket-options": call_socket_options,
    "write-sysctl": lambda _case, _libc: rewrite_sysctl("kernel.domainname"),
    "open-device": lambda _case, _libc: os.close(os.open("/dev/full", os.O_RDONLY)),
    "sockmap-send": lambda case, _libc: sockmap_send(case.lib, *case.sockmap),
    "udp-routes": lambda _case, _libc: send_datagrams(*((to, count) for _, to, count in LWT_ROUTES.values())),
    "udp-device": lambda _case, _libc: send_datagrams((NETKIT_PEER, 16)),
    "openat": call_openat,
    "read": call_read,
    "write": call_write,
    "rename": call_rename,
    "unlink": call_unlink,
    "mkdir": call_mkdir,
    "rmdir": call_rmdir,
    "link": call_link,
    "chmod": call_chmod,
    "kill": call_kill,
    "mount": lambda case, _libc: trigger_mount(case, {"type": "tmpfs", "at": ""}),
    "fork": lambda case, _libc: trigger_fork(case, {"exit": 0}),
    "getpid": lambda _case, libc: libc.getpid(),
    "getuid": lambda _case, libc: libc.getuid(),
    "setuid": lambda _case, libc: checked(libc.setuid(0)),
}
