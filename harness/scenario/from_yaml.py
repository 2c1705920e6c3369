"""From a case as it was written in YAML to the case as a value, with the steps that the agent executes. Pure.

Without steps of its own a case has those of the seed: open, load the target, name the tracers' targets, load and attach
them, fill the tail-call slots, attach the target, trigger, observe; where the case says `again`, fill slots with other
programs, trigger and observe; then detach the tracers, trigger and observe again (the negative control), and detach the
rest.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.config.case import WrittenCase
from harness.config.steps import (
    AttachStep,
    DetachStep,
    InfoStep,
    LoadRawStep,
    LoadStep,
    Observation,
    ObserveStep,
    RunTrigger,
    StatsStep,
    Step,
    TailCallStep,
    Trigger,
    TriggerStep,
    WaitStep,
)
from harness.model.results import Stage
from harness.scenario.attaching import attachers_of
from harness.scenario.case import OPEN, AgentStep, Case, Look, Script
from harness.scenario.expected import expectations_of, look_of
from harness.scenario.from_command import AFTERWARDS_SECONDS, DEADLINE, WORK, Command, steps_of
from harness.scenario.inspected import Names, inspecting, listened, prepared
from harness.scenario.sections import section_of

OBSERVE_SECONDS = 2.0
"""How long the agent waits for events that are still missing; those that are there are taken at once."""
TARGET = "target"
"""The object that is traced or replaced; its maps carry the events and the trace, if it has them."""
TRACER = "tracer"
"""The object with the tracers, in the usual order."""
ATTACH_TYPES = {"fsession": 58}
"""Members of enum bpf_attach_type (include/uapi/linux/bpf.h) that are younger than libbpf's section names."""


Place = str | tuple[str, ...]
"""Where a loader attaches a program: one function or other place, or several functions."""
OWN = "own"
"""What `share` says of a map that an object keeps to itself."""


@dataclass(frozen=True, kw_only=True)
class Carriers:
    """The objects whose maps carry the events and the trace (harness/supply/names.py finds them in built objects).

    `trace_maps` has the maps of the trace, of each object that has one; `names` the names that each object has, as
    `Names` takes them, `sections` the section of each program, and `maps_of_programs` the struct_ops variables.
    """

    events_in: str = TARGET
    trace_in: str = TARGET
    trace_maps: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    names: Mapping[str, Mapping[str, Collection[str]]] = field(default_factory=dict)
    sections: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    maps_of_programs: Mapping[str, Mapping[str, Sequence[str]]] = field(default_factory=dict)

    def shared_by(self, name: str, *, loaded: Collection[str]) -> tuple[str, ...]:
        """Return the maps that an object shares unasked: those of the trace, once the object that is read is loaded."""
        if name == self.trace_in or self.trace_in not in loaded or self.trace_in not in self.trace_maps:
            return ()
        return self.trace_maps.get(name, ())


def compile_case(written: WrittenCase, carriers: Carriers = Carriers()) -> Case:
    """Return the value of a written case.

    Of an object that has a file for each of several architectures the first is taken: see `WrittenCase.for_arch`.
    """
    command = command_of(written)
    declared = command is None and written.scenario is None
    source = _Source(written=written, carriers=carriers, files=written.files)
    steps = tuple(_steps(source)) if declared else steps_of(command) if command is not None else ()
    return Case(
        id=written.id,
        title=written.title,
        description=written.description,
        isolated=written.isolated or command is not None,
        cmdline=written.cmdline,
        deadline=written.deadline if command is None else command.deadline + AFTERWARDS_SECONDS,
        sysctls=dict(written.sysctls),
        kconfig=dict(written.kconfig),
        modules=written.modules,
        objects=written.files,
        attachers=tuple(name for name in _attachers(source, steps) if name not in written.modules),
        steps=steps,
        scenario=_script(written),
        expect=expectations_of(written),
        missing=written.missing,
        memory=written.memory,
        cpus=written.cpus,
    )


def _attachers(source: _Source, steps: Sequence[AgentStep]) -> tuple[str, ...]:
    """Return the modules by which the agent attaches what the steps attach."""
    attached = [(step.args["object"], step.args["program"]) for step in steps if step.op == "attach"]
    return attachers_of(source.carriers.sections.get(owner, {}).get(program, "") for owner, program in attached)


def command_of(written: WrittenCase) -> Command | None:
    """Return the command that a written case is, None for a case of another form."""
    if written.command is None:
        return None
    return Command(
        argv=written.command,
        env=dict(written.env),
        cwd=written.cwd or WORK,
        exit=written.expect_exit,
        output=written.expect_output,
        deadline=written.deadline or DEADLINE,
        junit=written.junit or "",
    )


def _script(written: WrittenCase) -> Script | None:
    found = written.scenario
    return Script(file=found.file, source=found.source) if found else None


@dataclass(frozen=True, kw_only=True)
class _Source:
    """What the steps are made of."""

    written: WrittenCase
    carriers: Carriers
    files: Mapping[str, str]

    @property
    def names(self) -> Names:
        """Where bare names are looked for: in the object named target first."""
        order = sorted(self.files, key=lambda name: name != TARGET)  # stable
        return Names(objects=order, of=self.carriers.names)

    def before_load(self, name: str, program: str) -> bool:
        """Whether a program's target is chosen before it is loaded."""
        section = self.carriers.sections.get(name, {}).get(program)
        return section is not None and section_of(section).before_load

    def looks(self) -> list[Observation]:
        """Return all that the case says must be seen."""
        case = self.written
        found = [case.observe, case.again.observe if case.again else None, case.control]
        found += [step.expect for step in case.steps if isinstance(step, ObserveStep)]
        return [look for look in found if look is not None]


# --- the usual order -----------------------------------------------------------------------------------------


def _steps(source: _Source) -> Iterator[AgentStep]:
    counted = any(isinstance(step, StatsStep) for step in source.written.steps)
    yield from prepared(source.looks(), counted=counted)
    yield from _spelled_out(source) if source.written.steps else _usual(source)


def _usual(source: _Source) -> Iterator[AgentStep]:
    case = source.written
    target, tracer, trigger = case.target, case.tracer, case.trigger
    assert target is not None and trigger is not None  # the model has seen to it
    rodata = {TARGET: target.rodata, TRACER: tracer.rodata if tracer is not None else {}}
    for name in source.files:
        yield _open(source, name, rodata=rodata[name])
    yield from _chosen_before(source, TARGET, target.attach_to, stage=Stage.LOAD_TARGET)
    yield AgentStep(stage=Stage.LOAD_TARGET, op="load", what=TARGET, args={"object": TARGET})
    yield from _listen(source, TARGET)
    if tracer is not None:
        unasked = source.carriers.shared_by(TRACER, loaded={TARGET})
        for name in [*(each for each in unasked if each not in tracer.shared_maps), *tracer.shared_maps]:
            yield _share(TRACER, name, from_object=TARGET, from_map=name)
        for one in tracer.attach:
            yield _set_target(TRACER, one.program, target=(TARGET, one.target, one.function_name))
        yield AgentStep(stage=Stage.LOAD_TRACER, op="load", what=TRACER, args={"object": TRACER})
        yield from _listen(source, TRACER)
        for one in tracer.attach:
            yield _attach(Stage.ATTACH_TRACER, TRACER, one.program)
    for slot in target.tail_calls:
        yield _tail_call(slot.map, slot.index, TARGET, slot.program)
    for program in target.attach:
        yield _attached(source, Stage.ATTACH_TARGET, TARGET, program, to=target.attach_to.get(program))
    yield from _trigger_and_look(source, trigger, case.observe, phase="observe", stage=Stage.OBSERVE)
    if case.again is not None:
        for slot in case.again.tail_calls:
            yield _tail_call(slot.map, slot.index, TARGET, slot.program)
        yield from _trigger_and_look(source, trigger, case.again.observe, phase="again", stage=Stage.OBSERVE)
    for one in tracer.attach if tracer is not None else ():
        yield _detach(one.program)
    if case.control is not None:
        yield from _trigger_and_look(source, trigger, case.control, phase="control", stage=Stage.DETACH)
    for program in target.attach:
        yield _detach(program)


def _trigger_and_look(
    source: _Source, trigger: Trigger, look: Observation | None, *, phase: str, stage: Stage
) -> Iterator[AgentStep]:
    yield _trigger(trigger, phase=phase)
    if look is not None:
        yield from _observe(source, look, phase=phase, stage=stage)


# --- steps of its own ----------------------------------------------------------------------------------------


def _spelled_out(source: _Source) -> Iterator[AgentStep]:
    looks = 0
    loaded: set[str] = set()
    for step in source.written.steps:
        phase = f"look-{looks + 1}"
        for made in _steps_of(source, step, phase=phase, loaded=loaded):
            yield replace(made, stage=getattr(step, "stage", None) or made.stage)
        looks += isinstance(step, ObserveStep)
        if isinstance(step, LoadStep) and step.refused is None:
            loaded.add(step.object)


def _steps_of(source: _Source, step: Step, *, phase: str, loaded: Collection[str]) -> Iterator[AgentStep]:
    if isinstance(step, LoadStep):
        yield from _load(source, step, loaded=loaded)
    elif isinstance(step, LoadRawStep):
        yield _open(source, step.object)
        yield _load_raw(step)
    elif isinstance(step, AttachStep):
        owner, program = step.program.split(".")
        chosen = [
            each.attach_to for each in source.written.steps if isinstance(each, LoadStep) and each.object == owner
        ]
        for name in numbered(program, step.times, first=step.first):
            to = step.to or next((each[name] for each in chosen if name in each), None)
            yield _attach_as(source, step, owner, name, to=to)
    elif isinstance(step, DetachStep):
        yield replace(_detach(step.link), **_refusal(step))
    elif isinstance(step, TailCallStep):
        owner, name = step.map.split(".")
        holder, program = step.program.split(".") if step.program else ("", "")
        made = _tail_call(name, step.index, holder or owner, program, owner=owner)
        yield replace(made, **_refusal(step))
    elif isinstance(step, TriggerStep):
        yield replace(_trigger(step.trigger, phase=phase), **_refusal(step))
    elif isinstance(step, ObserveStep):
        yield from _observe(source, step.expect, phase=phase, stage=Stage.OBSERVE)
    elif isinstance(step, InfoStep):
        args: dict[str, Any] = {"link": step.link} if step.link else {}
        if step.program:
            args.update(zip(("object", "program"), _split(step.program), strict=True))
        args.update(_programs(step.expect.values()))
        yield AgentStep(
            stage=Stage.OBSERVE, op="info", what=step.link or str(step.program), args=args, fields=dict(step.expect)
        )
    elif isinstance(step, WaitStep):
        yield AgentStep(stage=Stage.OBSERVE, op="wait", what=f"{step.seconds:g} s", args={"seconds": step.seconds})
    elif isinstance(step, StatsStep):
        yield AgentStep(stage=Stage.OPEN, op="enable-stats")


def numbered(name: str, times: int | None, *, first: int = 1) -> list[str]:
    """Return the name itself, or that many names with numbers behind them."""
    return [name] if times is None else [f"{name}_{number}" for number in range(first, first + times)]


def _load(source: _Source, step: LoadStep, *, loaded: Collection[str]) -> Iterator[AgentStep]:
    is_target = step.object.startswith(TARGET)
    stage = Stage.LOAD_TARGET if is_target else Stage.LOAD_TRACER
    opened = _open(source, step.object, rodata=step.rodata)
    only = {"only": list(step.only)} if step.only is not None else {}
    yield replace(opened, args={**opened.args, **only})
    trace_in = source.carriers.trace_in
    unasked = {
        name: f"{trace_in}.{name}"
        for name in source.carriers.shared_by(step.object, loaded=loaded)
        if name not in step.share
    }
    for map_name, shared in {**unasked, **step.share}.items():
        if shared == OWN:
            continue
        holder, from_map = shared.split(".")
        yield replace(_share(step.object, map_name, from_object=holder, from_map=from_map), stage=stage)
    for program, kind in step.attach_types.items():
        args = {"object": step.object, "program": program, "type": ATTACH_TYPES[kind]}
        yield AgentStep(stage=stage, op="set-attach-type", what=program, args=args)
    for program, reference in step.tracing.items():
        for each in numbered(program, step.times):
            made = _set_target(step.object, each, target=_function(reference))
            # Where the load is to be refused, so may be the choice of its target: libbpf looks for the function.
            yield replace(made, stage=stage)
    yield from _chosen_before(source, step.object, step.attach_to, stage=stage)
    yield AgentStep(
        stage=stage,
        op="load",
        what=step.object,
        args={"object": step.object, **({"unprivileged": True} if step.unprivileged else {})},
        **_refusal(step),
    )
    yield from _listen(source, step.object)


def _load_raw(step: LoadRawStep) -> AgentStep:
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
        **_refusal(step),
    )


def _attach_as(source: _Source, step: AttachStep, owner: str, program: str, *, to: Place | None) -> AgentStep:
    stage = Stage.ATTACH_TARGET if owner.startswith(TARGET) else Stage.ATTACH_TRACER
    made = _attached(source, stage, owner, program, to=to)
    more: dict[str, Any] = {"link": step.link or program}
    if step.api != "auto":
        more["api"] = step.api
    if step.cookie is not None:
        more["cookie"] = step.cookie
    if step.target is not None:
        more.update(zip(("target_object", "target", "function"), _function(step.target), strict=True))
    return replace(
        made,
        what=step.link or program,
        args={**made.args, **more},
        **_refusal(step),
    )


def _programs(values: Iterable[object]) -> dict[str, list[str]]:
    """Return the programs of whose info a field is asked for (object.program:field), as the agent gets them."""
    texts = [value for value in values if isinstance(value, str) and not value.startswith("=")]
    named = dict.fromkeys(text.partition(":")[0] for text in texts if ":" in text)
    return {"programs": list(named)} if named else {}


def _refusal(step: LoadStep | LoadRawStep | AttachStep | DetachStep | TailCallStep | TriggerStep) -> dict[str, Any]:
    """Return the fields of an AgentStep that say how it must be refused."""
    return {"refused": step.refused or (), "message": step.message, "origin": step.origin or ()}


def _function(reference: str) -> tuple[str, str, str]:
    place, _, function = reference.partition(":")
    owner, program = place.split(".")
    return owner, program, function or program


def _split(reference: str | None) -> Sequence[str]:
    return (reference or ".").split(".")


# --- single steps --------------------------------------------------------------------------------------------


def _open(source: _Source, name: str, *, rodata: Mapping[str, Any] | None = None) -> AgentStep:
    # An object that the case does not have is found by supply/names.py, which knows the line.
    args = {"object": name, "path": source.files.get(name, ""), **({"rodata": dict(rodata)} if rodata else {})}
    return AgentStep(stage=Stage.OPEN, op=OPEN, what=name, args=args)


def _listen(source: _Source, loaded: str) -> Iterator[AgentStep]:
    """Begin to read the events once the object that has them is loaded."""
    events = source.written.events
    if events is not None and source.carriers.events_in == loaded:
        args = {"object": loaded, "map": events}
        yield AgentStep(stage=Stage.OPEN, op="listen", what=events, args=args)
    yield from listened(source.looks(), source.names, loaded=loaded)


def _share(name: str, map_name: str, *, from_object: str, from_map: str) -> AgentStep:
    args = {"object": name, "map": map_name, "from_object": from_object, "from_map": from_map}
    return AgentStep(stage=Stage.LOAD_TRACER, op="share-map", what=map_name, args=args)


def _set_target(name: str, program: str, *, target: tuple[str, str, str]) -> AgentStep:
    args = {
        "object": name,
        "program": program,
        **dict(zip(("target_object", "target", "function"), target, strict=True)),
    }
    return AgentStep(stage=Stage.LOAD_TRACER, op="set-attach-target", what=program, args=args)


def _attach(stage: Stage, name: str, program: str) -> AgentStep:
    return AgentStep(stage=stage, op="attach", what=program, args={"object": name, "program": program})


def _attached(source: _Source, stage: Stage, name: str, program: str, *, to: Place | None) -> AgentStep:
    """Return the step that attaches a program to where a loader would, or all programs of a struct_ops variable."""
    if source.carriers.maps_of_programs.get(name, {}).get(program):
        return AgentStep(stage=stage, op="attach-map", what=program, args={"object": name, "map": program})
    made = _attach(stage, name, program)
    if to is None or source.before_load(name, program):
        return made
    return replace(made, args={**made.args, "to": to if isinstance(to, str) else list(to)})


def _chosen_before(source: _Source, name: str, chosen: Mapping[str, Place], *, stage: Stage) -> Iterator[AgentStep]:
    """Yield the choices that must be made before the load, as the kernel checks them then."""
    for program, to in chosen.items():
        if source.before_load(name, program):
            args = {"object": name, "program": program, "function": to}
            yield AgentStep(stage=stage, op="set-attach-target", what=program, args=args)


def _detach(link: str) -> AgentStep:
    return AgentStep(stage=Stage.DETACH, op="detach", what=link, args={"link": link})


def _tail_call(map_name: str, index: int, holder: str, program: str, *, owner: str = TARGET) -> AgentStep:
    args = {"object": owner, "map": map_name, "index": index, "program_object": holder, "program": program}
    return AgentStep(stage=Stage.ATTACH_TARGET, op="tail-call", what=program or f"{map_name}[{index}]", args=args)


def _trigger(trigger: Trigger, *, phase: str) -> AgentStep:
    args = {key: value for key, value in trigger.model_dump(mode="json").items() if key != "retval"}
    retval = trigger.retval if isinstance(trigger, RunTrigger) else None
    return AgentStep(stage=Stage.TRIGGER, op="trigger", what=trigger.kind, phase=phase, args=args, retval=retval)


def _observe(source: _Source, written: Observation, *, phase: str, stage: Stage) -> Iterator[AgentStep]:
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
        args = {"object": source.carriers.trace_in, **_programs(event.value for event in look.trace)}
        traced = Look(trace=look.trace, how=look.how)
        yield AgentStep(stage=stage, op="read-trace", what="trace", phase=phase, args=args, look=traced)
    yield from inspecting(written, source.names, phase=phase, stage=stage, seconds=OBSERVE_SECONDS)
