"""Makes this process one of an older kernel: from now on the newer calls fail as they do where nobody knows them.

As a program it runs tests so: `python older_kernel.py PATH...`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

FIRST_NEWER = 424
"""pidfd_send_signal, of Linux 5.1: from here on all architectures have the same numbers (include/uapi/asm-generic/
unistd.h), so that pidfd_open is 434, clone3 435, close_range 436, openat2 437, faccessat2 439 on each."""
FIRST_NEWER_COMMAND = 24
"""BPF_MAP_LOOKUP_BATCH, of Linux 5.6 (include/uapi/linux/bpf.h); links are of 5.7, BPF_ENABLE_STATS of 5.8."""
BPF = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
"""The number of bpf(2)."""


def become_older(*, commands: bool = False) -> None:
    """Install the filter (seccomp(2)); children inherit it. Raises OSError.

    System calls of 5.1 and later fail with ENOSYS; with `commands` those of bpf(2) that are newer than 5.5 do with
    EINVAL.
    """
    refused, allowed = (0x06, 0, 0, 0x00050000), (0x06, 0, 0, 0x7FFF0000)  # SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW
    low = 16 if sys.byteorder == "little" else 20  # the half of the first argument that says which command it is
    instructions = [
        (0x20, 0, 0, 0),  # load seccomp_data.nr
        (0x35, 0, 1, FIRST_NEWER),  # at least that: the next instruction, else the one after it
        (*refused[:3], refused[3] | errno.ENOSYS),
    ]
    if commands:
        instructions += [
            (0x15, 0, 3, BPF[os.uname().machine]),  # that very call: the next instruction, else past the next three
            (0x20, 0, 0, low),
            (0x35, 0, 1, FIRST_NEWER_COMMAND),
            (*refused[:3], refused[3] | errno.EINVAL),
        ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in [*instructions, allowed]))
    program = struct.pack("@HP", len(instructions) + 1, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((38, 1, 0, 0, 0), (22, 2, program, 0, 0)):  # PR_SET_NO_NEW_PRIVS; PR_SET_SECCOMP, its filter mode
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    import pytest

    become_older()
    sys.exit(pytest.main(["-q", "-n", "0", "-p", "no:cacheprovider", *sys.argv[1:]]))
