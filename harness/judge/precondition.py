"""Cases that were not tried, or not to their end, since a kernel does not have what they need. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.model.results import Outcome, OutcomeKind
from harness.scenario.case import MAKE, TRIGGER, AgentStep

LIBBPF = "libbpf"
"""The cause of what is not applicable since libbpf lacks a function, whatever the kernel has."""
USES: Mapping[str, str] = {
    TRIGGER: "the trigger {what} needs",
    MAKE: "bpfmatrix makes the case's setup by the module",
}
"""What needs something that a kernel has not, by what the step does."""


def not_applicable(unmet: Mapping[str, Any], *, seconds: float | None) -> Outcome:
    """Return the outcome of a case that was not tried, since the kernel does not meet one of its preconditions."""
    name, errno = unmet["name"], unmet["errno_name"]
    what, missing = f"the sysctl {name} could not be set to {unmet.get('value')}", "this kernel has no such sysctl"
    why = "this kernel refuses it"
    if unmet["cause"] == "module":
        what, missing = f"the module {name} could not be loaded", "it is neither a file of this kernel nor built in"
    elif unmet["cause"] == "kconfig":
        what = f"the kernel option {name} is not {unmet.get('value')}"
        missing = "this kernel's configuration does not set it"
        why = f"in this kernel's configuration it is {unmet.get('found')}"
        if errno == "ENODATA":
            what = f"nobody knows whether the kernel option {name} is {unmet.get('value')}"
            why = "the guest has no configuration of this kernel, neither /proc/config.gz nor /boot/config-RELEASE"
    why = missing if unmet["missing"] else why
    return Outcome(
        kind=OutcomeKind.NOT_APPLICABLE,
        reason=f"{what}, which the case needs: {why} ({errno})",
        errno_name=errno,
        cause=unmet["cause"],
        cause_name=name,
        seconds=seconds,
    )


def ours(unmet: Mapping[str, Any], outcome: Outcome, step: AgentStep) -> Outcome:
    """Return the outcome of a case that ended with a step for which bpfmatrix itself needs what the kernel has not.

    That says nothing of the case, so no rule must expect it. `outcome` has what was seen until then, `step` is
    that step.
    """
    name, errno = unmet["name"], unmet["errno_name"]
    if unmet["cause"] == LIBBPF:
        why = f"bpfmatrix calls {name} for it ({step.op} {step.what}), which libbpf {unmet.get('value')} does not have"
        return _ours(outcome, why, unmet)
    use = USES.get(step.op, "bpfmatrix attaches such a program by the module").format(what=step.what)
    return _ours(outcome, f"{use} {name}, which this kernel does not have ({errno})", unmet)


def _ours(outcome: Outcome, reason: str, unmet: Mapping[str, Any]) -> Outcome:
    return replace(
        outcome,
        kind=OutcomeKind.NOT_APPLICABLE,
        reason=reason,
        errno_name=unmet["errno_name"],
        cause=unmet["cause"],
        cause_name=unmet["name"],
        ours=True,
    )
