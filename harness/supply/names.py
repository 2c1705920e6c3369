"""The names in a case, looked up in its objects before any guest starts. Pure.

A program, function or map that no object has is a mistake in the case, which a kernel (or libbpf) would answer with an
errno as it answers much else. So is a step that needs what no step before it has made: an object that is not loaded, a
link that is not there, events without a connection. What is missing on purpose the case declares (`missing`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.config.case import CASE_FILE, TracerAttach, WrittenCase
from harness.config.reading.explain import problems_text
from harness.config.reading.yaml_source import Loc, dotted, load, quoted
from harness.config.setup import namespaces_of, unknown
from harness.config.steps import (
    AttachStep,
    DetachStep,
    InfoStep,
    LoadRawStep,
    LoadStep,
    Observation,
    ObserveStep,
    Opened,
    PinStep,
    Step,
    TailCallStep,
    UnpinStep,
    UpdateLinkStep,
)
from harness.config.triggers import CallTrigger, ReadLinkTrigger, RunTrigger, TcpConnectTrigger, Trigger
from harness.errors import ConfigError
from harness.model.listing import PERF_EVENT_ARRAY, PROG_ARRAY, RINGBUF, Listing
from harness.scenario.carriers import OWN, TARGET, TRACER, Carriers, numbered, variable_of
from harness.scenario.case import Case
from harness.scenario.from_yaml import compile_case
from harness.scenario.inspected import MAPS, PROGRAMS, VARIABLES, Names
from harness.scenario.places import Place, keys_of, placed
from harness.scenario.sections import section_of, target_of
from harness.supply.lookups import Lookups, Problem
from harness.supply.places import SOCKETS, linkless, no_place, unknown_pin

SEVERAL = ("kprobe.multi", "kretprobe.multi", "kprobe.session")
"""Sections whose programs can be attached to several functions at once."""
TRACE = ("trace", "trace_cursor")
"""The maps of bpf/include/trace.h."""
ELEMENTS = "elements"
"""The map that an iterator over a map's elements is attached to (agent/attachers.py, attach_map_iterator())."""


def resolve(case: WrittenCase, listings: Mapping[str, Listing]) -> Case:
    """Return the value of a case, with what its objects say: which of them holds the events, and which the trace.

    `listings` maps the file name of each object to what it has. Raises ConfigError, with one line per mistake, where a
    name is in no object or a step needs what is not there.
    """
    if case.scenario is not None:  # the names in a scenario are looked up where it gives them
        sections = {name: listings[file].programs for name, file in case.files.items() if file in listings}
        return compile_case(case, Carriers(sections=sections))
    look = _Look(case, {name: listings[file] for name, file in case.files.items()})
    problems = [*look.problems(), *look.undeclared()]
    if problems:
        path = case.folder / CASE_FILE
        raise ConfigError(problems_text(dict.fromkeys(problems), path=path, positions=load(path)[1]))
    return compile_case(case, look.carriers)


class _Look:
    """One look through a case, step by step."""

    def __init__(self, case: WrittenCase, listings: Mapping[str, Listing]) -> None:
        self._case, self._listings = case, listings
        self._find = Lookups(case, listings)
        self._made = self._find.state
        self._shared: set[tuple[str, str]] = set()
        names = {name: {MAPS: of.maps, VARIABLES: of.variables, PROGRAMS: of.programs} for name, of in listings.items()}
        self._names = Names(objects=sorted(listings, key=lambda name: name != TARGET), of=names)
        self.carriers = Carriers(
            events_in=self._holder((case.events,)) if case.events else TARGET,
            trace_in=self._holder(TRACE),
            trace_maps={name: TRACE for name, of in listings.items() if all(each in of.maps for each in TRACE)},
            names=names,
            sections={name: of.programs for name, of in listings.items()},
            maps_of_programs={name: of.struct_ops for name, of in listings.items()},
        )

    def _holder(self, maps: Sequence[str]) -> str:
        """Return the object that has some maps: the one named target, else the first that has."""
        holders = [name for name, listing in self._listings.items() if all(each in listing.maps for each in maps)]
        return TARGET if TARGET in holders or not holders else holders[0]

    def problems(self) -> Iterator[Problem]:
        """Yield the mistakes of the case."""
        if self._case.steps:
            for index, step in enumerate(self._case.steps):
                yield from self._step(("steps", index), step)
        else:
            yield from self._simple()
        if self._case.events is not None:
            yield from self._find.no_map(("events",), self.carriers.events_in, self._case.events, kind=PERF_EVENT_ARRAY)

    def undeclared(self) -> Iterator[Problem]:
        """Yield what `missing` declares, though it is there, or no step names it."""
        return self._find.undeclared()

    # --- the two forms of a case ---

    def _simple(self) -> Iterator[Problem]:
        target, tracer, trigger = self._case.target, self._case.tracer, self._case.trigger
        assert target is not None and trigger is not None  # the model has seen to it
        self._made.opened |= self._listings.keys()
        self._shared |= {(TRACER, name) for name in self.carriers.shared_by(TRACER, loaded={TARGET})}
        yield from self._opened(("target",), TARGET, target)
        if tracer is not None:
            yield from self._opened(("tracer",), TRACER, tracer)
        for index, name in enumerate(tracer.shared_maps if tracer else ()):
            loc: Loc = ("tracer", "shared-maps", index)
            yield from self._find.no_map(loc, "tracer", name)
            yield from self._find.no_map(loc, TARGET, name)
            self._shared.add(("tracer", name))
        for index, one in enumerate(tracer.attach if tracer else ()):
            loc = ("tracer", "attach", index)
            yield from self._find.no_program((*loc, "program"), "tracer", one.program)
            where = "target" if one.function is None else "function"
            if one.target is None:
                yield from self._without_target(loc, one, tracer.attach_to if tracer else {})
            else:
                yield from self._find.no_function((*loc, where), TARGET, one.target, one.function)
        for index, slot in enumerate(target.tail_calls):
            loc = ("target", "tail-calls", index)
            yield from self._find.no_map((*loc, "map"), TARGET, slot.map, kind=PROG_ARRAY)
            yield from self._find.no_program((*loc, "program"), TARGET, slot.program)
        for index, one in enumerate(tracer.attach if tracer else ()):
            yield from self._attached(("tracer", "attach", index), TRACER, one.program, link=one.program)
        for index, name in enumerate(target.attach):
            yield from self._attachable(("target", "attach", index), TARGET, name)
            yield from self._attached(("target", "attach", index), TARGET, name, link=name)
        yield from self._trigger(("trigger",), trigger)
        if self._case.observe is not None:
            yield from self._observation(("observe",), self._case.observe)
        if self._case.again is not None:
            for index, slot in enumerate(self._case.again.tail_calls):
                loc = ("again", "tail-calls", index)
                yield from self._find.no_map((*loc, "map"), TARGET, slot.map, kind=PROG_ARRAY)
                yield from self._find.no_program((*loc, "program"), TARGET, slot.program)
            yield from self._observation(("again", "observe"), self._case.again.observe)
        if self._case.control is not None:
            yield from self._observation(("control",), self._case.control)

    def _step(self, loc: Loc, step: Step) -> Iterator[Problem]:
        steps: Mapping[str, Callable[[Loc, Any], Iterator[Problem]]] = {
            "load": self._load,
            "load-raw": self._load_raw,
            "attach": self._attach,
            "detach": self._detach,
            "update-link": self._update_link,
            "pin": self._pin,
            "unpin": self._unpin,
            "tail-call": self._tail_call,
            "trigger": lambda loc, step: self._trigger((*loc, "trigger"), step.trigger),
            "observe": self._observe,
            "info": self._info,
        }
        if step.do in steps:
            yield from steps[step.do](loc, step)

    def _load_raw(self, loc: Loc, step: LoadRawStep) -> Iterator[Problem]:
        yield from self._find.no_object((*loc, "object"), step.object)
        self._made.opened.add(step.object)
        yield from self._find.no_program((*loc, "program"), step.object, step.program)
        yield from self._find.no_reference((*loc, "target"), step.target)

    def _detach(self, loc: Loc, step: DetachStep) -> Iterator[Problem]:
        self._made.variables.pop(step.link, None)
        if self._made.links.pop(step.link, None) is None:
            yield self._find.no_link((*loc, "link"), step.link)

    def _update_link(self, loc: Loc, step: UpdateLinkStep) -> Iterator[Problem]:
        yield from self._kernels_link((*loc, "link"), step.link)
        owner, program = step.program.split(".")
        yield from self._attachable((*loc, "program"), owner, program)

    def _pin(self, loc: Loc, step: PinStep) -> Iterator[Problem]:
        if step.link is not None:
            yield from self._kernels_link((*loc, "link"), step.link)
        if step.program is not None:
            yield from self._find.no_reference((*loc, "program"), step.program)
        if step.map is not None:
            owner, name = step.map.split(".")
            yield from self._find.no_map((*loc, "map"), owner, name)
        if step.refused is None:
            self._made.pins[step.path] = loc

    def _unpin(self, loc: Loc, step: UnpinStep) -> Iterator[Problem]:
        if step.refused is None and self._made.pins.pop(step.path, None) is None:
            yield unknown_pin((*loc, "path"), step.path, self._made.pins)

    def _kernels_link(self, loc: Loc, name: str) -> Iterator[Problem]:
        """Yield why there is no link of a name, or none of the kernel's."""
        if name not in self._made.links:
            yield self._find.no_link(loc, name)
        elif (how := self._made.linkless.get(name)) is not None:
            yield loc, f"{dotted(loc)}: {name} is attached {how}; the kernel has no link for it"

    def _tail_call(self, loc: Loc, step: TailCallStep) -> Iterator[Problem]:
        owner, name = step.map.split(".")
        yield from self._find.no_map((*loc, "map"), owner, name, kind=PROG_ARRAY)
        if step.program is not None:
            yield from self._find.no_reference((*loc, "program"), step.program)

    def _observe(self, loc: Loc, step: ObserveStep) -> Iterator[Problem]:
        yield from self._observation((*loc, "expect"), step.expect)
        self._made.connection = False

    def _load(self, loc: Loc, step: LoadStep) -> Iterator[Problem]:
        yield from self._find.no_object((*loc, "object"), step.object)
        self._made.opened.add(step.object)
        for index, name in enumerate(step.only or ()):
            yield from self._find.no_program((*loc, "only", index), step.object, name)
        yield from self._opened(loc, step.object, step)
        for name in step.attach_types:
            yield from self._find.no_program((*loc, "attach-types", name), step.object, name)
        for name, source in step.share.items():
            yield from self._find.no_map((*loc, "share", name), step.object, name)
            if source != OWN:
                owner, _, other = source.partition(".")
                yield from self._find.no_map((*loc, "share", name), owner, other)
            self._shared.add((step.object, name))
        self._shared |= {(step.object, name) for name in self.carriers.shared_by(step.object, loaded=self._made.loaded)}
        if step.refused is None:
            self._made.loaded.add(step.object)
        for name, reference in step.tracing.items():
            for one in numbered(name, step.times):
                yield from self._find.no_program((*loc, "tracing", name), step.object, one)
            yield from self._find.no_reference((*loc, "tracing", name), reference)

    def _attach(self, loc: Loc, step: AttachStep) -> Iterator[Problem]:
        owner, program = step.program.split(".")
        for name in numbered(program, step.times, first=step.first):
            yield from self._attachable((*loc, "program"), owner, name)
            if step.to is not None:
                yield from self._chosen((*loc, "to"), owner, name, step.to, loaded=True)
            if step.refused is None:
                yield from self._attached((*loc, "program"), owner, name, link=step.link or name, to=step.to)
        if step.target is not None:
            yield from self._find.no_reference((*loc, "target"), step.target)

    def _info(self, loc: Loc, step: InfoStep) -> Iterator[Problem]:
        if step.link is not None:
            yield from self._kernels_link((*loc, "link"), step.link)
        if step.program is not None:
            yield from self._find.no_reference((*loc, "program"), step.program)
        for name, value in step.expect.items():
            if isinstance(value, str) and not value.startswith("="):  # which is meant as it is
                place = (*loc, "expect", name)
                program, _, _ = value.partition(":")  # behind a colon is a field of its info
                if program.count(".") == 1:
                    yield from self._find.no_reference(place, program)
                else:
                    yield place, f"{dotted(place)}: a text names a program, as object.program; {quoted(value)} does not"

    # --- what steps have in common ---

    def _attachable(self, loc: Loc, owner: str, name: str) -> Iterator[Problem]:
        """Yield what keeps a program, or a struct_ops variable, from being attached."""
        if name not in self._find.listing(owner).struct_ops or owner not in self._made.opened:
            yield from self._find.no_program(loc, owner, name)

    def _opened(self, loc: Loc, owner: str, said: Opened) -> Iterator[Problem]:
        """Yield what a loader would say of an object that the object does not have."""
        for path in said.rodata:
            yield from self._find.no_variable((*loc, "rodata", path), owner, path)
        for name in said.autoload:
            yield from self._find.no_program((*loc, "autoload", name), owner, name)
        for key, names in (("map-sizes", said.map_sizes), ("pins", said.pins)):
            for name in names:
                yield from self._find.no_map((*loc, key, name), owner, name)
        yield from self._attach_to(loc, owner, said.attach_to)

    def _without_target(self, loc: Loc, one: TracerAttach, chosen: Mapping[str, object]) -> Iterator[Problem]:
        """Yield why a tracer needs a target, where neither its section nor the case says where it goes."""
        section = self._find.listing(TRACER).programs.get(one.program, "")
        function = target_of(section)
        if one.function is not None:
            yield (*loc, "function"), f'{dotted((*loc, "function"))}: needs the key "target": the program that has it'
        elif not section_of(section).before_load or one.program in chosen:
            return
        elif not function or function in self._find.listing(TARGET).programs:
            place: Loc = (*loc, "program")
            hint = f": `target: {function}`" if function else ", a program of the target object"
            yield place, f'{dotted(place)}: {one.program} (SEC("{section}")) needs the key "target"{hint}'

    def _attach_to(self, loc: Loc, owner: str, chosen: Mapping[str, Place]) -> Iterator[Problem]:
        for name, to in chosen.items():
            place: Loc = (*loc, "attach-to", name)
            yield from self._find.no_program(place, owner, name)
            yield from self._chosen(place, owner, name, to)

    def _chosen(self, loc: Loc, owner: str, name: str, to: Place, *, loaded: bool = False) -> Iterator[Problem]:
        """Yield why a loader cannot attach a program there."""
        section = self._find.listing(owner).programs.get(name, "").removeprefix("?")
        kind = section.partition("/")[0]
        if name in self._find.listing(owner).struct_ops:
            yield loc, f"{dotted(loc)}: a struct_ops variable is attached as a whole, and to nothing that is chosen"
        if not section:
            return
        if placed(section) is not None or keys_of(to):
            links = self._made.links if loaded else None
            yield from no_place(loc, section, to, setup=self._case.setup, links=links)
        elif section_of(section).needs == "":
            yield loc, f'{dotted(loc)}: where a program of SEC("{section}") goes cannot be chosen'
        elif loaded and section_of(section).before_load:
            yield loc, f"{dotted(loc)}: the target of {name} is chosen before its load: give `attach-to` there"
        elif not isinstance(to, str) and kind not in SEVERAL:
            yield loc, f"{dotted(loc)}: only programs of {', '.join(SEVERAL)} can be attached to several functions"

    def _attached(self, loc: Loc, owner: str, program: str, *, link: str, to: Place | None = None) -> Iterator[Problem]:
        section = self._find.listing(owner).programs.get(program, "").removeprefix("?")
        self._made.links[link] = section
        variable = variable_of(self._find.listing(owner).struct_ops, program)
        if variable is not None:
            first = next((each for each, of in self._made.variables.items() if of == (owner, variable)), None)
            if first is not None:
                yield (
                    loc,
                    f"{dotted(loc)}: all programs of {variable} are attached at once, and {first} has attached them",
                )
            self._made.variables[link] = owner, variable
        self._made.linkless.pop(link, None)
        if how := linkless(section, to):
            self._made.linkless[link] = how
        self._made.sockets |= section.startswith(SOCKETS)
        if section.startswith("iter/bpf_map_elem"):
            yield from self._find.no_map(loc, owner, ELEMENTS)

    def _trigger(self, loc: Loc, trigger: Trigger) -> Iterator[Problem]:
        self._made.connection = isinstance(trigger, TcpConnectTrigger)
        known = namespaces_of(self._case.setup)
        for key, name in trigger.namespaces().items():
            if name not in known:
                yield unknown((*loc, key), "namespace", name, [*known])
        if isinstance(trigger, RunTrigger | ReadLinkTrigger):
            place = (*loc, "program")
            yield from self._find.no_reference(place, trigger.program)
            name = trigger.program.split(".")[-1]
            if isinstance(trigger, ReadLinkTrigger) and name not in self._made.links:
                yield place, f"{dotted(place)}: {name} is not attached here, so there is no iterator to read"
        elif isinstance(trigger, CallTrigger) and trigger.name == "socket-send" and not self._made.sockets:
            yield (*loc, "name"), f'{dotted((*loc, "name"))}: no program is attached to a socket here (SEC("socket"))'

    def _observation(self, loc: Loc, look: Observation) -> Iterator[Problem]:
        for side in look.sides():
            place = (*loc, side)
            if self._case.events is None:
                yield (
                    place,
                    f'{dotted(place)}: needs the key "events": the name of the map that the events come through',
                )
            elif not self._made.connection:
                yield (
                    place,
                    (
                        f"{dotted(place)}: only the trigger tcp-connect makes a connection that has a client "
                        'and a listener, and the last one here is another; look at the "trace" (bpf/include/trace.h), '
                        "or make one"
                    ),
                )
            elif self.carriers.events_in not in self._made.opened:
                yield (
                    place,
                    f"{dotted(place)}: the object {self.carriers.events_in}, which has the events, is not loaded here",
                )
        if look.trace is not None:
            yield from self._traced((*loc, "trace"))
        yield from self._inspected(loc, look)
        for index, pattern in enumerate(look.traced() or ()):
            if isinstance(pattern.value, str):
                yield from self._find.no_reference((*loc, "trace", index, "value"), pattern.value.partition(":")[0])

    def _inspected(self, loc: Loc, look: Observation) -> Iterator[Problem]:
        for name in look.records:
            place: Loc = (*loc, "records", name)
            owner, of_map = self._names.placed(MAPS, name)
            yield from self._find.no_map(place, owner, of_map, kind=(RINGBUF, PERF_EVENT_ARRAY))
            if of_map == self._case.events:
                yield place, f"{dotted(place)}: {name} is read as `events` already; remove one of the two"
        for name in look.maps:
            owner, of_map = self._names.placed(MAPS, name)
            yield from self._find.no_map((*loc, "maps", name), owner, of_map)
        for name in look.globals:
            owner, path = self._names.placed(VARIABLES, name)
            yield from self._find.no_variable((*loc, "globals", name), owner, path)
        for name in look.runs:
            owner, program = self._names.placed(PROGRAMS, name)
            yield from self._find.no_program((*loc, "runs", name), owner, program)

    def _traced(self, loc: Loc) -> Iterator[Problem]:
        before, trace_in = dotted(loc), self.carriers.trace_in
        if trace_in not in self._made.opened:
            yield loc, f"{before}: the object {trace_in}, which has the trace, is not loaded here"
            return
        if trace_in not in self.carriers.trace_maps:
            yield loc, f'{before}: no object of the case has a trace; include "trace.h" in one and write to it'
            return
        for name in sorted(self._made.opened - {trace_in}):
            own = [each for each in TRACE if each in self._find.listing(name).maps and (name, each) not in self._shared]
            if own:
                yield (
                    loc,
                    (
                        f"{before}: {self._case.files[name]} has {' and '.join(own)} of its own, and only those of "
                        f"{trace_in} are read: what it writes would not be seen. Share them with {trace_in}, which is "
                        f"so by itself where {name} is loaded after it"
                    ),
                )
