"""The workload: pieces that are done one after the other, and how often programs ran meanwhile."""

from __future__ import annotations

import ctypes
import errno
import os

import harness.agent.pieces as general
import harness.agent.pieces_attached as attached
import harness.agent.pieces_network as network
from harness.agent.btf import Types
from harness.agent.files import read_text
from harness.agent.infos import info_of
from harness.agent.kernel_abi import PROG_TYPE_EXT, ProgInfo
from harness.agent.refusal import Refused, errno_name

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from harness.agent.case_state import CaseState
    from harness.agent.libbpf import Libbpf

    Piece = Callable[[CaseState, Any], None]

PIECES: dict[str, Piece] = {
    "calls": attached.calls,
    "iterators": attached.iterators,
    "sockets": attached.sockets,
    "routes": attached.routes,
    "files": general.files,
    "processes": general.processes,
    "tcp": network.tcp,
    "udp": network.udp,
    "memory": general.memory,
    "clocks": general.clocks,
    "signals": general.signals,
    "pipes": general.pipes,
    "credentials": general.credentials,
    "sysctls": general.sysctls,
    "reading": general.reading,
    "bpf": general.bpf_calls,
    "unix": network.unix,
    "devices": general.devices,
    "netlink": network.netlink,
    "ping": network.ping,
    "tcp6": network.tcp6,
    "udp6": network.udp6,
    "mounts": general.mounts,
    "cgroups": general.cgroups,
}
"""The pieces by their names, in their order: those for what is attached, then what many hooks see."""

OF_ATTACHED = ("calls", "iterators", "sockets", "routes")
"""Those that have something to do only for some programs."""

HINTS = tuple(
    (part, piece)
    for piece, parts in (
        ("tcp6", "6"),
        ("udp6", "6"),
        ("udp", "tc/ tcx classifier action udp skb xdp net"),
        ("devices", "/dev"),
        ("processes", "exec exit fork task bprm"),
        ("tcp", "tcp sock inet"),
        ("signals", "sig kill"),
        ("memory", "page mm"),
        ("clocks", "sched timer sleep"),
        ("mounts", "mount"),
        ("bpf", "bpf"),
        ("sysctls", "sysctl"),
        ("credentials", "pgid cred uid prctl libc /lib"),
        ("pipes", "pipe"),
        ("unix", "unix"),
        ("files", "open read write link file vfs"),
    )
    for part in parts.split()
)
"""What a section's name has in it, and the piece that is then worth being done first."""

ABSENT = (
    *(errno.ENOSYS, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT, errno.ESOCKTNOSUPPORT, errno.EADDRNOTAVAIL),
    *(errno.ENODEV, errno.EOPNOTSUPP, errno.ENOENT, errno.ENOTDIR, errno.ENXIO),
)
"""What a piece fails with where the kernel, or this guest, has no such thing: no program has a part in it."""

SECURITYFS = "/sys/kernel/security"
UNUSED = "`bpf` is not among the security modules that are active here (lsm={}), and their hooks alone are called"
BPF_F_SLEEPABLE = 1 << 4
PROG_TYPE_LSM = 29
TRAMPOLINES = (26, 29, 27)  # BPF_PROG_TYPE_TRACING, _LSM, _STRUCT_OPS
NO_STATS = "this kernel does not count the runs of programs for who asks (BPF_ENABLE_STATS, Linux 5.8)"
NO_LEAVE = "the kernel refuses to count runs"
SLEEPABLE = (
    "this kernel does not count the runs of sleepable programs (its __bpf_prog_enter_sleepable() takes no program)"
)
REPLACES = "the kernel does not count the runs of a program that replaces another's function"


class Counted:
    """The runs of some programs, by `object.program`."""

    def __init__(self, case: CaseState, names: list[str]) -> None:
        self._lib = case.lib
        self.names = names
        self.handles = {name: case.objects[name.split(".")[0]].program(name.split(".", 1)[1]) for name in names}
        self.fds = {name: self._lib.call("bpf_program__fd", handle) for name, handle in self.handles.items()}
        self.runs = dict.fromkeys(names, 0)
        self.refused = 0

    def read(self, *, anew: bool = False) -> bool:
        """Ask for the runs of those programs that had none, or of all, and return whether each has run.

        Where the kernel refuses to say it (or a program makes it), what was known stays.
        """
        for name, fd in self.fds.items():
            try:
                if anew or not self.runs[name]:
                    self.runs[name] = info_of(self._lib, ProgInfo(), fd)["run_cnt"]
            except Refused as refusal:
                self.refused = refusal.number
        return all(self.runs.values())


def workload(case: CaseState, names: list[str], *, enough: bool) -> dict[str, Any]:
    """Do the pieces and report how often each of the programs ran; with `enough` only until each of them has.

    Statistics count only as long as this takes. A piece that fails is reported with its errno, and the next one done;
    one of which this kernel has nothing is left out.
    """
    counted = Counted(case, names)
    called = [handle for handle in counted.handles.values() if case.lib.section(handle) == "syscall"]
    case.callable_programs = [case.lib.call("bpf_program__fd", handle) for handle in called]
    unknown, stats = "", -1
    try:
        stats = case.lib.call("bpf_enable_stats", 0)
    except Refused as refusal:
        unknown = NO_STATS if refusal.number == errno.EINVAL else f"{NO_LEAVE} ({errno_name(refusal.number)})"
        by = case.refusers()
        if by and refusal.number != errno.EINVAL:
            unknown += f", while {', '.join(by)} was attached, which can refuse that"
    done: list[str] = []
    failed: dict[str, str] = {}
    libc = ctypes.CDLL(None, use_errno=True)
    for name in ordered([case.lib.section(handle) for handle in counted.handles.values()], idle=idle(case)):
        number = attempt(PIECES[name], case, libc)
        if number in ABSENT:
            continue
        done.append(name)
        if number:
            failed[name] = errno_name(number)
        if enough and stats >= 0 and counted.read():
            break
    report = {"pieces": done, "failed": failed, "runs": {}}
    if stats >= 0:
        counted.read(anew=True)
        os.close(stats)
        report["runs"] = counted.runs
        unknown = "; ".join(dict.fromkeys(why for name in names if (why := _uncounted(case.lib, counted, name))))
        if not unknown and (why := _unused(case.lib, counted)):
            report["idle"] = why
    return report | ({"uncounted": unknown} if unknown else {})


def trigger_workload(case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Do the pieces that a step names, or all, and return which were done; Refused where none of the named could be.

    A piece that fails is reported with its errno: a program may refuse what it likes.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    nothing_to_do, named = idle(case), step["pieces"]
    done: list[str] = []
    failed: dict[str, str] = {}
    absent = 0
    for name in named or [each for each in PIECES if each not in nothing_to_do]:
        number = attempt(PIECES[name], case, libc)
        if number in ABSENT:
            absent = number
            continue
        done.append(name)
        if number:
            failed[name] = errno_name(number)
    if absent and named and not done:
        refusal = Refused(absent, f"this kernel has nothing for the piece {named[-1]}", api="workload")
        refusal.module = named[-1]
        raise refusal
    return {"pieces": done, "failed": failed}


def attempt(piece: Piece, case: CaseState, libc: Any) -> int:
    """Do a piece; return the errno that it failed with, 0 where it did not. One without a number did not come back."""
    try:
        piece(case, libc)
    except Refused as refusal:
        return refusal.number
    except OSError as error:
        return error.errno or errno.ETIMEDOUT
    except (LookupError, ValueError, ImportError):  # a program changed what came back, or let nothing be read
        return errno.EIO
    except MemoryError:  # or to be mapped
        return errno.ENOMEM
    return 0


def idle(case: CaseState) -> set[str]:
    """Return the pieces that have nothing to do: they are for what is not attached."""
    busy = {
        "calls": case.callable_programs,
        "iterators": case.iterators,
        "sockets": [*case.socket_pairs, *case.sockmaps],
        "routes": [*case.routes, *([True] if case.has_netkit else [])],
    }
    return {name for name, what in busy.items() if not what}


def ordered(sections: list[str], *, idle: set[str]) -> list[str]:
    """Return the pieces that are not idle: those for what is attached, those that sections hint at, all others."""
    text = "".join(f"{section}/ " for section in sections).lower()
    hinted = [piece for part, piece in HINTS if part in text]
    names = list(PIECES)
    return [name for name in dict.fromkeys([*OF_ATTACHED, *hinted, *names]) if name not in idle]


def _uncounted(lib: Libbpf, counted: Counted, name: str) -> str:
    """Say why a program that seems not to have run may have, "" where the kernel would have counted it."""
    if counted.runs[name]:
        return ""
    if counted.refused:
        return f"the kernel refuses to say how often it ran ({errno_name(counted.refused)})"
    handle = counted.handles[name]
    kind = lib.call("bpf_program__type", handle)
    if kind == PROG_TYPE_EXT:
        return REPLACES
    if kind in TRAMPOLINES and lib.call("bpf_program__flags", handle) & BPF_F_SLEEPABLE and _blind(lib):
        return SLEEPABLE
    return ""


def _unused(lib: Libbpf, counted: Counted) -> str:
    """Say why programs that did not run cannot have, "" where nothing is known that keeps them from it."""
    hooked = any(
        not counted.runs[name] and lib.call("bpf_program__type", handle) == PROG_TYPE_LSM
        for name, handle in counted.handles.items()
    )
    active = active_modules() if hooked else None
    return UNUSED.format(active) if active and "bpf" not in active.split(",") else ""


def active_modules() -> str | None:
    """Return the names of the active security modules, as `lsm=` has them; None where this kernel does not say them."""
    libc = ctypes.CDLL(None)
    mounted = libc.mount(b"securityfs", SECURITYFS.encode(), b"securityfs", ctypes.c_ulong(0), None) == 0
    try:
        return read_text(f"{SECURITYFS}/lsm")
    finally:
        if mounted:
            libc.umount2(SECURITYFS.encode(), 2)  # MNT_DETACH


def _blind(lib: Libbpf) -> bool:
    """Say whether this kernel's trampolines do not count sleepable programs (before ca06f55b9002, Linux 5.12).

    Its own BTF says it: what they call then takes no program.
    """
    handle = lib.kernel_btf()
    number = lib.found("btf__find_by_name_kind", handle, b"__bpf_prog_enter_sleepable", 12) if handle else -1
    if number < 0:
        return False
    types = Types(lib, handle)
    return types.type(types.type(number).of).count == 0
