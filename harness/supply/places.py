"""Where a case attaches programs, looked up in what its setup makes: devices, control groups, namespaces. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from harness.config.reading.explain import did_you_mean
from harness.config.reading.yaml_source import Loc, dotted, quoted
from harness.config.setup import Thing, cgroups_of, devices_of, namespaces_of, unknown
from harness.scenario.places import PLACED, Place, keys_of, placed
from harness.supply.lookups import Problem

SOCKETS = ("socket", "sk_reuseport")
"""Sections whose programs are attached to a socket, without a link (agent/attachers.py, ATTACHERS)."""
LOOPBACK = "lo"
"""The device that each namespace has by itself."""
KNOWN: Mapping[str, tuple[str, Callable[[Sequence[Thing]], list[str]]]] = {
    "device": ("device", lambda setup: [LOOPBACK, *devices_of(setup)]),
    "cgroup": ("control group", lambda setup: [*cgroups_of(setup)]),
    "namespace": ("namespace", lambda setup: [*namespaces_of(setup)]),
}
"""What a setup has of each kind, and what sentences call one."""


def no_place(
    loc: Loc, section: str, to: Place, *, setup: Sequence[Thing], links: Collection[str] | None
) -> Iterator[Problem]:
    """Yield why a program of a section cannot be attached to a place of the case's setup.

    `links` are those that are there already, None where that is not known yet.
    """
    goes, where = placed(section), keys_of(to)
    if goes is None:
        kind = next(kind for kind in KNOWN if kind in where)
        text = f'{dotted(loc)}: a program of SEC("{section}") is attached to no {KNOWN[kind][0]}'
        yield loc, f"{text}; sections that are: {_sections(kind)}"
        return
    at = (*loc, goes.kind) if where else loc
    if isinstance(to, str):
        where = {goes.kind: to}
    if goes.kind not in where:
        yield loc, f"{dotted(loc)}: {_must(section, goes.kind)}"
        return
    for key in where.keys() - {goes.kind} - set(goes.keys):
        allowed = ", ".join(goes.keys) or "none"
        text = f'says nothing of a program of SEC("{section}") (keys that do: {allowed})'
        yield (*loc, key), f"{dotted((*loc, key))}: {text}"
    called, known = KNOWN[goes.kind]
    there = known(setup)
    if where[goes.kind] not in there:
        yield unknown(at, called, where[goes.kind], there)
    for key in ("before", "after"):
        if links is not None and key in where and key in goes.keys and where[key] not in links:
            place, name = (*loc, key), where[key]
            yield place, f"{dotted(place)}: there is no link {quoted(name)} here{did_you_mean(name, links)}"


def _must(section: str, kind: str) -> str:
    return f'a program of SEC("{section}") is attached to a {KNOWN[kind][0]}: give {{{kind}: NAME}}, a name of `setup`'


def _sections(kind: str) -> str:
    return ", ".join(name for name, goes in PLACED.items() if goes.kind == kind)


def linkless(section: str, to: Place | None) -> str:
    """Say how a program is attached where the kernel has no link for that, "" where it has."""
    if section.startswith(SOCKETS):
        return "to a socket"
    goes, where = placed(section), keys_of(to) if to is not None else {}
    if "flags" in where:
        return "with flags, by BPF_PROG_ATTACH"
    if goes is None or goes.linked:
        return ""
    return "" if section.startswith("tc/") and "priority" not in where else "as a filter"


def unknown_pin(loc: Loc, path: str, pins: Mapping[str, Loc]) -> Problem:
    """Return that nothing is pinned at a path here."""
    there = ", ".join(pins) or "none"
    return loc, f"{dotted(loc)}: nothing is pinned at {path} here{did_you_mean(path, pins)} (there are: {there})"
