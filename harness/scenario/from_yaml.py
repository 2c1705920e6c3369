"""From a case as it was written in YAML to the case as a value, with the steps that the agent executes. Pure.

Without steps of its own a case has those of the seed: open, load the target, name the tracers' targets, load and attach
them, fill the tail-call slots, attach the target, trigger, observe; where the case says `again`, fill slots with other
programs, trigger and observe; then detach the tracers, trigger and observe again (the negative control), and detach the
rest.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.config.case import Tracer, WrittenCase
from harness.config.steps import (
    AttachStep,
    DetachStep,
    InfoStep,
    LoadRawStep,
    LoadStep,
    Observation,
    ObserveStep,
    StatsStep,
    TailCallStep,
    TriggerStep,
    WaitStep,
)
from harness.config.triggers import Trigger
from harness.model.results import Stage
from harness.scenario.attaching import attachers_of
from harness.scenario.carriers import OWN, TARGET, TRACER, UNSEEN, Carriers, Source, numbered
from harness.scenario.case import AgentStep, Case, Script
from harness.scenario.expected import expectations_of
from harness.scenario.from_command import AFTERWARDS_SECONDS, DEADLINE, WORK, Command, steps_of
from harness.scenario.inspected import prepared
from harness.scenario.own_files import own_of
from harness.scenario.places import Place
from harness.scenario.setup import making, modules_of
from harness.scenario.single_steps import (
    attached,
    chosen_before,
    detaching,
    function_of,
    listening,
    load_raw,
    observing,
    opening,
    pinning,
    programs_of,
    refusal,
    sharing,
    stage_of,
    tail_call,
    target_set,
    triggering,
    unpinning,
    updating,
)

ATTACH_TYPES = {"fsession": 58}
"""Members of enum bpf_attach_type (include/uapi/linux/bpf.h) that are younger than libbpf's section names."""


def compile_case(written: WrittenCase, carriers: Carriers = UNSEEN) -> Case:
    """Return the value of a written case.

    Of an object that has a file for each of several architectures the first is taken: see `WrittenCase.for_arch`.
    """
    command = command_of(written)
    declared = command is None and written.scenario is None
    source = Source(written=written, carriers=carriers, files=written.files)
    setup = tuple(making(written.setup))
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
        steps=(*setup, *steps) if written.scenario is None else (),
        setup=setup if written.scenario is not None else (),
        scenario=_script(written),
        expect=expectations_of(written),
        missing=written.missing,
        memory=written.memory,
        cpus=written.cpus,
        btf=written.btf_file,
        own=own_of(written),
        budget=written.budget.value(),
    )


def _attachers(source: Source, steps: Sequence[AgentStep]) -> tuple[str, ...]:
    """Return the modules by which the agent makes the setup, and attaches what the steps attach.

    What a scenario attaches nobody knows: all programs of its objects.
    """
    of, setup = source.carriers.sections, source.written.setup
    if source.written.scenario is not None:
        sections = [section for programs in of.values() for section in programs.values()]
    else:
        attached = [(step.args["object"], step.args["program"]) for step in steps if step.op == "attach"]
        sections = [of.get(owner, {}).get(program, "") for owner, program in attached]
    return tuple(dict.fromkeys([*modules_of(setup), *attachers_of(sections)]))


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


# --- the usual order -----------------------------------------------------------------------------------------


def _steps(source: Source) -> Iterator[AgentStep]:
    counted = any(isinstance(step, StatsStep) for step in source.written.steps)
    yield from prepared(source.looks(), counted=counted)
    yield from _spelled_out(source) if source.written.steps else _usual(source)


def _usual(source: Source) -> Iterator[AgentStep]:
    case = source.written
    target, tracer, trigger = case.target, case.tracer, case.trigger
    assert target is not None and trigger is not None  # the model has seen to it
    yield opening(source, TARGET, said=target)
    if tracer is not None:
        yield opening(source, TRACER, said=tracer)
    yield from chosen_before(source, TARGET, target.attach_to, stage=Stage.LOAD_TARGET)
    yield AgentStep(stage=Stage.LOAD_TARGET, op="load", what=TARGET, args={"object": TARGET})
    yield from listening(source, TARGET)
    if tracer is not None:
        yield from _tracers(source, tracer)
    for slot in target.tail_calls:
        yield tail_call(slot.map, slot.index, TARGET, slot.program)
    for program in target.attach:
        yield attached(source, Stage.ATTACH_TARGET, TARGET, program, to=target.attach_to.get(program))
    yield from _trigger_and_look(source, trigger, case.observe, phase="observe", stage=Stage.OBSERVE)
    if case.again is not None:
        for slot in case.again.tail_calls:
            yield tail_call(slot.map, slot.index, TARGET, slot.program)
        yield from _trigger_and_look(source, trigger, case.again.observe, phase="again", stage=Stage.OBSERVE)
    for one in tracer.attach if tracer is not None else ():
        yield detaching(one.program)
    if case.control is not None:
        yield from _trigger_and_look(source, trigger, case.control, phase="control", stage=Stage.DETACH)
    for program in target.attach:
        yield detaching(program)


def _tracers(source: Source, tracer: Tracer) -> Iterator[AgentStep]:
    """Yield the steps that load and attach the tracers of a loaded target."""
    unasked = source.carriers.shared_by(TRACER, loaded={TARGET})
    for name in [*(each for each in unasked if each not in tracer.shared_maps), *tracer.shared_maps]:
        yield sharing(TRACER, name, from_object=TARGET, from_map=name)
    for one in tracer.attach:
        if one.target is not None:
            yield target_set(TRACER, one.program, target=(TARGET, one.target, one.function_name))
    yield from chosen_before(source, TRACER, tracer.attach_to, stage=Stage.LOAD_TRACER)
    yield AgentStep(stage=Stage.LOAD_TRACER, op="load", what=TRACER, args={"object": TRACER})
    yield from listening(source, TRACER)
    for one in tracer.attach:
        to = tracer.attach_to.get(one.program)
        yield attached(source, Stage.ATTACH_TRACER, TRACER, one.program, to=to)


def _trigger_and_look(
    source: Source, trigger: Trigger, look: Observation | None, *, phase: str, stage: Stage
) -> Iterator[AgentStep]:
    yield triggering(trigger, phase=phase)
    if look is not None:
        yield from observing(source, look, phase=phase, stage=stage)


# --- steps of its own ----------------------------------------------------------------------------------------


def _spelled_out(source: Source) -> Iterator[AgentStep]:
    looks = 0
    loaded: set[str] = set()
    for step in source.written.steps:
        phase = f"look-{looks + 1}"
        for made in STEPS[step.do](source, step, _Now(phase=phase, loaded=loaded)):
            yield replace(made, stage=getattr(step, "stage", None) or made.stage)
        looks += isinstance(step, ObserveStep)
        if isinstance(step, LoadStep) and step.refused is None:
            loaded.add(step.object)


@dataclass(frozen=True, kw_only=True)
class _Now:
    """Where a case is when a step is made: the next look's phase, and the objects that are loaded."""

    phase: str
    loaded: Collection[str]


def _load_raw(source: Source, step: LoadRawStep, _now: _Now) -> Iterator[AgentStep]:
    yield opening(source, step.object)
    yield load_raw(step)


def _attach(source: Source, step: AttachStep, _now: _Now) -> Iterator[AgentStep]:
    owner, program = step.program.split(".")
    chosen = [each.attach_to for each in source.written.steps if isinstance(each, LoadStep) and each.object == owner]
    for name in numbered(program, step.times, first=step.first):
        to = step.to or next((each[name] for each in chosen if name in each), None)
        yield _attach_as(source, step, owner, name, to=to)


def _detach(_source: Source, step: DetachStep, _now: _Now) -> Iterator[AgentStep]:
    yield replace(detaching(step.link), **refusal(step))


def _tail_call(_source: Source, step: TailCallStep, _now: _Now) -> Iterator[AgentStep]:
    owner, name = step.map.split(".")
    holder, program = step.program.split(".") if step.program else ("", "")
    made = tail_call(name, step.index, holder or owner, program, owner=owner)
    yield replace(made, **refusal(step))


def _trigger(_source: Source, step: TriggerStep, now: _Now) -> Iterator[AgentStep]:
    yield replace(triggering(step.trigger, phase=now.phase), **refusal(step))


def _observe(source: Source, step: ObserveStep, now: _Now) -> Iterator[AgentStep]:
    yield from observing(source, step.expect, phase=now.phase, stage=Stage.OBSERVE)


def _info(_source: Source, step: InfoStep, _now: _Now) -> Iterator[AgentStep]:
    args: dict[str, Any] = {"link": step.link} if step.link else {}
    if step.program:
        args.update(zip(("object", "program"), step.program.split("."), strict=True))
    args.update(programs_of(step.expect.values()))
    yield AgentStep(
        stage=Stage.OBSERVE, op="info", what=step.link or str(step.program), args=args, fields=dict(step.expect)
    )


def _wait(_source: Source, step: WaitStep, _now: _Now) -> Iterator[AgentStep]:
    yield AgentStep(stage=Stage.OBSERVE, op="wait", what=f"{step.seconds:g} s", args={"seconds": step.seconds})


def _stats(_source: Source, _step: StatsStep, _now: _Now) -> Iterator[AgentStep]:
    yield AgentStep(stage=Stage.OPEN, op="enable-stats")


def _load(source: Source, step: LoadStep, now: _Now) -> Iterator[AgentStep]:
    is_target = step.object.startswith(TARGET)
    stage = Stage.LOAD_TARGET if is_target else Stage.LOAD_TRACER
    opened = opening(source, step.object, said=step)
    only = {"only": list(step.only)} if step.only is not None else {}
    yield replace(opened, args={**opened.args, **only})
    trace_in = source.carriers.trace_in
    unasked = {
        name: f"{trace_in}.{name}"
        for name in source.carriers.shared_by(step.object, loaded=now.loaded)
        if name not in step.share
    }
    for map_name, shared in {**unasked, **step.share}.items():
        if shared == OWN:
            continue
        holder, from_map = shared.split(".")
        yield replace(sharing(step.object, map_name, from_object=holder, from_map=from_map), stage=stage)
    for program, kind in step.attach_types.items():
        args = {"object": step.object, "program": program, "type": ATTACH_TYPES[kind]}
        yield AgentStep(stage=stage, op="set-attach-type", what=program, args=args)
    for program, reference in step.tracing.items():
        for each in numbered(program, step.times):
            made = target_set(step.object, each, target=function_of(reference))
            # Where the load is to be refused, so may be the choice of its target: libbpf looks for the function.
            yield replace(made, stage=stage)
    yield from chosen_before(source, step.object, step.attach_to, stage=stage)
    yield AgentStep(
        stage=stage,
        op="load",
        what=step.object,
        args={"object": step.object, **({"unprivileged": True} if step.unprivileged else {})},
        **refusal(step),
    )
    yield from listening(source, step.object)


def _attach_as(source: Source, step: AttachStep, owner: str, program: str, *, to: Place | None) -> AgentStep:
    made = attached(source, stage_of(owner), owner, program, to=to)
    more: dict[str, Any] = {"link": step.link or program}
    if step.api != "auto":
        more["api"] = step.api
    if step.cookie is not None:
        more["cookie"] = step.cookie
    if step.target is not None:
        more.update(zip(("target_object", "target", "function"), function_of(step.target), strict=True))
    return replace(
        made,
        what=step.link or program,
        args={**made.args, **more},
        **refusal(step),
    )


STEPS: Mapping[str, Callable[[Source, Any, _Now], Iterator[AgentStep]]] = {
    "load": _load,
    "load-raw": _load_raw,
    "attach": _attach,
    "detach": _detach,
    "update-link": lambda source, step, _now: iter([updating(source, step)]),
    "pin": lambda _source, step, _now: iter([pinning(step)]),
    "unpin": lambda _source, step, _now: iter([unpinning(step)]),
    "tail-call": _tail_call,
    "trigger": _trigger,
    "observe": _observe,
    "info": _info,
    "wait": _wait,
    "enable-stats": _stats,
}
"""The agent's steps of a step of a case, by what it does."""
