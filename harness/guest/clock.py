"""Whether a guest's clock runs as fast as the host's: a kernel measures it when it boots, and can measure it wrong.

On a busy host 5.10 has taken its TSC for 35 times as fast as it was. Such a guest waits 35 times too long or too short,
and a snapshot of it would keep that for good. Where the rate is known (harness/host/tsc.py), the kernel gets it.
"""

from __future__ import annotations

import re

SLOWEST, FASTEST = 0.5, 2.0
"""How fast a guest's clock may run beside the host's. What is wrong is wrong by far more, and a busy host makes the
measurement itself uncertain."""
SHORTEST = 0.1
"""Seconds of the host below which nothing can be said of the speed."""
TOLERANCE = 0.01
"""How far the rates of two counters may differ that are taken for one: what a kernel takes as measured again
(arch/x86/kernel/tsc.c, tsc_refine_calibration_work())."""
EARLIEST = 1.0
"""Seconds by which a guest may say that it is older than its QEMU."""


def uptime_said(console: str, line: str) -> float | None:
    """Return the seconds since the guest's boot at which it said `line` last; None where it has not said all of it.

    The line is that of harness/guest_service.py, `greeting`: its status, ` at `, seconds, ` s`.
    """
    found = re.findall(rf"{re.escape(line)} at (\d+\.\d+) s", console)
    return float(found[-1]) if found else None


def speed_problem(*, guest: float, host: float) -> str:
    """Return what is wrong where the guest's clock counted `guest` seconds while the host's counted `host`; else ""."""
    if host < SHORTEST or SLOWEST <= guest / host <= FASTEST:
        return ""
    return f"the guest's clock counts {guest:.2f} s while the host's counts {host:.2f} s"


def uptime_problem(*, uptime: float, elapsed: float) -> str:
    """Return what is wrong with a guest that is up for `uptime` seconds, `elapsed` seconds after QEMU's start; else "".

    A kernel starts some time after its QEMU, and its clock with it: so only a clock that is too fast is found.
    """
    if uptime <= elapsed * FASTEST + EARLIEST:
        return ""
    return f"the guest's clock says that it is up for {uptime:.2f} s, {elapsed:.2f} s after QEMU was started"


def same_rate(known: int | None, now: int | None) -> bool:
    """Say whether a guest whose counter had the rate `known` may go by one of the rate `now`, both in kHz.

    Where one of the two is not known (None), nothing speaks against it.
    """
    return known is None or now is None or abs(known - now) <= now * TOLERANCE
