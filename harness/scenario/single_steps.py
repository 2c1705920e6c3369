"""The agent's steps, one function a kind: its name, and what the agent gets. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from harness.config.steps import (
    AttachStep,
    DetachStep,
    LoadRawStep,
    LoadStep,
    Observation,
    Opened,
    PinStep,
    TailCallStep,
    TriggerStep,
    UnpinStep,
    UpdateLinkStep,
)
from harness.config.triggers import Trigger
from harness.model.results import Stage
from harness.scenario.carriers import TARGET, Source, variable_of
from harness.scenario.case import OPEN, TRIGGER, AgentStep, Look
from harness.scenario.expected import look_of
from harness.scenario.inspected import inspecting, listened
from harness.scenario.own_files import in_own_folder
from harness.scenario.places import Place, chosen, keys_of

OBSERVE_SECONDS = 2.0
"""How long the agent waits for events that are still missing; those that are there are taken at once."""


def load_raw(step: LoadRawStep) -> AgentStep:
    """Return the step that asks the kernel for one tracer by BPF_PROG_LOAD itself."""
    holder, target = step.target.split(".")
    return AgentStep(
        stage=Stage.LOAD_TRACER,
        op="load-raw",
        what=step.program,
        args={
            "object": step.object,
            "program": step.program,
            "target_object": holder,
            "target": target,
            **({} if step.btf_id is None else {"btf_id": step.btf_id}),
        },
        **refusal(step),
    )


def opening(source: Source, name: str, *, said: Opened | None = None) -> AgentStep:
    """Return the step that opens an object, with what its loader would say of variables, maps and programs."""
    # An object that the case does not have is found by supply/names.py, which knows the line.
    args: dict[str, Any] = {"object": name, "path": source.files.get(name, "")}
    if said is not None:
        asked = {"rodata": said.rodata, "sizes": said.map_sizes, "autoload": said.autoload, "pins": said.pins}
        args |= {key: dict(value) for key, value in asked.items() if value}
    return AgentStep(stage=Stage.OPEN, op=OPEN, what=name, args=args)


def listening(source: Source, loaded: str) -> Iterator[AgentStep]:
    """Yield the steps that begin to read events and records, once the object that has them is loaded."""
    events = source.written.events
    if events is not None and source.carriers.events_in == loaded:
        args = {"object": loaded, "map": events}
        yield AgentStep(stage=Stage.OPEN, op="listen", what=events, args=args)
    yield from listened(source.looks(), source.names, loaded=loaded)


def sharing(name: str, map_name: str, *, from_object: str, from_map: str) -> AgentStep:
    """Return the step by which an object takes a map of another one."""
    args = {"object": name, "map": map_name, "from_object": from_object, "from_map": from_map}
    return AgentStep(stage=Stage.LOAD_TRACER, op="share-map", what=map_name, args=args)


def target_set(name: str, program: str, *, target: tuple[str, str, str]) -> AgentStep:
    """Return the step that names what a program traces: object, program, and the function in it."""
    args = {
        "object": name,
        "program": program,
        **dict(zip(("target_object", "target", "function"), target, strict=True)),
    }
    return AgentStep(stage=Stage.LOAD_TRACER, op="set-attach-target", what=program, args=args)


def attaching(stage: Stage, name: str, program: str) -> AgentStep:
    """Return the step that attaches a program as libbpf does by its section."""
    return AgentStep(stage=stage, op="attach", what=program, args={"object": name, "program": program})


def attached(source: Source, stage: Stage, name: str, program: str, *, to: Place | None) -> AgentStep:
    """Return the step that attaches a program to where a loader would, or all programs of a struct_ops variable."""
    variable = variable_of(source.carriers.maps_of_programs.get(name, {}), program)
    if variable is not None:
        args = {"object": name, "map": variable, **({"link": program} if variable != program else {})}
        return AgentStep(stage=stage, op="attach-map", what=program, args=args)
    made = attaching(stage, name, program)
    if to is None or (source.before_load(name, program) and not keys_of(to)):
        return made
    section = source.carriers.sections.get(name, {}).get(program, "")
    place = in_own_folder(to, source.written.id) if isinstance(to, str) else to
    return replace(made, args={**made.args, **chosen(place, section)})


def chosen_before(source: Source, name: str, places: Mapping[str, Place], *, stage: Stage) -> Iterator[AgentStep]:
    """Yield the choices that must be made before the load, as the kernel checks them then."""
    for program, to in places.items():
        if source.before_load(name, program) and not keys_of(to):
            args = {"object": name, "program": program, "function": to}
            yield AgentStep(stage=stage, op="set-attach-target", what=program, args=args)


def detaching(link: str) -> AgentStep:
    """Return the step that closes a link."""
    return AgentStep(stage=Stage.DETACH, op="detach", what=link, args={"link": link})


def updating(source: Source, step: UpdateLinkStep) -> AgentStep:
    """Return the step that puts another program, or struct_ops variable, into the place of a link's."""
    owner, name = step.program.split(".")
    is_map = bool(source.carriers.maps_of_programs.get(owner, {}).get(name))
    args = {"link": step.link, "object": owner, "map" if is_map else "program": name}
    return AgentStep(stage=stage_of(owner), op="update-link", what=step.link, args=args, **refusal(step))


def pinning(step: PinStep) -> AgentStep:
    """Return the step that pins a link, a program or a map."""
    if step.link is not None:
        what, args, stage = step.link, {"link": step.link}, Stage.ATTACH_TARGET
    else:
        key, reference = ("program", step.program) if step.program is not None else ("map", step.map)
        owner, what = str(reference).split(".")
        args, stage = {"object": owner, key: what}, stage_of(owner)
    return AgentStep(stage=stage, op="pin", what=what, args={**args, "path": step.path}, **refusal(step))


def unpinning(step: UnpinStep) -> AgentStep:
    """Return the step that removes what is pinned."""
    return AgentStep(stage=Stage.DETACH, op="unpin", what=step.path, args={"path": step.path}, **refusal(step))


def stage_of(owner: str) -> Stage:
    """Return the stage in which an object's programs are attached, by the object's name."""
    return Stage.ATTACH_TARGET if owner.startswith(TARGET) else Stage.ATTACH_TRACER


def tail_call(map_name: str, index: int, holder: str, program: str, *, owner: str = TARGET) -> AgentStep:
    """Return the step that puts a program of `holder` into a slot of `owner`'s program array, or empties the slot."""
    args = {"object": owner, "map": map_name, "index": index, "program_object": holder, "program": program}
    return AgentStep(stage=Stage.ATTACH_TARGET, op="tail-call", what=program or f"{map_name}[{index}]", args=args)


def triggering(trigger: Trigger, *, phase: str) -> AgentStep:
    """Return the step that makes programs run."""
    return AgentStep(
        stage=Stage.TRIGGER, op=TRIGGER, what=trigger.kind, phase=phase, args=trigger.args(), **trigger.must()
    )


def observing(source: Source, written: Observation, *, phase: str, stage: Stage) -> Iterator[AgentStep]:
    """Yield the steps that look at what came since the last look: events, the trace, and all else."""
    look, events = look_of(written), source.written.events
    sides = look.sides()
    if sides and events is not None:
        count = sum(event.times for patterns in sides.values() for event in patterns)
        args = {"map": events, "count": count, "seconds": OBSERVE_SECONDS}
        yield AgentStep(
            stage=stage,
            op="observe",
            what=events,
            phase=phase,
            args=args,
            look=replace(look, trace=None, how="exactly"),
        )
    if look.trace is not None:
        args = {"object": source.carriers.trace_in, **programs_of(event.value for event in look.trace)}
        traced = Look(trace=look.trace, how=look.how)
        yield AgentStep(stage=stage, op="read-trace", what="trace", phase=phase, args=args, look=traced)
    yield from inspecting(written, source.names, phase=phase, stage=stage, seconds=OBSERVE_SECONDS)


def programs_of(values: Iterable[object]) -> dict[str, list[str]]:
    """Return the programs of whose info a field is asked for (object.program:field), as the agent gets them."""
    texts = [value for value in values if isinstance(value, str) and not value.startswith("=")]
    named = dict.fromkeys(text.partition(":")[0] for text in texts if ":" in text)
    return {"programs": list(named)} if named else {}


Refusable = (
    LoadStep | LoadRawStep | AttachStep | DetachStep | UpdateLinkStep | PinStep | UnpinStep | TailCallStep | TriggerStep
)


def refusal(step: Refusable) -> dict[str, Any]:
    """Return the fields of an AgentStep that say how it must be refused."""
    return {"refused": step.refused or (), "message": step.message, "origin": step.origin or ()}


def function_of(reference: str) -> tuple[str, str, str]:
    """Return object, program and function of a reference; without a function that of the program itself."""
    place, _, function = reference.partition(":")
    owner, program = place.split(".")
    return owner, program, function or program
