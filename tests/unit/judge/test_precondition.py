"""What is said of cases that were not tried, or not to their end."""

from __future__ import annotations

from typing import Any

import pytest

from harness.judge.precondition import not_applicable, ours
from harness.model.results import Outcome, OutcomeKind, Stage
from harness.scenario.case import AgentStep

UNMET: dict[str, Any] = {"cause": "sysctl", "name": "kernel.x", "value": 1, "errno_name": "ENOENT", "missing": True}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {},
            "the sysctl kernel.x could not be set to 1, which the case needs: this kernel has no such sysctl (ENOENT)",
        ),
        (
            {"errno_name": "EINVAL", "missing": False},
            "the sysctl kernel.x could not be set to 1, which the case needs: this kernel refuses it (EINVAL)",
        ),
        (
            {"cause": "module", "name": "veth"},
            "the module veth could not be loaded, which the case needs: "
            "it is neither a file of this kernel nor built in (ENOENT)",
        ),
        (
            {"cause": "kconfig", "name": "CONFIG_X", "value": "y", "errno_name": "ENODATA", "missing": False},
            "nobody knows whether the kernel option CONFIG_X is y, which the case needs: "
            "the guest has no configuration of this kernel, neither /proc/config.gz nor /boot/config-RELEASE (ENODATA)",
        ),
    ],
)
def test_what_the_case_needs_is_named(changes: dict[str, Any], words: str) -> None:
    found = not_applicable({**UNMET, **changes}, seconds=0.5)
    assert (found.kind, found.reason, found.ours) == (OutcomeKind.NOT_APPLICABLE, words, False)


def test_what_bpfmatrix_needs_is_not_the_cases() -> None:
    seen = Outcome(kind=OutcomeKind.REFUSED, reason="no", errno=2, seconds=0.25)
    attach = AgentStep(stage=Stage.ATTACH_TARGET, op="attach", what="p")
    found = ours({**UNMET, "cause": "module", "name": "cls_bpf"}, seen, attach)
    assert found.reason.startswith("bpfmatrix attaches such a program by the module cls_bpf, which this kernel does")
    assert (found.kind, found.ours, found.cause_name, found.seconds) == (
        OutcomeKind.NOT_APPLICABLE,
        True,
        "cls_bpf",
        0.25,
    )


def test_a_function_that_libbpf_lacks_says_nothing_of_the_kernel_or_the_case() -> None:
    seen = Outcome(kind=OutcomeKind.REFUSED, reason="no", errno=38)
    attach = AgentStep(stage=Stage.ATTACH_TARGET, op="attach", what="p")
    lacks = {"cause": "libbpf", "name": "bpf_program__attach_tcx", "value": "v1.1", "errno_name": "ENOSYS"}
    found = ours({**lacks, "missing": True}, seen, attach)
    assert (found.kind, found.ours, found.cause, found.cause_name) == (
        OutcomeKind.NOT_APPLICABLE,
        True,
        "libbpf",
        "bpf_program__attach_tcx",
    )
    assert found.reason == "bpfmatrix calls bpf_program__attach_tcx for it (attach p), which libbpf v1.1 does not have"


def test_what_a_trigger_needs_is_named_with_it() -> None:
    seen = Outcome(kind=OutcomeKind.REFUSED, reason="no")
    trigger = AgentStep(stage=Stage.TRIGGER, op="trigger", what="udp")
    found = ours({**UNMET, "cause": "module", "name": "ipv6", "errno_name": "EAFNOSUPPORT"}, seen, trigger)
    assert found.reason == "the trigger udp needs ipv6, which this kernel does not have (EAFNOSUPPORT)"
