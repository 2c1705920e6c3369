"""Holding the events of a case against what it says must be seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from harness.config.steps import EventPattern, Observation

Event = Mapping[str, Any]
Ends = Mapping[str, Sequence[Any]]


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


def differences(wanted: Observation, events: Iterable[Event], ends: Ends) -> list[str]:
    """Return a sentence per difference between what must be seen and what was; none where all is right."""
    sides: dict[str, list[Event]] = {side: [] for side in ("client", "listener")}
    found: list[str] = []
    for event in events:
        side = side_of(event, ends)
        if side is None:
            found.append(f"an event with this connection's port, but not its addresses: {describe(event)}")
        else:
            sides[side].append(event)
    for side, patterns in wanted.sides().items():
        found += _compare(side, patterns, sides[side])
    return found


def describe(event: Event) -> str:
    """Return an event in a few words, for a sentence."""
    words = [str(event.get("kind"))]
    if event.get("retval") is not None:
        words.append(f"retval {event['retval']}")
    if "saddr" in event:
        words.append(f"{event['saddr']}:{event.get('sport')} -> {event.get('daddr')}:{event.get('dport')}")
    return " ".join(words)


def trace_differences(wanted: Observation, events: Sequence[Event]) -> list[str]:
    """Return a sentence per difference between the trace that must be seen and the one that was."""
    return _compare("trace", wanted.trace or (), events)


def _compare(side: str, patterns: Sequence[EventPattern], events: Sequence[Event]) -> list[str]:
    single = [pattern for pattern in patterns for _ in range(pattern.times)]
    kinds = [str(event.get("kind")) for event in events]
    wanted = [pattern.kind for pattern in single]
    place = "in the trace" if side == "trace" else f"on the {side} side"
    if kinds != wanted:
        return [f"{place} {_list(wanted)} must be seen, but {_list(kinds)} came"]
    return [
        f"the {pattern.kind} event {place} must carry {field} {value}, but carries {event.get(field)}"
        for pattern, event in zip(single, events, strict=True)
        for field, value in (("retval", pattern.retval), ("value", pattern.value))
        if value is not None and event.get(field) != value
    ]


def _list(kinds: Sequence[str]) -> str:
    """Return some kinds in a row, a run of the same as `fexit x 34`."""
    runs = [(kind, len(list(group))) for kind, group in groupby(kinds)]
    return ", ".join(kind if count == 1 else f"{kind} x {count}" for kind, count in runs) or "nothing"
