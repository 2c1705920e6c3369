"""Comparing the events of a case with what it says must be seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

from harness.judge.inspected import PREFIXES, come_as, fits
from harness.model.results import Difference, DifferenceKind, Stage
from harness.scenario.case import ExpectedEvent, Look

Event = Mapping[str, Any]
Ends = Mapping[str, Sequence[Any]]
BUSY = 4
"""How many times as much as must be seen is no fault of the program's any more, most likely."""
MORE_MAY_COME = "where others use the hook, too, say `trace: {at-least: [...]}`"
OWN_RECORDS = "records of one's own are looked at by `observe: {records: {MAP: ...}}`"
UNKNOWN = "which the kernel does not say"
"""Stands for a field of a program's info that is missing; no event carries it."""


def side_of(event: Event, ends: Ends) -> str | None:
    """Return which side of the connection an event belongs to: `client`, `listener`, or None for neither.

    The connecting side's event carries the very addresses and ports of the connection. The accepting side's
    is that of the listening socket (the first argument of inet_csk_complete_hashdance(),
    net/ipv4/inet_connection_sock.c): its port, and no peer.
    """
    ports = (event.get("sport"), event.get("dport"))
    (client_address, client_port), (server_address, server_port) = ends["client"], ends["server"]
    if ports == (client_port, server_port):
        addresses = (event.get("saddr"), event.get("daddr"))
        return "client" if addresses == (client_address, server_address) else None
    if ports == (server_port, 0):
        return "listener" if event.get("saddr") == server_address else None
    return None


def differences(wanted: Look, events: Iterable[Event], ends: Ends, *, step: str, stage: Stage) -> list[Difference]:
    """Return a difference per side that showed other events than must be seen, and one per stray event."""
    sides: dict[str, list[Event]] = {side: [] for side in ("client", "listener")}
    found: list[Difference] = []
    for event in events:
        side = side_of(event, ends)
        if side is None:
            text = f"an event with this connection's port, but not its addresses: {describe(event)}"
            if "raw" in event:
                text = f"a record came that is no struct event (bpf/include/event.h): {describe(event)}; {OWN_RECORDS}"
            found.append(Difference(step=step, stage=stage, kind=DifferenceKind.STRAY, text=text))
        else:
            sides[side].append(event)
    for side, patterns in wanted.sides().items():
        found += _compare(side, patterns, sides[side], step=step, stage=stage)
    return found


def describe(event: Event) -> str:
    """Return an event in a few words, for a sentence."""
    parts = [str(event.get("kind"))]
    if "raw" in event:
        parts.append(f"{len(str(event['raw'])) // 2} bytes {event['raw']}")
    if event.get("retval") is not None:
        parts.append(f"retval {event['retval']}")
    if "saddr" in event:
        parts.append(f"{event['saddr']}:{event.get('sport')} -> {event.get('daddr')}:{event.get('dport')}")
    return " ".join(parts)


def trace_differences(wanted: Look, events: Sequence[Event], *, step: str, stage: Stage) -> list[Difference]:
    """Return a difference where the trace is another than the one that must be seen."""
    patterns = wanted.trace or ()
    if wanted.how == "exactly":
        return _compare("trace", patterns, events, step=step, stage=stage)
    single = singles(patterns)
    if come_as(wanted.how, single, events, lambda pattern, event: fits(pattern.keys(), event)):
        return []
    words = {"at-least": "at least ", "any-order": "in any order ", "none": "none of "}[wanted.how]
    demand, came = _list([each.kind for each in single]), _list([str(event.get("kind")) for event in events])
    text = f"{PREFIXES.get(step, '')}in the trace {words}{demand} must be seen, but {came} came"
    return [Difference(step=step, stage=stage, kind=DifferenceKind.EVENTS, of="trace", seen=_shown(events), text=text)]


def _shown(events: Sequence[Event]) -> tuple[dict[str, Any], ...]:
    return tuple({key: event.get(key) for key in ("kind", "retval", "value")} for event in events)


def field_of(reference: str, report: Mapping[str, Any]) -> int | str | None:
    """Return the field of a program's info that `reference` names (object.program:field), None for 0 or a missing one.

    A zero is what a kernel that has no such field leaves, so it is never the right answer.
    """
    program, _, field = reference.partition(":")
    found = report.get("programs", {}).get(program, {}).get(field)
    return found or None


def known(wanted: Look, report: Mapping[str, Any]) -> Look:
    """Return what the trace must show with the values that the step's report has in place of their references."""
    trace = wanted.trace or ()
    if not any(isinstance(pattern.value, str) for pattern in trace):
        return wanted
    values = [field_of(each.value, report) if isinstance(each.value, str) else each.value for each in trace]
    found = [
        replace(pattern, value=UNKNOWN if value is None and pattern.value is not None else value)
        for pattern, value in zip(trace, values, strict=True)
    ]
    return replace(wanted, trace=tuple(found))


def singles(patterns: Iterable[ExpectedEvent]) -> list[ExpectedEvent]:
    """Return the patterns one by one, each as often as its `times` says."""
    return [pattern for pattern in patterns for _ in range(pattern.times)]


def _compare(
    side: str, patterns: Sequence[ExpectedEvent], events: Sequence[Event], *, step: str, stage: Stage
) -> list[Difference]:
    wrong = _sentences(side, singles(patterns), events)
    if not wrong:
        return []
    prefix = PREFIXES.get(step, "")
    seen = _shown(events)
    text = "; ".join(prefix + sentence for sentence in wrong)
    return [Difference(step=step, stage=stage, kind=DifferenceKind.EVENTS, of=side, seen=seen, text=text)]


def _sentences(side: str, single: Sequence[ExpectedEvent], events: Sequence[Event]) -> list[str]:
    kinds = [str(event.get("kind")) for event in events]
    wanted = [pattern.kind for pattern in single]
    place = "in the trace" if side == "trace" else f"on the {side} side"
    if kinds != wanted:
        more = f" ({MORE_MAY_COME})" if side == "trace" and _busy(single, events) else ""
        return [f"{place} {_list(wanted)} must be seen, but {_list(kinds)} came{more}"]
    return [
        f"the {pattern.kind} event {place} must carry {field} {value}, but carries {event.get(field)}"
        for pattern, event in zip(single, events, strict=True)
        for field, value in (("retval", pattern.retval), ("value", pattern.value))
        if value is not None and event.get(field) != value
    ]


def _busy(single: Sequence[ExpectedEvent], events: Sequence[Event]) -> bool:
    """Say whether what must be seen came among so much more that others seem to use the hook."""
    if not single or len(events) <= len(single) * BUSY:
        return False
    return come_as("at-least", single, events, lambda pattern, event: fits(pattern.keys(), event))


def _list(kinds: Sequence[str]) -> str:
    """Return some kinds in a row, a run of the same as `fexit x 34`."""
    runs = [(kind, len(list(group))) for kind, group in groupby(kinds)]
    return ", ".join(kind if count == 1 else f"{kind} x {count}" for kind, count in runs) or "nothing"
