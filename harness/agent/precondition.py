"""How a case ends that cannot begin."""

from __future__ import annotations

import errno

from harness.agent.refusal import errno_name

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from typing import Any


def unmet(cause: str, name: str, *, value: object, error: OSError, missing: bool, **more: object) -> dict[str, Any]:
    """Return the end of a case that did not begin: a sysctl, a module or an option that it needs cannot be had."""
    precondition = {"cause": cause, "name": name, "value": value, "errno_name": errno_name(error.errno or 0)}
    ended = {"complete": True, "signal": None, "timed_out": False}
    return {**ended, "precondition": {**precondition, "missing": missing, **more}}


def missing_module(name: str, number: int) -> dict[str, Any]:
    """Return the precondition of a step that needs a module for itself, which the kernel has not."""
    return {"cause": "module", "name": name, "value": None, "errno_name": errno_name(number), "missing": True}


def missing_function(name: str, version: str) -> dict[str, Any]:
    """Return the precondition of a step for which the agent calls a function that this libbpf does not have."""
    return {"cause": "libbpf", "name": name, "value": version, "errno_name": errno_name(errno.ENOSYS), "missing": True}
