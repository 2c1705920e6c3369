"""The pieces of the workload that need no network: what makes attached programs run, without knowing which they are.

A piece is cheap, never waits for long, and leaves nothing behind. Whatever a program does to it (a refusal, a signal, a
lost packet) is an OSError of the piece.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import select
import struct
import time

from harness.agent.calls import call_touch_memory, rewrite_sysctl
from harness.agent.files import read_text
from harness.agent.kernel_abi import BPF_SYSCALL
from harness.agent.waiting import Watch

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from harness.agent.case_state import CaseState

PATIENCE = 0.3
"""Seconds that a piece waits for something that comes at once unless a program is in the way."""
SIGKILL, SIGUSR1 = 9, 10
SLEEP = 0.0005
BUSYBOX = "/usr/bin/busybox"
FOLDER = "/tmp/bpfmatrix-workload"
CGROUPS = "/sys/fs/cgroup"
PROC_FILES = (
    *("/proc/self/stat", "/proc/self/status", "/proc/self/maps", "/proc/self/cgroup", "/proc/self/mounts"),
    *(
        "/proc/meminfo",
        "/proc/loadavg",
        "/proc/stat",
        "/proc/net/tcp",
        "/proc/net/udp",
        "/sys/kernel/mm/transparent_hugepage/enabled",
    ),
)


def checked(result: int, what: str) -> int:
    """Return what a function of the C library returned; OSError where that is -1."""
    if result == -1:
        raise OSError(ctypes.get_errno(), what)
    return result


def fail(number: int, what: str) -> OSError:
    """Return an error of a piece."""
    return OSError(number, what)


def wait_for(pid: int) -> None:
    """Wait for a child process; OSError where it does not end with 0, or does not end (then it is killed).

    A child that ends with an errno has failed with that.
    """
    watch = Watch(pid)
    try:
        ended = watch.ends_within(PATIENCE * 4)
        if not ended:
            with contextlib.suppress(OSError):
                os.kill(pid, SIGKILL)
    finally:
        watch.close()
    status = os.waitpid(pid, 0)[1]
    if not ended:
        raise fail(errno.ETIMEDOUT, "a process does not end")
    if os.WIFSIGNALED(status):
        raise fail(errno.EINTR, f"a process was killed by signal {os.WTERMSIG(status)}")
    if os.WEXITSTATUS(status):
        raise fail(os.WEXITSTATUS(status), "a process of the workload's")


def in_child(act: Callable[[], object]) -> None:
    """Do something in a process of its own, and wait for that."""
    pid = os.fork()
    if pid == 0:
        status = 0
        try:
            act()
        except OSError as error:
            status = (error.errno or errno.EIO) & 0xFF
        finally:
            os._exit(status)
    wait_for(pid)


def processes(_case: CaseState, libc: Any) -> None:
    """Fork, and let the child change its name, session, priority and namespace, and become another program."""

    def child() -> None:
        os.setsid()
        libc.prctl(15, b"workload", 0, 0, 0)  # PR_SET_NAME
        os.setpriority(os.PRIO_PROCESS, 0, 1)
        os.umask(0o22)
        checked(libc.unshare(0x04000000), "unshare")  # CLONE_NEWUTS
        checked(libc.sethostname(b"workload", 8), "sethostname")
        os.execv(BUSYBOX, ["true"])

    in_child(child)


def signals(_case: CaseState, libc: Any) -> None:
    """Send a signal to this very process, whose handler is a function of libc that does nothing."""
    libc.signal.restype, libc.signal.argtypes = ctypes.c_void_p, [ctypes.c_int, ctypes.c_void_p]
    before = libc.signal(SIGUSR1, ctypes.cast(libc.abs, ctypes.c_void_p))
    try:
        os.kill(os.getpid(), SIGUSR1)
    finally:
        libc.signal(SIGUSR1, before)


def files(_case: CaseState, libc: Any) -> None:
    """Make, write, read, rename, link and remove files and folders."""
    place, other = f"{FOLDER}/file", f"{FOLDER}/other"
    os.makedirs(FOLDER, exist_ok=True)
    try:
        fd = os.open(place, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            os.write(fd, b"x" * 4096)
            os.pwrite(fd, b"y", 4096)
            os.lseek(fd, 0, os.SEEK_SET)
            os.read(fd, 8192)
            os.fsync(fd)
            os.ftruncate(fd, 100)
            os.fchmod(fd, 0o644)
            os.fstat(fd)
            os.close(os.dup(fd))
            checked(libc.flock(fd, 2), "flock")
            with contextlib.suppress(OSError):  # not every file system
                os.posix_fallocate(fd, 0, 8192)
            with mmap.mmap(fd, 100) as memory:
                memory[0] = 1
        finally:
            os.close(fd)
        os.chmod(place, 0o600)
        os.chown(place, 0, 0)
        os.utime(place)
        os.access(place, os.R_OK)
        os.link(place, other)
        os.rename(other, f"{FOLDER}/renamed")
        os.symlink("renamed", other)
        os.readlink(other)
        os.stat(other)
        os.listdir(FOLDER)
        os.statvfs(FOLDER)
        with contextlib.suppress(OSError):
            os.setxattr(place, "user.workload", b"x")
        os.mkfifo(f"{FOLDER}/fifo")
    finally:
        remove_folder()


def remove_folder() -> None:
    """Remove what the files' piece has made, as far as that is let."""
    for name in ("file", "other", "renamed", "fifo"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{FOLDER}/{name}")
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(FOLDER)


def reading(_case: CaseState, _libc: Any) -> None:
    """Read files of /proc and /sys."""
    for path in PROC_FILES:
        fd = os.open(path, os.O_RDONLY)
        try:
            os.read(fd, 16384)
        finally:
            os.close(fd)
    os.listdir("/proc/self/fd")


def devices(_case: CaseState, _libc: Any) -> None:
    """Open devices, write and read them."""
    for path in ("/dev/null", "/dev/zero", "/dev/full", "/dev/urandom"):
        fd = os.open(path, os.O_RDWR)
        try:
            os.read(fd, 16)
            if path == "/dev/null":
                os.write(fd, b"x")
        finally:
            os.close(fd)
    control = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        os.write(control, b"x")
    finally:
        os.close(control)


def memory(case: CaseState, libc: Any) -> None:
    """Map memory, touch it, change it and give it back; let each perf event of the case fire."""
    with mmap.mmap(-1, 256 * 1024) as area:
        area[0] = area[200 * 1024] = 1
        address = ctypes.addressof(ctypes.c_char.from_buffer(area))
        checked(libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(4096), 1), "mprotect")
        checked(libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(4096), 3), "mprotect")
        area.madvise(mmap.MADV_DONTNEED)
    os.close(os.memfd_create("workload"))
    call_touch_memory(case, libc)


def clocks(_case: CaseState, libc: Any) -> None:
    """Sleep, yield, set timers, ask for the time, wait for files."""
    time.sleep(SLEEP)
    os.sched_yield()
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    time.clock_gettime(time.CLOCK_MONOTONIC)
    libc.alarm(100)
    libc.alarm(0)
    timer = checked(libc.timerfd_create(1, 0o4000), "timerfd_create")  # CLOCK_MONOTONIC, TFD_NONBLOCK
    counter = checked(libc.eventfd(0, 0o4000), "eventfd")
    try:
        libc.timerfd_settime(timer, 0, struct.pack("=qqqq", 0, 0, 0, 300_000), None)
        waiting = select.epoll()
        waiting.register(timer, select.EPOLLIN)
        waiting.poll(PATIENCE)
        waiting.close()
        os.write(counter, struct.pack("=Q", 1))
        os.read(counter, 8)
    finally:
        os.close(timer)
        os.close(counter)


def pipes(_case: CaseState, _libc: Any) -> None:
    """Write into a pipe, move that to another, and read it."""
    first, second = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC), os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        os.write(first[1], b"x" * 100)
        select.select([first[0]], [], [], 0)
        os.splice(first[0], second[1], 100)
        os.read(second[0], 100)
    finally:
        for fd in (*first, *second):
            os.close(fd)


def credentials(_case: CaseState, libc: Any) -> None:
    """Ask who one is and become the same; ask prctl(2) for what there is not; call functions of libc."""
    os.setresuid(0, 0, 0)
    os.setresgid(0, 0, 0)
    os.getgroups()
    checked(libc.getpgid(os.getpid()), "getpgid")
    os.getpriority(os.PRIO_PROCESS, 0)
    libc.prctl(23456, *map(ctypes.c_ulong, (34567, 0, 0, 0)))
    checked(
        libc.capget(struct.pack("=II", 0x20080522, 0), ctypes.create_string_buffer(24)), "capget"
    )  # _LINUX_CAPABILITY_VERSION_3
    libc.labs(-42)
    libc.atoi(b"1234567")


def sysctls(_case: CaseState, _libc: Any) -> None:
    """Read sysctls and write what they are."""
    rewrite_sysctl("kernel.domainname")
    read_text("/proc/sys/net/core/somaxconn")


def mounts(_case: CaseState, libc: Any) -> None:
    """Mount a tmpfs, make a file there, and unmount it."""
    os.makedirs(FOLDER, exist_ok=True)
    try:
        checked(libc.mount(b"workload", FOLDER.encode(), b"tmpfs", ctypes.c_ulong(0), b"size=64k"), "mount")
        try:
            os.close(os.open(f"{FOLDER}/file", os.O_WRONLY | os.O_CREAT, 0o600))
        finally:
            checked(libc.umount2(FOLDER.encode(), 2), "umount")  # MNT_DETACH
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(FOLDER)


def cgroups(_case: CaseState, _libc: Any) -> None:
    """Make a cgroup, let a child enter it, and remove it."""
    folder = f"{CGROUPS}/bpfmatrix-workload"
    os.makedirs(folder, exist_ok=True)
    try:

        def enter() -> None:
            fd = os.open(f"{folder}/cgroup.procs", os.O_WRONLY)
            os.write(fd, str(os.getpid()).encode())

        in_child(enter)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(folder)


def bpf_calls(_case: CaseState, libc: Any) -> None:
    """Make a map, change and read it, and load a small program, by bpf(2) itself."""
    number = BPF_SYSCALL[os.uname().machine]

    def call(command: int, attributes: bytes) -> int:
        return checked(libc.syscall(number, command, attributes, len(attributes)), "bpf")

    key, value = ctypes.create_string_buffer(4), ctypes.create_string_buffer(8)
    made = call(0, struct.pack("=IIIII", 1, 4, 8, 4, 0))  # BPF_MAP_CREATE: a hash of 4 entries
    try:
        entry = struct.pack("=IxxxxQQQ", made, ctypes.addressof(key), ctypes.addressof(value), 0)
        for command in (2, 1, 3):  # BPF_MAP_UPDATE_ELEM, _LOOKUP_ELEM, _DELETE_ELEM
            call(command, entry if command != 3 else entry[:16] + bytes(16))
    finally:
        os.close(made)
    # BPF_PROG_LOAD of a socket filter: r0 = 0; exit
    code = ctypes.create_string_buffer(struct.pack("=BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0))
    license_text = ctypes.create_string_buffer(b"GPL")
    os.close(call(5, struct.pack("=IIQQ", 1, 2, ctypes.addressof(code), ctypes.addressof(license_text)) + bytes(24)))
