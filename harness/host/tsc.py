"""How fast the host's time stamp counter counts.

An emulated x86 processor has that counter as its own (QEMU, cpu_get_tsc()). Its kernel finds out the rate when it
boots, and finds a wrong one where the host is busy just then: such a guest's clock has gone 35 times too fast.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import mmap
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

READ = bytes.fromhex("0f31 48c1e220 4809d0 c3")
"""rdtsc; shl rdx, 32; or rax, rdx; ret."""
APART_SECONDS = 0.02
"""How far the two readings are apart. Each is good to about a microsecond, so the rate to a ten-thousandth; a kernel
takes what is wrong by less than a hundredth as it is (arch/x86/kernel/tsc.c, tsc_refine_calibration_work())."""
TRIES = 50
"""How often each reading is made, of which the quickest counts: in all others the host did something else meanwhile."""

Reading = tuple[int, int]
"""A moment by the host's clock, in nanoseconds, and the counter at that moment."""


@functools.cache
def begin() -> Reading | None:
    """Make the first of the two readings, so that `tsc_khz` need not wait; None where there is no such counter."""
    if os.uname().machine != "x86_64" or not is_constant(_cpuinfo()):
        return None
    with _counter() as counter:
        return None if counter is None else reading(counter)


@functools.cache
def tsc_khz() -> int | None:
    """Return the rate of the host's counter in kHz; None where it has no constant one, or none that can be read."""
    first = begin()
    if first is None:
        return None
    time.sleep(max(0.0, APART_SECONDS - (time.monotonic_ns() - first[0]) / 1e9))
    with _counter() as counter:
        return None if counter is None else rate(first, reading(counter))


def is_constant(cpuinfo: str) -> bool:
    """Say whether each processor of /proc/cpuinfo counts at one rate, whatever its own frequency is."""
    flags = [line.split() for line in cpuinfo.splitlines() if line.startswith("flags")]
    return bool(flags) and all("constant_tsc" in each for each in flags)


def reading(counter: Callable[[], int], *, clock: Callable[[], int] = time.monotonic_ns) -> Reading:
    """Read clock and counter as nearly at once as can be."""
    best: tuple[int, Reading] | None = None
    for _ in range(TRIES):
        before, count, after = clock(), counter(), clock()
        if best is None or after - before < best[0]:
            best = after - before, ((before + after) // 2, count)
    assert best is not None
    return best[1]


def rate(first: Reading, last: Reading) -> int | None:
    """Return the rate between two readings in kHz; None where the counter or the clock did not go on."""
    nanoseconds, counts = last[0] - first[0], last[1] - first[1]
    return round(counts * 1_000_000 / nanoseconds) if nanoseconds > 0 and counts > 0 else None


def _cpuinfo() -> str:
    with contextlib.suppress(OSError):
        return Path("/proc/cpuinfo").read_text()
    return ""


@contextlib.contextmanager
def _counter() -> Iterator[Callable[[], int] | None]:
    """Hold a function that reads the counter; None on a host that lets nobody execute what he has written."""
    try:
        page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:  # a hardened host
        yield None
        return
    with page:
        page.write(READ)
        start = ctypes.c_char.from_buffer(page)
        try:
            yield ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(start))
        finally:
            del start  # or the page cannot be closed
