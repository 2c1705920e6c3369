"""Sysctls: those that a case needs, and that they are put back."""

from __future__ import annotations

import os

from harness.agent.files import read_text
from harness.agent.precondition import unmet

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


def sysctl_path(name: str) -> str:
    """Return the file of a sysctl."""
    return "/proc/sys/" + name.replace(".", "/")


def set_sysctl(name: str, value: str | int) -> str:
    """Write one sysctl and return what it was; OSError where there is none, or the kernel refuses."""
    path = sysctl_path(name)
    with open(path, encoding="ascii") as file:
        before = file.read().strip()
    with open(path, "w", encoding="ascii") as file:
        file.write(str(value))
    return before


def set_sysctls(wanted: Mapping[str, str | int], changed: dict[str, str]) -> dict[str, Any] | None:
    """Set a case's sysctls, and note in `changed` what they were; return its end where one cannot be set, else None."""
    for name, value in wanted.items():
        try:
            changed[name] = set_sysctl(name, value)
        except OSError as error:
            return unmet("sysctl", name, value=value, error=error, missing=not os.path.exists(sysctl_path(name)))
    return None


def put_back(changed: dict[str, str]) -> list[str]:
    """Set sysctls to what they were; return those that cannot be: some can only be tightened."""
    stuck = []
    for name, value in reversed(changed.items()):
        try:
            set_sysctl(name, value)
            if read_text(sysctl_path(name)) != value:
                stuck.append(name)
        except OSError:  # kernel.unprivileged_bpf_disabled=1
            stuck.append(name)
    return stuck
