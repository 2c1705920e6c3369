"""The files that a case which is no command has in its guest, in a folder of its own. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.config.case import WrittenCase
from harness.config.reading.yaml_source import Loc
from harness.config.steps import AttachStep, LoadStep, TriggerStep
from harness.config.triggers import Trigger
from harness.scenario.case import GUEST_FOLDER, Own

OWN_PREFIX = "./"
"""How a place in a binary begins that is one of the case's own files: `./my-test:main`."""


def folder_of(case: str) -> str:
    """Return the folder of the guest that is a case's own, by the case's id."""
    return str(GUEST_FOLDER / case)


def own_of(written: WrittenCase) -> Own:
    """Return where a case's own files lie in the guest: nowhere where it has none, and starts no program."""
    if written.command is not None:
        return Own()
    needs = written.brought or written.scenario is not None
    needs = needs or any(True for _ in programs_of_triggers(written)) or any(True for _ in own_places(written))
    return Own(folder=folder_of(written.id)) if needs else Own()


def programs_of_triggers(written: WrittenCase) -> Iterator[tuple[Loc, str]]:
    """Yield the programs that a case's triggers start, and where it names each."""
    triggers: list[tuple[Loc, Trigger]] = [(("trigger",), written.trigger)] if written.trigger is not None else []
    triggers += [
        (("steps", index, "trigger"), step.trigger)
        for index, step in enumerate(written.steps)
        if isinstance(step, TriggerStep)
    ]
    for loc, trigger in triggers:
        program = trigger.program_started()
        if program is not None:
            yield (*loc, "command"), program


def own_places(written: WrittenCase) -> Iterator[tuple[Loc, str]]:
    """Yield the places in files of its own (`./my-test:main`) that a case attaches to, and where it names each."""
    return ((loc, to) for loc, to in _places(written) if to.startswith(OWN_PREFIX))


def _places(written: WrittenCase) -> Iterator[tuple[Loc, str]]:
    """Yield all places that a case attaches to and that are a text, with where it names each."""
    chosen: list[tuple[Loc, Mapping[str, object]]] = [
        ((name, "attach-to"), said.attach_to)
        for name, said in (("target", written.target), ("tracer", written.tracer))
        if said is not None
    ]
    places: list[tuple[Loc, object]] = []
    for index, step in enumerate(written.steps):
        if isinstance(step, LoadStep):
            chosen.append((("steps", index, "attach-to"), step.attach_to))
        elif isinstance(step, AttachStep):
            places.append((("steps", index, "to"), step.to))
    places += [((*loc, program), to) for loc, said in chosen for program, to in said.items()]
    yield from ((loc, to) for loc, to in places if isinstance(to, str))


def in_own_folder(place: str, case: str) -> str:
    """Return a place in a file of a case's own folder (`./my-test:main`) with that folder; any other as it is."""
    return f"{folder_of(case)}/{place.removeprefix(OWN_PREFIX)}" if place.startswith(OWN_PREFIX) else place
