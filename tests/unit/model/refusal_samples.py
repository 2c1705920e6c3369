"""Refused steps, as the agent reports them."""

from __future__ import annotations

from typing import Any

from harness.model.results import Outcome, OutcomeKind, Stage

REFUSED = Outcome(kind=OutcomeKind.REFUSED, reason="load x", stage=Stage.LOAD_TRACER)


LOAD_FAILED = "libbpf: prog 'f': BPF program load failed: Invalid argument; libbpf: failed to load object 'x'"


def step(op: str = "load", errno: str = "EINVAL", *, log: str = "", detail: str = "", **asked: Any) -> dict[str, Any]:
    return {"op": op, "errno_name": errno, "log": log, "detail": detail, "asked": asked}
