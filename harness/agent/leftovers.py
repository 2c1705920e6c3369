"""What a case may leave behind, and that nothing of it stays."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import struct
import time

from harness.agent.files import read_whole
from harness.agent.kernel_abi import BPF_OBJ_GET_INFO_BY_FD, BPF_SYSCALL, PR_SET_CHILD_SUBREAPER, bpf
from harness.agent.modules import loaded_modules, remove_module
from harness.agent.namespaces import NAMESPACES
from harness.agent.netlink import RTM_DELLINK, rtnetlink
from harness.agent.refusal import Refused

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    Found = TypeVar("Found")


BPFFS, MNT_DETACH = b"/sys/fs/bpf", 2
LEFT_SECONDS = 3.0
UNKNOWN = 0
"""Stands for what the kernel refuses to list; no program, map or link has this id."""
REFUSALS = frozenset({errno.EPERM, errno.EACCES})
PROGRAM_IDS, MAP_IDS, LINK_IDS = 11, 12, 31  # BPF_PROG_GET_NEXT_ID, BPF_MAP_GET_NEXT_ID, BPF_LINK_GET_NEXT_ID


def trace_events() -> set[str]:
    """Return the kprobes, uprobes and other events that were made in tracefs, each as `group/name`."""
    lines = read_whole("/sys/kernel/tracing/dynamic_events").splitlines()
    return {line.split(" ", 1)[0].partition(":")[2] for line in lines}


def remove_trace_event(name: str) -> None:
    """Remove an event from tracefs."""
    fd = os.open("/sys/kernel/tracing/dynamic_events", os.O_WRONLY | os.O_APPEND)
    try:
        os.write(fd, f"-:{name}\n".encode())
    finally:
        os.close(fd)


def subfolders(top: str) -> list[str]:
    """Return the folders below `top`, as deep as they are; one is named before those within it."""
    try:
        with os.scandir(top) as entries:
            folders = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [found for folder in folders for found in (folder, *subfolders(folder))]


def mount_bpffs() -> None:
    """Mount an empty bpffs over the one that is there: what is pinned in it is gone with it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"bpf", BPFFS, b"bpf", ctypes.c_ulong(0), None) != 0:
        raise OSError(ctypes.get_errno(), "a bpffs of the case's own cannot be mounted")


def unmount_bpffs() -> None:
    """Unmount the bpffs of a case, whoever still has a file of it open."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(BPFFS, MNT_DETACH) != 0:
        raise OSError(ctypes.get_errno(), "the bpffs of a case cannot be unmounted")


def remove_device(name: str) -> None:
    """Remove a network device (RTM_DELLINK)."""
    with contextlib.suppress(Refused):
        rtnetlink(RTM_DELLINK, 0, struct.pack("=BxHiII", 0, 0, socket.if_nametoindex(name), 0, 0))


def mounts() -> set[tuple[int, str]]:
    """Return what is mounted, each with the kernel's number of it: a later mount has a larger one (proc(5))."""
    lines = (line.split(" ", 5) for line in read_whole("/proc/self/mountinfo").splitlines())
    return {(int(words[0]), words[4]) for words in lines}


def unmount(mount: tuple[int, str]) -> None:
    """Unmount what is mounted last at a place, whoever still uses it."""
    ctypes.CDLL(None).umount2(mount[1].encode().decode("unicode_escape").encode("latin-1"), MNT_DETACH)


def namespaces() -> set[str]:
    """Return the files that network namespaces with a name have, or had until they were unmounted."""
    with contextlib.suppress(FileNotFoundError):
        return {f"{NAMESPACES}/{name}" for name in os.listdir(NAMESPACES)}
    return set()


def bpf_ids(command: int) -> set[int]:
    """Return the ids of all programs, maps or links (BPF_..._GET_NEXT_ID); UNKNOWN among them where that is refused.

    A program that is still attached may refuse it, and then is one of those that are not listed.
    """
    found: set[int] = set()
    attributes = ctypes.create_string_buffer(16)
    libc = ctypes.CDLL(None, use_errno=True)
    number, last = BPF_SYSCALL[os.uname().machine], 0
    while True:
        # union bpf_attr: start_id, next_id, open_flags.
        struct.pack_into("=III", attributes, 0, last, 0, 0)
        if libc.syscall(number, command, attributes, len(attributes)) != 0:
            return found | {UNKNOWN} if ctypes.get_errno() in REFUSALS else found
        last = struct.unpack_from("=I", attributes, 4)[0]
        found.add(last)


def bpf_name(command: int, info: int, identity: int) -> str:
    """Return what a program, map or link that has an id is: its id, and its name where it has one."""
    try:
        fd = bpf(command, struct.pack("=III", identity, 0, 0))
    except Refused:
        return str(identity)
    try:
        buffer = ctypes.create_string_buffer(256)
        # union bpf_attr of BPF_OBJ_GET_INFO_BY_FD: bpf_fd, info_len, info.
        bpf(BPF_OBJ_GET_INFO_BY_FD, struct.pack("=IIQ", fd, len(buffer), ctypes.addressof(buffer)))
    except Refused:
        return str(identity)
    finally:
        os.close(fd)
    name = buffer.raw[info : info + 16].split(b"\0")[0].decode(errors="replace") if info else ""
    return f"{identity} {name}".strip()


class Leftover:
    """One kind of what a case may leave behind: how to list it, how to remove one, how to name one."""

    def __init__(
        self,
        kind: str,
        listed: Callable[[], set[Any]],
        *,
        remove: Callable[[Any], None] | None = None,
        name: Callable[[Any], str] = str,
    ) -> None:
        self.kind, self.listed, self.remove, self.name = kind, listed, remove, name


LEFTOVERS = [
    Leftover("mount", mounts, remove=unmount, name=lambda mount: mount[1]),
    Leftover("namespace", namespaces, remove=os.unlink),
    Leftover("module", loaded_modules, remove=remove_module),
    Leftover("trace-event", trace_events, remove=remove_trace_event),
    Leftover("trace-instance", lambda: set(subfolders("/sys/kernel/tracing/instances")), remove=os.rmdir),
    Leftover("cgroup", lambda: set(subfolders("/sys/fs/cgroup")), remove=os.rmdir),
    Leftover("device", lambda: {name for _, name in socket.if_nameindex()}, remove=remove_device),
    # BPF_..._GET_FD_BY_ID, and where the name is in the information (0: it has none).
    Leftover("program", lambda: bpf_ids(PROGRAM_IDS), name=lambda identity: bpf_name(13, 64, identity)),
    Leftover("link", lambda: bpf_ids(LINK_IDS), name=lambda identity: bpf_name(30, 0, identity)),
]
MAPS = Leftover("map", lambda: bpf_ids(MAP_IDS), name=lambda identity: bpf_name(14, 24, identity))


def gone(find: Callable[[], Found]) -> Found:
    """Wait until `find` finds nothing, for at most LEFT_SECONDS; return what it finds then."""
    end, pause = time.monotonic() + LEFT_SECONDS, 0.001
    while (found := find()) and time.monotonic() < end:
        time.sleep(pause)
        pause = min(pause * 2, 0.05)
    return found


class Surroundings:
    """What the guest is like before its first case, and must be like again after each."""

    def __init__(self) -> None:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # end_processes()
        self._before = [(leftover, leftover.listed()) for leftover in LEFTOVERS]
        self._maps = MAPS.listed()
        self._late: dict[int, str] = {}
        self._aside: list[tuple[list[tuple[Leftover, set[Any]]], set[int]]] = []
        self._stuck: list[dict[str, Any]] = []

    def prepare(self) -> None:
        """Give the next case what is its own and nobody else's: a bpffs. restore() takes it back."""
        mount_bpffs()

    def restore(self, case: str) -> list[dict[str, Any]]:
        """Remove what a case has left behind, wait for what goes by itself; return what is still there after that.

        Programs and links go when nobody has them any more, sometimes only after a grace period of RCU. Maps always go
        so late, with the programs that use them, but alone they do nothing. So they are not waited for: they must be
        gone when the next case has ended, or after the last one. Links are waited for before anything else is asked of
        the kernel: as long as one of a security module's hooks is there it may be refused.
        """
        gone(lambda: any(each.kind == "link" and each.listed() - before for each, before in self._before))
        unmount_bpffs()
        there = list(self._before)

        def more() -> list[tuple[Leftover, set[Any]]]:
            there[:] = [(each, before) for each, before in there if self._more(each, before)]
            return there

        left = [
            {"kind": each.kind, "name": each.name(one)}
            for each, before in gone(more)
            for one in sorted(each.listed() - before)
        ]
        left += self.settle()
        self._stuck = []
        self._late = dict.fromkeys(MAPS.listed() - self._maps, case)
        return left

    def settle(self) -> list[dict[str, Any]]:
        """Wait for the maps of cases that have ended; return those that do not go, each with its `case`."""
        stuck = gone(lambda: MAPS.listed() & self._late.keys()) if self._late else ()
        left = self._stuck + [
            {"kind": MAPS.kind, "name": MAPS.name(one), "case": self._late[one]} for one in sorted(stuck)
        ]
        self._maps, self._late = self._maps.union(stuck), {}
        return left

    def take_aside(self) -> None:
        """Prepare for what is to be there with several cases and belongs to none of them; it has its own bpffs."""
        self._stuck = self.settle()
        self._aside.append((self._before, self._maps))
        mount_bpffs()

    def take_in(self) -> None:
        """Take what is there now for what was there before."""
        self._before = [(each, each.listed()) for each, _ in self._before]
        self._maps = MAPS.listed()

    def let_out(self) -> None:
        """Wait until what was taken in is gone: from now on it would be a case's."""
        unmount_bpffs()
        self._before, self._maps = self._aside.pop()
        maps = self._maps | self._late.keys()
        gone(lambda: [each for each, before in self._before if self._more(each, before)] or MAPS.listed() - maps)

    def _more(self, leftover: Leftover, before: set[Any]) -> bool:
        """Say whether there is more of something than there was, once what can be removed is."""
        more = leftover.listed() - before
        if not more or leftover.remove is None:
            return bool(more)
        for one in sorted(more, reverse=True):  # a folder after those within it
            with contextlib.suppress(OSError):
                leftover.remove(one)
        return bool(leftover.listed() - before)
