"""Names looked up in the objects of a case, one kind of name a function. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.config.case import WrittenCase
from harness.config.reading.explain import did_you_mean
from harness.config.reading.yaml_source import Loc, dotted, quoted
from harness.model.listing import RINGBUF, STRUCT_OPS, Listing
from harness.scenario.inspected import root

Problem = tuple[Loc, str]
"""Where in a case a mistake is, and what it is."""

# enum bpf_map_type of include/uapi/linux/bpf.h, in order from 1; for messages only.
_MAP_TYPES = (
    *("HASH", "ARRAY", "PROG_ARRAY", "PERF_EVENT_ARRAY", "PERCPU_HASH", "PERCPU_ARRAY", "STACK_TRACE", "CGROUP_ARRAY"),
    *("LRU_HASH", "LRU_PERCPU_HASH", "LPM_TRIE", "ARRAY_OF_MAPS", "HASH_OF_MAPS", "DEVMAP", "SOCKMAP", "CPUMAP"),
    *("XSKMAP", "SOCKHASH", "CGROUP_STORAGE", "REUSEPORT_SOCKARRAY", "PERCPU_CGROUP_STORAGE", "QUEUE", "STACK"),
    *("SK_STORAGE", "DEVMAP_HASH", "STRUCT_OPS", "RINGBUF", "INODE_STORAGE", "TASK_STORAGE", "BLOOM_FILTER"),
    *("USER_RINGBUF", "CGRP_STORAGE", "ARENA", "INSN_ARRAY"),
)


@dataclass
class Made:
    """What the steps so far have made."""

    opened: set[str] = field(default_factory=set)
    loaded: set[str] = field(default_factory=set)
    """Those of the opened objects that no step says are refused."""
    links: dict[str, str] = field(default_factory=dict)
    """The links that are there, by name, with the section of the program that each is of."""
    variables: dict[str, tuple[str, str]] = field(default_factory=dict)
    """The struct_ops variables that are attached, by link: object and variable."""
    linkless: dict[str, str] = field(default_factory=dict)
    """How those of them are attached that the kernel has no link for."""
    pins: dict[str, Loc] = field(default_factory=dict)
    """The paths at which something is pinned, with the step that did it."""
    sockets: bool = False
    connection: bool = False
    """Whether the last trigger since the last look made a connection."""


class Lookups:
    """The objects of a case, and which of the names that it declares as missing were met."""

    def __init__(self, case: WrittenCase, listings: Mapping[str, Listing]) -> None:
        self._case, self._listings = case, listings
        self.state = Made()
        self._missing = set(case.missing)
        self._met: set[str] = set()

    def undeclared(self) -> Iterator[Problem]:
        """Yield what `missing` declares, though it is there, or no step names it."""
        for index, name in enumerate(self._case.missing):
            if name not in self._met:
                loc = ("missing", index)
                yield loc, f"{dotted(loc)}: {quoted(name)} is declared as missing, but no step misses it; remove it"

    def no_object(self, loc: Loc, name: str) -> Iterator[Problem]:
        """Yield that the case has no object of a name."""
        if name not in self._listings:
            yield loc, f"{dotted(loc)}: the case has no object {quoted(name)}{did_you_mean(name, self._listings)}"

    def no_reference(self, loc: Loc, reference: str) -> Iterator[Problem]:
        """Yield why object.program, or object.program:function, is not there."""
        place, _, function = reference.partition(":")
        owner, program = place.split(".")
        yield from self.no_function(loc, owner, program, function or None)

    def _known(self, loc: Loc, owner: str) -> Iterator[Problem]:
        """Yield what keeps names of an object from being looked up."""
        if owner not in self._listings:
            yield from self.no_object(loc, owner)
        elif owner not in self.state.opened:
            yield loc, f"{dotted(loc)}: the object {quoted(owner)} is not loaded at this point"

    def no_program(self, loc: Loc, owner: str, name: str) -> Iterator[Problem]:
        """Yield why an object has no program of a name."""
        programs = self.listing(owner).programs
        unknown = list(self._known(loc, owner))
        yield from unknown
        if unknown or name in programs:
            return
        maps = self.listing(owner).maps
        if name not in maps:
            yield from self._absent(loc, f"{owner}.{name}", f"has no program {quoted(name)}", programs)
            return
        kind = maps[name]
        which = "a map" if kind is None else f"a {_type_name(kind)}"
        later = "; only `attach` takes one, for all its programs" if kind == STRUCT_OPS else ""
        what = f"has no program {quoted(name)}: that is {which}{later}"
        yield from self._absent(loc, f"{owner}.{name}", what, programs, alike=False)

    def no_function(self, loc: Loc, owner: str, program: str, function: str | None) -> Iterator[Problem]:
        """Yield why a program has no function of a name; without a function, why there is no program."""
        found = list(self.no_program(loc, owner, program))
        yield from found
        known = self.listing(owner).functions.get(program)
        if not found and function is not None and known is not None and function not in known:
            what = f"has no function {quoted(function)} in {program}"
            yield from self._absent(loc, f"{owner}.{program}:{function}", what, known)

    def no_map(self, loc: Loc, owner: str, name: str, *, kind: int | Sequence[int] | None = None) -> Iterator[Problem]:
        """Yield why an object has no map of a name, or none of a kind (enum bpf_map_type)."""
        kinds = (kind,) if isinstance(kind, int) else kind
        unknown = list(self._known(loc, owner)) if self._case.steps else []
        maps = self.listing(owner).maps
        yield from unknown
        if unknown:
            return
        if name not in maps:
            yield from self._absent(loc, f"{owner}.{name}", f"has no map {quoted(name)}", maps)
        elif kinds and maps[name] not in (None, *kinds):
            needed, found = " or a ".join(map(_type_name, kinds)), maps[name] or 0
            what = f"is a {_type_name(found)}, and a {needed} is needed here"
            hint = f"; look at its records by observe.records: {{{name}: ...}}" if found == RINGBUF else ""
            yield loc, f"{dotted(loc)}: the map {quoted(name)} of {self._case.files[owner]} {what}{hint}"

    def _absent(
        self, loc: Loc, reference: str, what: str, known: Mapping[str, object] | Sequence[str], *, alike: bool = True
    ) -> Iterator[Problem]:
        """Yield that a name is in no object, unless the case declares that; `alike`: with names that are like it."""
        if reference in self._missing:
            self._met.add(reference)
            return
        owner, *_, name = re.split("[.:]", reference)
        there = ", ".join(known) or "none"
        hint = did_you_mean(name, known) if alike else ""
        yield loc, f"{dotted(loc)}: {self._case.files[owner]} {what}{hint} (there are: {there})"

    def no_link(self, loc: Loc, name: str) -> Problem:
        """Return that there is no link of a name."""
        links = self.state.links
        there = ", ".join(links) or "none"
        return (
            loc,
            f"{dotted(loc)}: there is no link {quoted(name)} here{did_you_mean(name, links)} (there are: {there})",
        )

    def listing(self, owner: str) -> Listing:
        """Return what an object has: nothing for one that the case does not have."""
        return self._listings.get(owner, Listing())

    def no_variable(self, loc: Loc, owner: str, path: str) -> Iterator[Problem]:
        """Yield why an object has no variable of a path's name."""
        unknown = list(self._known(loc, owner))
        yield from unknown
        variables = self.listing(owner).variables
        if not unknown and root(path) not in variables:
            yield from self._absent(loc, f"{owner}.{root(path)}", f"has no variable {quoted(root(path))}", variables)


def _type_name(number: int) -> str:
    return f"BPF_MAP_TYPE_{_MAP_TYPES[number - 1]}" if 0 < number <= len(_MAP_TYPES) else f"map of type {number}"
