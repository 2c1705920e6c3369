"""Whether a function of the kernel can be attached to, as the kernel itself lists those that can."""

from __future__ import annotations

import errno

FUNCTIONS = "/sys/kernel/tracing/available_filter_functions"
SECTIONS = ("fentry", "fexit", "fmod_ret", "kprobe", "kretprobe")
UNCLEAR = (errno.EBUSY, errno.EINVAL)
"""What an attachment to a function without a place for it fails with, among other things: EBUSY from
bpf_arch_text_poke(), EINVAL from trace_kprobe.c."""


def function_of(section: str) -> str:
    """Return the function of the kernel that a section names, "" where it names none."""
    kind, _, name = section.partition("/")
    return name.partition("+")[0] if kind.removesuffix(".s") in SECTIONS else ""


def traceable(function: str, file: str = FUNCTIONS) -> bool | None:
    """Say whether ftrace knows a function; None where it does not say. The file takes a second: ask after a refusal."""
    name = function.encode()
    try:
        with open(file, "rb") as lines:
            return any(line.rstrip() == name or line.startswith(name + b" ") for line in lines)
    except OSError:
        return None
