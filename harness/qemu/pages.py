"""Huge pages, which QEMU asks for, and for which an emulated guest of ours does not live long enough.

QEMU wants transparent huge pages for its guest's memory and for what it translates (QEMU_MADV_HUGEPAGE in
softmmu/physmem.c and tcg/region.c), so that the first touch of each clears 2 MB. A guest that is there for a second
touches little of most of them. And where the host is a virtual machine that reports its free pages, a huge page is
mostly one that its own host must find first: 5 ms have been seen, 0.3 s of a boot.
"""

from __future__ import annotations

import contextlib
import ctypes
import threading
from collections.abc import Iterator

PR_SET_THP_DISABLE = 41
"""include/uapi/linux/prctl.h; prctl(2): inherited by fork(2), preserved across execve(2)."""

_guard = threading.Lock()


@contextlib.contextmanager
def no_huge_pages() -> Iterator[None]:
    """Let processes that are started in the block do without transparent huge pages; this one has them again after it.

    A kernel that does not know how is let be: then they have them. Safe to use from several threads, one after the
    other; so the block should be short.
    """
    prctl = ctypes.CDLL(None).prctl
    with _guard:
        prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0)
        try:
            yield
        finally:
            prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0)
