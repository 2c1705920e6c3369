"""A refusal of the kernel or of libbpf, and the names of its errno."""

from __future__ import annotations

import contextlib
import errno

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

# Errors that the kernel returns, but errno.h does not name (include/linux/errno.h); and the kernel's own names
# where Python prefers the C library's alias.
KERNEL_ERRNO = {35: "EDEADLK", 95: "EOPNOTSUPP", 512: "ERESTARTSYS", 517: "EPROBE_DEFER", 524: "ENOTSUPP"}


def errno_name(number: int) -> str:
    """Return the name of a positive errno, `E?<number>` where it has none."""
    return KERNEL_ERRNO.get(number) or errno.errorcode.get(number) or f"E?{number}"


def mistaken(detail: str, number: int = errno.ENOENT) -> dict[str, Any]:
    """Return the report of a step that failed for what its case says, not for what the kernel does."""
    name = errno_name(number)
    return {"ok": False, "refused": False, "mistake": True, "errno": number, "errno_name": name, "detail": detail}


class Refused(Exception):
    """The kernel, or libbpf, refused a step. `log` is the verifier's text, if any; `api` is the call that failed."""

    def __init__(self, number: int, detail: str = "", log: str = "", api: str = "") -> None:
        super().__init__(detail)
        self.number, self.detail, self.log, self.api = number, detail, log, api
        self.module = ""
        """The module that this agent attaches such programs with, where the kernel has it not."""
        self.function = ""
        """The function of libbpf that the agent calls, where this libbpf does not have it."""


@contextlib.contextmanager
def module_of_ours(name: str, absent: int) -> Iterator[None]:
    """Let a refusal with the errno `absent` say that a module is missing which the agent needs, not the program."""
    try:
        yield
    except Refused as refusal:
        if refusal.number == absent:
            refusal.module = name
        raise
