"""From check.yaml to the options of an object's case, and the names in them looked up in the object. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase

from harness.config.check import CheckFile
from harness.config.reading.explain import did_you_mean
from harness.config.reading.yaml_source import Loc, dotted, quoted
from harness.model.listing import PROG_ARRAY, Listing
from harness.model.results import Expectation
from harness.scenario.expected import expectation_of
from harness.scenario.from_object import TOGETHER, ObjectOptions, Slot, variable_of
from harness.scenario.sections import section_of


def options_of(written: CheckFile) -> ObjectOptions:
    """Return what a check.yaml says, as the options of a case."""
    rules: dict[str, tuple[Expectation, ...]] = {}
    for rule in written.expect:
        for part in rule.program or ("",):
            rules[part] = (*rules.get(part, ()), expectation_of(rule))
    return ObjectOptions(
        programs=written.programs or (),
        run=written.run,
        require_run=written.require_run,
        autoload=written.autoload,
        attach_to=written.attach_to,
        slots=[Slot(map=each.map, index=each.index, program=each.program) for each in written.tail_calls],
        rodata=written.rodata,
        sizes=written.map_sizes,
        pins=written.pins,
        sysctls=written.sysctls,
        kconfig=written.kconfig,
        modules=written.modules,
        cmdline=written.cmdline,
        deadline=written.deadline,
        expect=rules,
        budget=written.budget.value(),
    )


def wrong_names(written: CheckFile, listing: Listing) -> Iterator[tuple[Loc, str]]:
    """Yield what a check.yaml names and the object does not have: the place, and a sentence that begins with it."""
    yield from _wrong_programs(written, listing.programs)
    for path in written.rodata:
        name = variable_of(path)
        if name not in listing.variables:
            yield _absent(("rodata", path), "global variable", name, listing.variables)
    yield from _wrong_maps(written, listing.maps)


def _wrong_programs(written: CheckFile, programs: Mapping[str, str]) -> Iterator[tuple[Loc, str]]:
    for index, pattern in enumerate(written.programs or ()):
        if not any(fnmatchcase(name, pattern) for name in programs):
            yield _absent(("programs", index), "program", pattern, programs)
    named: list[tuple[Loc, str]] = [
        *((("autoload", name), name) for name in written.autoload),
        *((("attach-to", name), name) for name in written.attach_to),
        *((("tail-calls", index, "program"), slot.program) for index, slot in enumerate(written.tail_calls)),
        *(
            (("expect", index, "program"), name)
            for index, rule in enumerate(written.expect)
            for name in rule.program or ()
            if name != TOGETHER
        ),
    ]
    yield from (_absent(loc, "program", name, programs) for loc, name in named if name not in programs)
    for name in written.attach_to:
        if name in programs and not section_of(programs[name]).needs:
            loc: Loc = ("attach-to", name)
            yield (
                loc,
                f"{dotted(loc)}: a program of the section {quoted(programs[name])} is attached to nothing by name",
            )


def _wrong_maps(written: CheckFile, maps: Mapping[str, int | None]) -> Iterator[tuple[Loc, str]]:
    named: list[tuple[Loc, str]] = [
        *((("map-sizes", name), name) for name in written.map_sizes),
        *((("pins", name), name) for name in written.pins),
        *((("tail-calls", index, "map"), slot.map) for index, slot in enumerate(written.tail_calls)),
    ]
    yield from (_absent(loc, "map", name, _own(maps)) for loc, name in named if name not in maps)
    for index, slot in enumerate(written.tail_calls):
        if maps.get(slot.map) not in (None, PROG_ARRAY):
            loc = ("tail-calls", index, "map")
            yield loc, f"{dotted(loc)}: {slot.map} is no program array (BPF_MAP_TYPE_PROG_ARRAY)"


def _own(maps: Mapping[str, object]) -> list[str]:
    return [name for name in maps if "." not in name]


def _absent(loc: Loc, what: str, name: str, there: Iterable[str]) -> tuple[Loc, str]:
    known = list(there)
    has = ", ".join(known) or "none"
    return loc, f"{dotted(loc)}: the object has no {what} {quoted(name)}{did_you_mean(name, known)} (it has: {has})"
