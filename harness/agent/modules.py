"""Kernel modules that a case names."""

from __future__ import annotations

import ctypes
import errno
import os

from harness.agent.files import read_whole
from harness.agent.kernel_abi import DELETE_MODULE, FINIT_MODULE
from harness.agent.precondition import unmet

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any


def loaded_modules() -> set[str]:
    """Return the names of the modules that are loaded."""
    return {line.split(" ", 1)[0] for line in read_whole("/proc/modules").splitlines()}


def load_modules(modules: Iterable[dict[str, Any]]) -> dict[str, Any] | None:
    """Load what a case names, and what that needs; return the end of the case where that is not possible, else None.

    Each of `modules` has its `name`, its `files` in the order of loading, and whether it is `built_in`. What is loaded
    already, for the guest itself, is there; so is what the kernel has a folder for. One that is `optional` may be
    missing: who needs it says so (Refused.module).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    for module in modules:
        name = module["name"].replace("-", "_")
        if (
            not module.get("optional")
            and not module["files"]
            and not module["built_in"]
            and not os.path.exists(f"/sys/module/{name}")
        ):
            none = FileNotFoundError(errno.ENOENT, "no such module")
            return unmet("module", module["name"], value=None, error=none, missing=True)
        for path in module["files"]:
            fd = os.open(path, os.O_RDONLY)
            failed = libc.syscall(FINIT_MODULE[os.uname().machine], fd, b"", 0) != 0
            number = ctypes.get_errno()
            os.close(fd)
            if failed and number != errno.EEXIST and not module.get("optional"):
                refused = OSError(number, "finit_module")
                return unmet("module", module["name"], value=None, error=refused, missing=False)
    return None


def remove_module(name: str) -> None:
    """Unload a module; one that another needs comes off with the next try."""
    ctypes.CDLL(None).syscall(DELETE_MODULE[os.uname().machine], name.encode(), os.O_NONBLOCK)
