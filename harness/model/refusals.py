"""What a refusal means: from a refused step to its origin, its class, and advice. Pure.

origins.py knows who refused; refusals_loading.py, refusals_verifier.py and refusals_attaching.py know what for. A
refusal that no row explains is `unclassified`, and shown with what was asked and what may be behind it; nothing is
inferred from a version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from harness.model.evidence import Condition, Evidence, Refusal, evidence_of, when
from harness.model.origins import origin_of
from harness.model.refusals_attaching import ATTACHING, BY_PROGRAMS
from harness.model.refusals_loading import LOADING
from harness.model.refusals_verifier import BEFORE, VERIFIER
from harness.model.results import Outcome

__all__ = ["NAMES", "TABLE", "UNCLASSIFIED", "candidates_of", "explained", "find"]

UNCLASSIFIED = "unclassified"

TABLE: tuple[Refusal, ...] = (*BY_PROGRAMS, *BEFORE, *LOADING, *VERIFIER, *ATTACHING)

NAMES = (*dict.fromkeys(row.name for row in TABLE),)
"""The classes that an expectation can name."""


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What may be behind a refusal that no row fits: one of several meanings of an errno at a place."""

    condition: Condition
    meaning: str


def _may_be(meaning: str, condition: Condition) -> Candidate:
    return Candidate(condition=condition, meaning=meaning)


CANDIDATES: tuple[Candidate, ...] = (
    _may_be(
        "the map's sizes, number of entries or flags are none that this type takes here",
        when("load load-raw", "EINVAL", r"map '.*': failed to create"),
    ),
    _may_be(
        "the map has more bytes or entries than this kernel allows",
        when("load load-raw", "E2BIG", r"map '.*': failed to"),
    ),
    _may_be(
        "this kernel does not know a flag, or an attribute, of the load",
        when("load load-raw", "EINVAL E2BIG", log=r"\A\s*(processed .*)?\Z", text=r"BPF program load failed|command 5"),
    ),
    _may_be(
        "this kernel does not take the attach type, or not for this type of program",
        when("load load-raw attach", "EINVAL", log=r"\A\s*(processed 0 insns.*)?\Z", attach_type=r".+"),
    ),
    _may_be("the program has too many instructions", when("load load-raw", "E2BIG", r"BPF program load failed")),
    _may_be(
        "this kernel has no memory left for the program or its trampoline, or is built without a JIT",
        when("load load-raw attach", "ENOMEM"),
    ),
    _may_be("a program of this kind is there already", when("attach attach-map", "EBUSY EEXIST")),
    _may_be(
        "this kernel, or the driver of the device, is built without this kind of attachment",
        when("attach", "EOPNOTSUPP ENOTSUPP", r"failed to attach"),
    ),
    _may_be(
        "this kernel does not know the command of bpf(2), a flag of it, or this kind of target",
        when("attach", "EINVAL", r"failed to attach|command 28"),
    ),
    _may_be("what the program was to be attached to is not there", when("attach", "ENOENT ESRCH ENODEV")),
    _may_be("the slot is empty already", when("tail-call", "ENOENT", api="bpf_map_delete_elem")),
    _may_be("the array has no such slot", when("tail-call", "E2BIG ENOENT", api="bpf_map_(update|delete)_elem")),
    _may_be(
        "a capability is missing, or lockdown or a security policy forbids it",
        when(errnos="EPERM EACCES", log=r"\A\s*\Z"),
    ),
)


def explained(outcome: Outcome, step: Mapping[str, Any]) -> Outcome:
    """Return a refusal with its origin, class and advice, or with candidates; `step` is the agent's report of it."""
    evidence = evidence_of(step)
    row = find(TABLE, evidence)
    known = replace(outcome, origin=origin_of(evidence), asked=dict(evidence.asked))
    if row is None:
        debug = {"debug": list(evidence.debug)} if evidence.debug else {}
        asked = {**evidence.asked, **debug}
        return replace(known, refusal=UNCLASSIFIED, asked=asked, candidates=candidates_of(evidence))
    return replace(known, refusal=row.name, advice=f"{row.advice} ({row.place})")


def find(rows: Iterable[Refusal], evidence: Evidence) -> Refusal | None:
    """Return the first of `rows` that fits a refused step."""
    return next((row for row in rows if row.condition.holds(evidence)), None)


def candidates_of(evidence: Evidence) -> tuple[str, ...]:
    """Return what may be behind a refusal that no row fits, each as a clause."""
    return tuple(candidate.meaning for candidate in CANDIDATES if candidate.condition.holds(evidence))
