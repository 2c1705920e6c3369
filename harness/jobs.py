"""From a case to what the guest agent executes: an ordered list of steps, each with its stage. Pure.

docs/agent-protocol.md describes the job file; harness/guest_agent.py executes it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath
from typing import Any

from harness.config.case import Case
from harness.model import Stage

OBSERVE_SECONDS = 2.0
"""How long the agent waits for events that are still missing; those that are there are taken at once."""

Step = dict[str, Any]


def steps_of(case: Case, *, paths: Mapping[str, PurePosixPath]) -> list[Step]:
    """Return the steps of a case in the order of the seed.

    Open, load the target, tell the tracers their targets, load and attach them, fill the tail-call slots,
    attach the target, trigger, observe; then detach the tracers, trigger and observe again (the negative
    control), and detach the rest. `paths` maps an object's file name to its path in the guest.
    """
    steps = [_step(Stage.OPEN, "open", object="target", path=str(paths[case.target.object]))]
    if case.tracer is not None:
        steps.append(_step(Stage.OPEN, "open", object="tracer", path=str(paths[case.tracer.object])))
    steps.append(_step(Stage.LOAD_TARGET, "load", object="target", what="target"))
    if case.events is not None:
        steps.append(_step(Stage.OPEN, "listen", object="target", map=case.events))
    steps += _tracer_steps(case)
    for slot in case.target.tail_calls:
        steps.append(
            _step(
                Stage.ATTACH_TARGET,
                "tail-call",
                object="target",
                map=slot.map,
                index=slot.index,
                program=slot.program,
                what=slot.program,
            )
        )
    for program in case.target.attach:
        steps.append(_step(Stage.ATTACH_TARGET, "attach", object="target", program=program, what=program))
    steps += _look(case, phase="observe")
    tracers = [tracer.program for tracer in case.tracer.attach] if case.tracer is not None else []
    steps += [_step(Stage.DETACH, "detach", program=program, what=program) for program in tracers]
    if case.control is not None:
        steps += _look(case, phase="control")
    steps += [_step(Stage.DETACH, "detach", program=program, what=program) for program in case.target.attach]
    return steps


def job_text(cases: Iterable[tuple[Case, Mapping[str, PurePosixPath]]], *, deadline: float) -> str:
    """Return the job file for some cases; `deadline` (seconds) holds where a case has none of its own."""
    jobs = [
        {
            "id": case.id,
            "deadline": case.deadline or deadline,
            "sysctls": dict(case.sysctls),
            "steps": steps_of(case, paths=paths),
        }
        for case, paths in cases
    ]
    return json.dumps({"cases": jobs})


def _tracer_steps(case: Case) -> list[Step]:
    if case.tracer is None:
        return []
    steps = [
        _step(Stage.LOAD_TRACER, "share-map", **{"object": "tracer", "map": name, "from": "target"}, what=name)
        for name in case.tracer.shared_maps
    ]
    for tracer in case.tracer.attach:
        steps.append(
            _step(
                Stage.LOAD_TRACER,
                "set-attach-target",
                object="tracer",
                program=tracer.program,
                target_object="target",
                target=tracer.target,
                function=tracer.function_name,
                what=tracer.program,
            )
        )
    steps.append(_step(Stage.LOAD_TRACER, "load", object="tracer", what="tracer"))
    for tracer in case.tracer.attach:
        steps.append(_step(Stage.ATTACH_TRACER, "attach", object="tracer", program=tracer.program, what=tracer.program))
    return steps


def _look(case: Case, *, phase: str) -> list[Step]:
    trigger = case.trigger
    steps = [_step(Stage.TRIGGER, "trigger", phase=phase, what=trigger.kind, **trigger.model_dump(mode="json"))]
    wanted = case.observe if phase == "observe" else case.control
    if case.events is not None and wanted is not None:
        count = sum(len(patterns) for patterns in wanted.sides().values())
        steps.append(
            _step(
                Stage.OBSERVE if phase == "observe" else Stage.DETACH,
                "observe",
                phase=phase,
                map=case.events,
                count=count,
                seconds=OBSERVE_SECONDS,
                what=case.events,
            )
        )
    return steps


def _step(stage: Stage, op: str, **fields: Any) -> Step:
    return {"stage": stage.value, "op": op, **fields}
