"""From a case to what the guest agent executes: an ordered list of steps, each with its stage. Pure.

docs/agent-protocol.md describes the job file; harness/agent/steps.py executes it. What a step must show stays on
the host (`AgentStep.look`, `refused`, ...): the agent only reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from harness.config.case import Case
from harness.config.reading.explain import did_you_mean
from harness.config.reading.yaml_source import quoted
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
from harness.model.results import Origin, OutcomeKind, Stage

OBSERVE_SECONDS = 2.0
"""How long the agent waits for events that are still missing; those that are there are taken at once."""
TARGET = "target"
"""The object that is traced or replaced; its maps carry the events and the trace, if it has them."""
LOOKS = frozenset({"observe", "read-trace"})
"""Steps that report what was emitted."""
ATTACH_TYPES = {"fsession": 58}
"""Members of enum bpf_attach_type (include/uapi/linux/bpf.h) that are younger than libbpf's section names."""


@dataclass(frozen=True, kw_only=True)
class AgentStep:
    """One step: what the agent is told (`stage`, `op`, `what`, `phase`, `args`), and what the host expects of it.

    `refused` names the errnos of which one must come (empty: the step must succeed), `message` what the log of
    that refusal must match, `origin` who must refuse (empty: the kernel, or libbpf after reading it), `retval` what a
    test run must return, `look` what must be seen, `fields` what the kernel must say of a link or program.
    """

    stage: Stage
    op: str
    what: str = ""
    phase: str = ""
    args: Mapping[str, Any] = field(default_factory=dict)
    refused: tuple[str, ...] = ()
    message: str | None = None
    origin: tuple[Origin, ...] = ()
    retval: int | None = None
    look: Observation | None = None
    fields: Mapping[str, int | str] = field(default_factory=dict)

    def job(self) -> dict[str, Any]:
        """Return the step as the job file has it."""
        told = {"stage": self.stage.value, "op": self.op, "what": self.what, **self.args}
        if self.phase:
            told["phase"] = self.phase
        if self.refused:
            told["go_on"] = True
        return told


def steps_of(case: Case, *, paths: Mapping[str, PurePosixPath]) -> list[AgentStep]:
    """Return the steps of a case. `paths` maps an object's file name to its path in the guest.

    Without steps of its own a case has those of the seed: open, load the target, tell the tracers their targets,
    load and attach them, fill the tail-call slots, attach the target, trigger, observe; where the case says `again`,
    fill slots with other programs, trigger and observe; then detach the tracers,
    trigger and observe again (the negative control), and detach the rest.
    """
    files = {name: str(paths[file]) for name, file in case.files.items()}
    if case.steps:
        return list(_spelled_out(case, files))
    return list(_usual(case, files))


def step_names(steps: Sequence[AgentStep]) -> list[str]:
    """Return what rules call the steps of a case, in their order.

    A look at what was emitted is called by its phase (`observe`, `control`, `look-1`, ...), any other step by what it
    does to what (`attach fexit`, `trigger run`, `load tracer`); the second of that name is `attach fexit #2`.
    """
    names: list[str] = []
    counts: dict[str, int] = {}
    for step in steps:
        if step.op in LOOKS:
            names.append(step.phase)
            continue
        name = f"{step.op} {step.what}".strip()
        counts[name] = number = counts.get(name, 0) + 1
        names.append(name if number == 1 else f"{name} #{number}")
    return names


def signature_problems(case: Case) -> Iterator[str]:
    """Yield what is wrong with the signatures of a case's rules: steps that it does not have, a crash not isolated."""
    steps = steps_of(case, paths={file: PurePosixPath(file) for file in case.files.values()})
    names = step_names(steps)
    for rule in case.expect:
        if rule.kind == OutcomeKind.CRASHED and not case.alone:
            yield (
                'a rule expects that the kernel dies ("crashed"), so the case needs "isolated: true": otherwise its '
                "death takes other cases along, and what the case showed before it is lost"
            )
        for name in [rule.step, *(difference.step for difference in rule.differences or ())]:
            if name is not None and name not in names:
                yield (
                    f"a rule names the step {quoted(name)}, which the case does not have{did_you_mean(name, names)}; "
                    f"its steps: {', '.join(dict.fromkeys(names))}"
                )


NO_MODULE: Mapping[str, Any] = {"files": [], "built_in": False}
"""What the agent is told of a module that the kernel does not have."""


def job_of(
    cases: Iterable[tuple[Case, Mapping[str, PurePosixPath]]],
    *,
    deadline: float,
    modules: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Return the job of some cases, ready for JSON; `deadline` (seconds) holds where a case has none of its own.

    `modules` says of those that cases name which `files` of the guest they are, in the order of loading, or that they
    are `built_in`; a module that is missing there the kernel does not have.
    """
    known = modules or {}
    jobs = [
        {
            "id": case.id,
            "deadline": case.deadline or deadline,
            "alone": case.alone,
            "kconfig": {name: list(values) for name, values in case.kconfig.items()},
            "sysctls": dict(case.sysctls),
            "modules": [{"name": name, **known.get(name, NO_MODULE)} for name in case.modules],
            "steps": [step.job() for step in steps_of(case, paths=paths)],
        }
        for case, paths in cases
    ]
    return {"cases": jobs}


# --- the usual order -----------------------------------------------------------------------------------------


def _usual(case: Case, files: Mapping[str, str]) -> Iterator[AgentStep]:
    target, tracer, trigger = case.target, case.tracer, case.trigger
    assert target is not None and trigger is not None  # the model has seen to it
    for name in files:
        yield _open(name, files[name])
    yield AgentStep(stage=Stage.LOAD_TARGET, op="load", what=TARGET, args={"object": TARGET})
    yield from _listen(case, TARGET)
    if tracer is not None:
        for name in tracer.shared_maps:
            yield _share("tracer", name, from_object=TARGET, from_map=name)
        for one in tracer.attach:
            yield _set_target("tracer", one.program, target=(TARGET, one.target, one.function_name))
        yield AgentStep(stage=Stage.LOAD_TRACER, op="load", what="tracer", args={"object": "tracer"})
        yield from _listen(case, "tracer")
        for one in tracer.attach:
            yield _attach(Stage.ATTACH_TRACER, "tracer", one.program)
    for slot in target.tail_calls:
        yield _tail_call(slot.map, slot.index, TARGET, slot.program)
    for program in target.attach:
        yield _attach(Stage.ATTACH_TARGET, TARGET, program)
    yield from _look(case, trigger, case.observe, phase="observe", stage=Stage.OBSERVE)
    if case.again is not None:
        for slot in case.again.tail_calls:
            yield _tail_call(slot.map, slot.index, TARGET, slot.program)
        yield from _look(case, trigger, case.again.observe, phase="again", stage=Stage.OBSERVE)
    for one in tracer.attach if tracer is not None else ():
        yield _detach(one.program)
    if case.control is not None:
        yield from _look(case, trigger, case.control, phase="control", stage=Stage.DETACH)
    for program in target.attach:
        yield _detach(program)


def _look(case: Case, trigger: Trigger, look: Observation | None, *, phase: str, stage: Stage) -> Iterator[AgentStep]:
    yield _trigger(trigger, phase=phase)
    if look is not None:
        yield from _observe(case, look, phase=phase, stage=stage)


# --- steps of its own ----------------------------------------------------------------------------------------


def _spelled_out(case: Case, files: Mapping[str, str]) -> Iterator[AgentStep]:
    looks = 0
    for step in case.steps:
        phase = f"look-{looks + 1}"
        for told in _one(case, step, files=files, phase=phase):
            yield replace(told, stage=getattr(step, "stage", None) or told.stage)
        looks += isinstance(step, ObserveStep)


def _one(case: Case, step: Step, *, files: Mapping[str, str], phase: str) -> Iterator[AgentStep]:
    if isinstance(step, LoadStep):
        yield from _load(case, step, files)
    elif isinstance(step, LoadRawStep):
        yield _open(step.object, files[step.object])
        yield _load_raw(step)
    elif isinstance(step, AttachStep):
        owner, program = step.program.split(".")
        for name in numbered(program, step.times, first=step.first):
            yield _attach_as(step, owner, name)
    elif isinstance(step, DetachStep):
        yield replace(_detach(step.link), **_refusal(step))
    elif isinstance(step, TailCallStep):
        owner, name = step.map.split(".")
        holder, program = step.program.split(".") if step.program else ("", "")
        told = _tail_call(name, step.index, holder or owner, program, owner=owner)
        yield replace(told, **_refusal(step))
    elif isinstance(step, TriggerStep):
        yield replace(_trigger(step.trigger, phase=phase), **_refusal(step))
    elif isinstance(step, ObserveStep):
        yield from _observe(case, step.expect, phase=phase, stage=Stage.OBSERVE)
    elif isinstance(step, InfoStep):
        args: dict[str, Any] = {"link": step.link} if step.link else {}
        if step.program:
            args.update(zip(("object", "program"), _split(step.program), strict=True))
        args.update(_programs(step.expect.values()))
        yield AgentStep(
            stage=Stage.OBSERVE, op="info", what=step.link or str(step.program), args=args, fields=step.expect
        )
    elif isinstance(step, WaitStep):
        yield AgentStep(stage=Stage.OBSERVE, op="wait", what=f"{step.seconds:g} s", args={"seconds": step.seconds})
    elif isinstance(step, StatsStep):
        yield AgentStep(stage=Stage.OPEN, op="enable-stats")


def numbered(name: str, times: int | None, *, first: int = 1) -> list[str]:
    """Return the name itself, or that many names with numbers behind them."""
    return [name] if times is None else [f"{name}_{number}" for number in range(first, first + times)]


def _load(case: Case, step: LoadStep, files: Mapping[str, str]) -> Iterator[AgentStep]:
    is_target = step.object.startswith(TARGET)
    stage = Stage.LOAD_TARGET if is_target else Stage.LOAD_TRACER
    opened = _open(step.object, files[step.object])
    only = {"only": list(step.only)} if step.only is not None else {}
    yield replace(opened, args={**opened.args, **only})
    for map_name, source in step.share.items():
        holder, from_map = source.split(".")
        yield replace(_share(step.object, map_name, from_object=holder, from_map=from_map), stage=stage)
    for program, kind in step.attach_types.items():
        args = {"object": step.object, "program": program, "type": ATTACH_TYPES[kind]}
        yield AgentStep(stage=stage, op="set-attach-type", what=program, args=args)
    for program, reference in step.tracing.items():
        for one in numbered(program, step.times):
            told = _set_target(step.object, one, target=_function(reference))
            # Where the load is to be refused, so may be the choice of its target: libbpf looks for the function.
            yield replace(told, stage=stage)
    yield AgentStep(
        stage=stage,
        op="load",
        what=step.object,
        args={"object": step.object, **({"unprivileged": True} if step.unprivileged else {})},
        **_refusal(step),
    )
    yield from _listen(case, step.object)


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


def _attach_as(step: AttachStep, owner: str, program: str) -> AgentStep:
    stage = Stage.ATTACH_TARGET if owner.startswith(TARGET) else Stage.ATTACH_TRACER
    told = _attach(stage, owner, program)
    more: dict[str, Any] = {"link": step.link or program}
    if step.api != "auto":
        more["api"] = step.api
    if step.cookie is not None:
        more["cookie"] = step.cookie
    if step.target is not None:
        more.update(zip(("target_object", "target", "function"), _function(step.target), strict=True))
    return replace(
        told,
        what=step.link or program,
        args={**told.args, **more},
        **_refusal(step),
    )


def _programs(values: Iterable[object]) -> dict[str, list[str]]:
    """Return the programs of whose info a field is asked for (object.program:field), as the agent is told them."""
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


def _open(name: str, path: str) -> AgentStep:
    return AgentStep(stage=Stage.OPEN, op="open", what=name, args={"object": name, "path": path})


def _listen(case: Case, loaded: str) -> Iterator[AgentStep]:
    """Begin to read the events once the object that has them is loaded."""
    if case.events is not None and case.events_in == loaded:
        args = {"object": loaded, "map": case.events}
        yield AgentStep(stage=Stage.OPEN, op="listen", what=case.events, args=args)


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


def _detach(link: str) -> AgentStep:
    return AgentStep(stage=Stage.DETACH, op="detach", what=link, args={"link": link})


def _tail_call(map_name: str, index: int, holder: str, program: str, *, owner: str = TARGET) -> AgentStep:
    args = {"object": owner, "map": map_name, "index": index, "program_object": holder, "program": program}
    return AgentStep(stage=Stage.ATTACH_TARGET, op="tail-call", what=program or f"{map_name}[{index}]", args=args)


def _trigger(trigger: Trigger, *, phase: str) -> AgentStep:
    args = {key: value for key, value in trigger.model_dump(mode="json").items() if key != "retval"}
    retval = trigger.retval if isinstance(trigger, RunTrigger) else None
    return AgentStep(stage=Stage.TRIGGER, op="trigger", what=trigger.kind, phase=phase, args=args, retval=retval)


def _observe(case: Case, look: Observation, *, phase: str, stage: Stage) -> Iterator[AgentStep]:
    sides = look.sides()
    if sides and case.events is not None:
        count = sum(pattern.times for patterns in sides.values() for pattern in patterns)
        args = {"map": case.events, "count": count, "seconds": OBSERVE_SECONDS}
        yield AgentStep(stage=stage, op="observe", what=case.events, phase=phase, args=args, look=look)
    if look.trace is not None:
        told = {"object": case.trace_in, **_programs(pattern.value for pattern in look.trace)}
        yield AgentStep(stage=stage, op="read-trace", what="trace", phase=phase, args=told, look=look)
