"""What the C library has no function for: numbers of system calls, structures and commands of bpf(2)."""

from __future__ import annotations

import ctypes
import os

from harness.agent.libbpf_abi import U32
from harness.agent.refusal import Refused

PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241, "riscv64": 241, "s390x": 331, "ppc64le": 319}
BPF_SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
FINIT_MODULE = {"x86_64": 313, "aarch64": 273, "riscv64": 273, "s390x": 344, "ppc64le": 353}
DELETE_MODULE = {"x86_64": 176, "aarch64": 106, "riscv64": 106, "s390x": 129, "ppc64le": 129}
# How ioctl(2) says "no argument" and "writes": include/uapi/asm-generic/ioctl.h, else the machine's own.
IOCTL_BITS = {"ppc64le": (1 << 29, 4 << 29)}
IOCTL_BITS_GENERIC = (0, 1 << 30)
BPF_MAP_CREATE, BPF_PROG_LOAD, BPF_OBJ_GET_INFO_BY_FD, BPF_LINK_CREATE = 0, 5, 15, 28
BPF_COMMANDS = {0: "BPF_MAP_CREATE", 5: "BPF_PROG_LOAD", 15: "BPF_OBJ_GET_INFO_BY_FD", 28: "BPF_LINK_CREATE"}
CLONE_NEWNET, PR_SET_CHILD_SUBREAPER = 0x40000000, 36
PROG_TYPE_EXT, BTF_KIND_FUNC = 28, 12
STRUCT_OPS = 27  # BPF_PROG_TYPE_STRUCT_OPS


class LinkInfo(ctypes.Structure):
    """struct bpf_link_info (include/uapi/linux/bpf.h), its head and the member for tracing links."""

    _fields_ = [
        *((name, U32) for name in ("type", "id", "prog_id", "padding")),
        *((name, U32) for name in ("attach_type", "target_obj_id", "target_btf_id", "reserved")),
        ("cookie", ctypes.c_uint64),
        ("rest", ctypes.c_uint8 * 96),
    ]


class ProgInfo(ctypes.Structure):
    """struct bpf_prog_info (include/uapi/linux/bpf.h)."""

    _fields_ = [
        *(("type", U32), ("id", U32), ("tag", ctypes.c_uint8 * 8), ("jited_prog_len", U32), ("xlated_prog_len", U32)),
        *((name, ctypes.c_uint64) for name in ("jited_prog_insns", "xlated_prog_insns", "load_time")),
        *((name, U32) for name in ("created_by_uid", "nr_map_ids")),
        *(("map_ids", ctypes.c_uint64), ("name", ctypes.c_char * 16), ("ifindex", U32), ("flags", U32)),
        *((name, ctypes.c_uint64) for name in ("netns_dev", "netns_ino")),
        *((name, U32) for name in ("nr_jited_ksyms", "nr_jited_func_lens")),
        *((name, ctypes.c_uint64) for name in ("jited_ksyms", "jited_func_lens")),
        *((name, U32) for name in ("btf_id", "func_info_rec_size")),
        ("func_info", ctypes.c_uint64),
        *((name, U32) for name in ("nr_func_info", "nr_line_info")),
        *((name, ctypes.c_uint64) for name in ("line_info", "jited_line_info")),
        *((name, U32) for name in ("nr_jited_line_info", "line_info_rec_size", "jited_line_info_rec_size", "nr_tags")),
        *((name, ctypes.c_uint64) for name in ("prog_tags", "run_time_ns", "run_cnt", "recursion_misses")),
        *((name, U32) for name in ("verified_insns", "attach_btf_obj_id", "attach_btf_id", "padding")),
    ]


def bpf(command: int, attributes: bytes) -> int:
    """Call bpf(2) itself, where libbpf would try other ways when one is refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    result: int = libc.syscall(BPF_SYSCALL[os.uname().machine], command, attributes, len(attributes))
    if result < 0:
        raise Refused(ctypes.get_errno(), f"bpf(2), command {command}", api=BPF_COMMANDS[command])
    return result


def ioctl_request(letter: str, number: int, size: int = 0) -> int:
    """Return a request of ioctl(2), _IO(letter, number) or, with a size, _IOW(); ppc64le has bits of its own."""
    none, write = IOCTL_BITS.get(os.uname().machine, IOCTL_BITS_GENERIC)
    return (write if size else none) | size << 16 | ord(letter) << 8 | number


def perf_event_open(attributes: bytes, pid: int) -> int:
    """Open a perf event for a process on any processor; return its file descriptor."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd: int = libc.syscall(PERF_EVENT_OPEN[os.uname().machine], attributes, pid, -1, -1, 0)
    if fd < 0:
        raise Refused(ctypes.get_errno(), "perf_event_open", api="perf_event_open")
    return fd
