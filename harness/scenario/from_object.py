"""From what an object has to a case that tries each of its programs by itself, and all of them together. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from harness.model.budgets import Most
from harness.model.listing import RECORD_MAPS, Listing
from harness.model.results import Expectation, OutcomeKind, Stage
from harness.scenario.attaching import attachers_of, place_of
from harness.scenario.case import OPEN, AgentStep, Case, Part
from harness.scenario.sections import OPTIONAL, By, known_section, section_of, target_of

OBJECT, TARGET = "object", "target"
"""What the steps call the object, and the same one where its programs are targets of others in it."""
TOGETHER = "all-together"
"""The part that has all programs."""
NO_TARGETS: Mapping[str, tuple[str, str]] = {}
TAIL_CALLED = "it is reached by tail calls, and the kernel counts the runs of the program that makes them"


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A program that a loader puts into a program array."""

    map: str
    index: int
    program: str


@dataclass(frozen=True, kw_only=True)
class ObjectOptions:
    """What the user says beside an object.

    `programs` are patterns of the programs to try, without any all that are on. `autoload` turns programs on and off,
    `attach_to` names the targets that a loader chooses. `rodata` maps variables to values, `sizes` maps to entries,
    `pins` maps to paths. `expect` has the rules of single parts by name, "" for those of all.
    """

    programs: Sequence[str] = ()
    run: bool = True
    require_run: bool = False
    autoload: Mapping[str, bool] = field(default_factory=dict)
    attach_to: Mapping[str, str] = field(default_factory=dict)
    slots: Sequence[Slot] = ()
    rodata: Mapping[str, Any] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    pins: Mapping[str, str] = field(default_factory=dict)
    sysctls: Mapping[str, int | str] = field(default_factory=dict)
    kconfig: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    cmdline: str = ""
    deadline: float | None = None
    expect: Mapping[str, tuple[Expectation, ...]] = field(default_factory=dict)
    budget: Mapping[str, Most] = field(default_factory=dict)


def case_of_object(
    name: str, *, file: str, listing: Listing, options: ObjectOptions = ObjectOptions(), title: str = ""
) -> Case:
    """Return the case of an object: a part for each program that is on, and one for all, where there are several.

    `file` is the object's name in a guest.
    """
    written = listing.programs
    listing = replace(listing, programs={each: known_section(section) for each, section in written.items()})
    source = _Source(file=file, listing=listing, options=options, written=written)
    on = programs_on(listing, options)
    rules = options.expect
    parts = [
        Part(
            name=program,
            steps=(steps := tuple(_steps(source, [program], name=program))),
            expect=rules.get(program, ()),
            uncounted=source.uncounted(program),
            about=written[program],
            attachers=_attachers(listing, steps),
            shares=source.shares(program),
        )
        for program in on
    ]
    if len(on) > 1:
        of_all = (*rules.get(TOGETHER, ()), *_what_fails(rules.get(program, ()) for program in on))
        steps = tuple(_steps(source, on, name=TOGETHER))
        parts.append(Part(name=TOGETHER, steps=steps, expect=of_all, attachers=_attachers(listing, steps)))
    return Case(
        id=name,
        title=f"{title or file}: {len(on)} program{'' if len(on) == 1 else 's'}",
        cmdline=options.cmdline,
        deadline=options.deadline,
        sysctls=dict(options.sysctls),
        kconfig=dict(options.kconfig),
        modules=options.modules,
        objects={OBJECT: file},
        expect=rules.get("", ()),
        parts=tuple(parts),
        require_run=options.require_run,
        budget=options.budget,
    )


def _attachers(listing: Listing, steps: Sequence[AgentStep]) -> tuple[str, ...]:
    """Return the modules by which the agent attaches what some steps attach: traced programs as well as tracers."""
    return attachers_of(listing.programs[step.args["program"]] for step in steps if step.op == "attach")


def programs_on(listing: Listing, options: ObjectOptions) -> list[str]:
    """Return the programs that are tried, in the order of the object.

    Without a choice, those that the object's author means to be loaded: not those whose section begins with ?, nor
    those of a struct_ops map that is optional.
    """
    if options.programs:
        return [name for name in listing.programs if any(fnmatchcase(name, glob) for glob in options.programs)]
    return [
        name
        for name, section in listing.programs.items()
        if options.autoload.get(name, _is_on(listing, section, program=name))
    ]


def _is_on(listing: Listing, section: str, *, program: str) -> bool:
    owners = [variable for variable, programs in listing.struct_ops.items() if program in programs]
    if owners:  # what these say counts (libbpf.c, bpf_object_adjust_struct_ops_autoload())
        return any(variable not in listing.optional for variable in owners)
    return not section.startswith(OPTIONAL)


def own_target(listing: Listing, program: str, *, chosen: str = "") -> tuple[str, str] | None:
    """Return the program of the same object that a program traces or replaces a function of, and the function.

    `chosen` is the function that the user names, if not the section. It is one of the kernel, unless the object has one
    of that name. A program that has the name of the function that it is attached to itself
    (`SEC("kprobe/tcp_connect") int tcp_connect()`) is not meant.
    """
    section = listing.programs[program]
    function = chosen or target_of(section)
    if not function or not section_of(section).traces_programs:
        return None
    holders = [
        name
        for name, functions in listing.functions.items()
        if function in functions and name != program and target_of(listing.programs[name]) != function
    ]
    if not holders:
        return None
    return (function if function in holders else holders[0]), function


def _what_fails(rules: Iterable[Sequence[Expectation]]) -> list[Expectation]:
    """Return the rules of programs that hold for all of them together: where one is refused, so are all."""
    return [rule for each in rules for rule in each if rule.outcome != OutcomeKind.WORKS]


@dataclass(frozen=True, kw_only=True)
class _Source:
    """What the steps are made of."""

    file: str
    listing: Listing
    options: ObjectOptions
    written: Mapping[str, str]
    """The sections as the object has them; the listing's are those that libbpf knows."""

    def sections(self, programs: Sequence[str]) -> Mapping[str, str]:
        """Return the sections of those programs whose own libbpf does not know."""
        known = self.listing.programs
        return {name: known[name] for name in programs if name in known and known[name] != self.written[name]}

    @cached_property
    def slots(self) -> Mapping[str, Sequence[str]]:
        """The programs in program arrays: those that the object names, and those that the user does."""
        found = {name: list(programs) for name, programs in self.listing.slots.items()}
        for slot in self.options.slots:
            found.setdefault(slot.map, []).append(slot.program)
        return found

    def target(self, program: str) -> tuple[str, str] | None:
        """Return what `own_target` does, with the user's choice."""
        return own_target(self.listing, program, chosen=self.options.attach_to.get(program, ""))

    def in_a_slot(self, program: str) -> bool:
        """Say whether a program is reached by tail calls."""
        return any(program in programs for programs in self.slots.values())

    def uncounted(self, program: str) -> str:
        """Say why nobody counts the runs of a program, "" where kernels do or where nothing is run."""
        if not self.options.run:
            return ""
        return TAIL_CALLED if self.in_a_slot(program) else section_of(self.listing.programs[program]).uncounted

    def shares(self, program: str) -> bool:
        """Say whether the object may be loaded once for this program and others, each attached by itself.

        What is attached by a map, or to one, would still be there once a process has ended that did not detach it;
        pins and sysctls, and modules that programs keep, are a case's own. Before 5.13 a program of a trampoline can
        be attached once alone (f3a95075549e): so all of them together have a load of their own.
        """
        options, section = self.options, section_of(self.listing.programs[program])
        own = options.pins or options.sysctls or options.modules or options.cmdline
        by_maps = section.by is By.MAP or section.maps or any(self.owner(name) for name in self.needed([program])[0])
        return not own and not by_maps and not self.target(program)

    def owner(self, program: str) -> list[str]:
        """Return the struct_ops map by which a program is attached, if any; one that is not optional comes first."""
        owners = [name for name, programs in self.listing.struct_ops.items() if program in programs]
        return sorted(owners, key=lambda name: name in self.listing.optional)[:1]

    def needed(self, programs: Sequence[str]) -> tuple[list[str], list[str]]:
        """Return what must be loaded for some programs: they and the programs that these need, and their maps."""
        found, maps = list(programs), list[str]()
        for program in found:
            own = [*self.listing.uses.get(program, ()), *self.owner(program), *self._attached_by(program)]
            maps += [name for name in dict.fromkeys(own) if name not in maps]
            for name in own:
                beside = [*self.slots.get(name, ()), *self.listing.struct_ops.get(name, ())]
                found += [each for each in dict.fromkeys(beside) if each not in found]
        return found, maps

    def _attached_by(self, program: str) -> list[str]:
        """Return the maps by one of which a program is attached; none of global data, and none that is optional."""
        kinds = section_of(self.listing.programs[program]).maps
        found = [name for name, kind in self.listing.maps.items() if kind in kinds and "." not in name]
        return [name for name in found if name not in self.listing.optional]

    def all_maps(self) -> list[str]:
        """Return the maps that libbpf makes by itself; one of global data by its section, as `needed` does."""
        names = [name for name in self.listing.maps if name not in self.listing.optional]
        return [name for name in names if name.startswith(".") or "." not in name]


def _steps(source: _Source, programs: Sequence[str], *, name: str) -> Iterator[AgentStep]:
    """Yield the steps of the part `name`, which tries some programs.

    What they need is loaded, they are attached, and the workload runs. Where some of them trace or replace others of
    the object, it is opened twice: the others must be loaded before them, and run.
    """
    targets = {each: found for each in programs if (found := source.target(each)) is not None}
    tracers = [each for each in programs if each in targets]
    plain = [each for each in programs if each not in targets]
    together = name == TOGETHER
    if tracers:
        traced = list(dict.fromkeys([*plain, *(target for target, _ in targets.values())]))
        yield from _load(source, TARGET, traced, stage=Stage.LOAD_TARGET, whole=together)
        yield from _load(source, OBJECT, tracers, stage=Stage.LOAD_TRACER, targets=targets)
        links = [
            *_attach(source, OBJECT, tracers, stage=Stage.ATTACH_TRACER),
            *_attach(source, TARGET, traced, stage=Stage.ATTACH_TARGET),
        ]
    else:
        yield from _load(source, OBJECT, plain, stage=Stage.LOAD_TARGET, whole=together)
        links = list(_attach(source, OBJECT, plain, stage=Stage.ATTACH_TARGET))
    holders = {each: TARGET if tracers and each in plain else OBJECT for each in programs}
    if not together:
        yield from (_measure(holders[each], each) for each in programs)
    yield from links
    counted = [f"{holders[each]}.{each}" for each in programs if not source.uncounted(each)]
    if source.options.run and counted:
        args = {"programs": counted, "enough": True}
        yield AgentStep(stage=Stage.TRIGGER, op="workload", what=name, args=args)
    for step in links:
        yield AgentStep(stage=Stage.DETACH, op="detach", what=step.what, args={"link": step.args["link"]})


def _load(
    source: _Source,
    holder: str,
    programs: Sequence[str],
    *,
    stage: Stage,
    targets: Mapping[str, tuple[str, str]] = NO_TARGETS,
    whole: bool = False,
) -> Iterator[AgentStep]:
    """Yield the steps that load some programs of an object; with `whole` all its maps are made, needed or not."""
    options = source.options
    only, maps = source.needed(programs)
    if whole:
        maps = list(dict.fromkeys([*source.all_maps(), *maps]))
    records = [name for name in maps if source.listing.maps.get(name) in RECORD_MAPS]
    yield AgentStep(
        stage=Stage.OPEN,
        op=OPEN,
        what=holder,
        args={
            "object": holder,
            "path": source.file,
            "only": only,
            "maps": maps,
            **({"record-maps": records} if records else {}),
            **_chosen("sections", source.sections(only)),
            **_chosen("rodata", _variables(source, maps)),
            **_chosen("sizes", _of(options.sizes, maps)),
            **_chosen("pins", _of(options.pins, maps)),
        },
    )
    for program in programs:
        args: dict[str, Any] = {"object": holder, "program": program}
        if program in targets:
            target, function = targets[program]
            args |= {"target_object": TARGET, "target": target, "function": function}
        elif program in options.attach_to and section_of(source.listing.programs[program]).before_load:
            args |= {"function": options.attach_to[program]}
        else:
            continue
        yield AgentStep(stage=stage, op="set-attach-target", what=program, args=args)
    yield AgentStep(stage=stage, op="load", what=holder, args={"object": holder, "stats": True})
    for slot in options.slots:
        if slot.map in maps:
            args = {"object": holder, "map": slot.map, "index": slot.index, "program_object": holder}
            yield AgentStep(
                stage=stage, op="tail-call", what=f"{slot.map}[{slot.index}]", args={**args, "program": slot.program}
            )


def _attach(source: _Source, holder: str, programs: Sequence[str], *, stage: Stage) -> Iterator[AgentStep]:
    """Yield the steps that attach some programs, those of a struct_ops map at once.

    Where a network namespace has a place for one of them, each of the others goes to a namespace of its own.
    """
    attached: set[str] = set()
    taken: Counter[str] = Counter()
    for program in programs:
        section = section_of(source.listing.programs[program])
        if source.in_a_slot(program) or section.by is By.NOTHING:
            continue
        if section.by is By.MAP:
            for name in source.owner(program):
                if name not in attached:
                    attached.add(name)
                    of_map = {"object": holder, "map": name, "link": name}
                    yield AgentStep(stage=stage, op="attach-map", what=name, args=of_map)
            continue
        args: dict[str, Any] = {"object": holder, "program": program, "link": program}
        if program in source.options.attach_to and not section.before_load:
            args["to"] = source.options.attach_to[program]
        elif place := place_of(source.listing.programs[program]):
            if taken[place]:
                args["apart"] = taken[place]
            taken[place] += 1
        yield AgentStep(stage=stage, op="attach", what=program, args=args)


def _measure(holder: str, program: str) -> AgentStep:
    args = {"object": holder, "program": program}
    return AgentStep(stage=Stage.OBSERVE, op="measure", what=program, args=args)


def _variables(source: _Source, maps: Collection[str]) -> dict[str, Any]:
    """Return the values of those variables whose sections are among some maps."""
    return {
        path: value
        for path, value in source.options.rodata.items()
        if source.listing.variables.get(variable_of(path)) in maps
    }


def variable_of(path: str) -> str:
    """Return the variable that a path begins with: `limits` of `limits.ports[2]`."""
    return path.partition(".")[0].partition("[")[0]


def _of(values: Mapping[str, Any], maps: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in maps}


def _chosen(key: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: dict(values)} if values else {}
