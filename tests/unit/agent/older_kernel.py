"""Makes this process one of a kernel older than Linux 5.1: the newer system calls fail with ENOSYS from now on.

As a program it runs tests so: `python older_kernel.py PATH...`.
"""

from __future__ import annotations

import ctypes
import errno
import struct
import sys

import pytest

FIRST_NEWER = 424
"""pidfd_send_signal, of Linux 5.1: from here on all architectures have the same numbers (include/uapi/asm-generic/
unistd.h), so that pidfd_open is 434, clone3 435, close_range 436, openat2 437, faccessat2 439 on each."""


def become_older() -> None:
    """Install the filter (seccomp(2)); children inherit it. Raises OSError."""
    instructions = (
        (0x20, 0, 0, 0),  # load seccomp_data.nr
        (0x35, 0, 1, FIRST_NEWER),  # at least that: the next instruction, else the one after it
        (0x06, 0, 0, 0x00050000 | errno.ENOSYS),  # SECCOMP_RET_ERRNO
        (0x06, 0, 0, 0x7FFF0000),  # SECCOMP_RET_ALLOW
    )
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *each) for each in instructions))
    program = struct.pack("@HP", len(instructions), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((38, 1, 0, 0, 0), (22, 2, program, 0, 0)):  # PR_SET_NO_NEW_PRIVS; PR_SET_SECCOMP, its filter mode
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    become_older()
    sys.exit(pytest.main(["-q", "-n", "0", "-p", "no:cacheprovider", *sys.argv[1:]]))
