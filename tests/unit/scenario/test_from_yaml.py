from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

import pytest
from unit_samples import (
    check_golden,
    flagship_of_golden,
    golden_lines,
    sample_case,
    steps_case,
    written_case,
    written_steps,
)

from harness.config.case import WrittenCase
from harness.model.results import Stage
from harness.scenario.carriers import Carriers
from harness.scenario.case import AgentStep
from harness.scenario.from_yaml import ATTACH_TYPES, compile_case
from harness.scenario.jobs import job_of
from harness.scenario.single_steps import OBSERVE_SECONDS

PATHS = {name: PurePosixPath("/run/bpfmatrix/case") / name for name in ("target.bpf.c", "tracer.bpf.c")}


def steps(**changes: Any) -> list[dict[str, Any]]:
    return [step.job(PATHS) for step in sample_case(**changes).steps]


def ops(**changes: Any) -> list[str]:
    return [" ".join(filter(None, [step["op"], str(step.get("what", ""))])) for step in steps(**changes)]


def test_golden_job() -> None:
    job = job_of([(sample_case(), PATHS)], deadline=30.0)
    check_golden("job.json", f"{json.dumps(job, indent=1)}\n")


def test_the_job_is_the_one_that_the_real_transcript_answers() -> None:
    keys = ("stage", "op", "what", "phase")
    answered = [tuple(map(line.get, keys)) for line in golden_lines() if line["type"] == "step"]
    assert [tuple(map(step.get, keys)) for step in steps()] == answered


def test_the_committed_flagship_takes_the_same_steps() -> None:
    assert flagship_of_golden().steps == sample_case().steps


def test_the_second_look_has_other_programs_in_the_slots_and_the_tracers_still_attached() -> None:
    again = {
        "tail-calls": [{"map": "progs", "index": 0, "program": "other"}],
        "observe": {"client": [{"kind": "fexit", "retval": 5}]},
    }
    steps_again = sample_case(again=again).steps
    plain = sample_case().steps
    (first,) = [index for index, step in enumerate(steps_again) if step.what == "other"]
    second = steps_again[first : first + 3]
    assert [(step.op, step.phase) for step in second] == [("tail-call", ""), ("trigger", "again"), ("observe", "again")]
    assert second[2].look is not None and second[2].args["count"] == 1
    assert steps_again[:first] + steps_again[first + 3 :] == plain, "all other steps are as they were"
    assert steps_again[first + 3].op == "detach" and steps_again[first - 1].phase == "observe"


def test_the_stages_come_in_their_order() -> None:
    order = list(Stage)
    stages = [Stage(step["stage"]) for step in steps() if step["op"] != "listen" and step.get("phase") != "control"]
    assert stages == sorted(stages, key=order.index)


def test_tracers_are_attached_before_the_target_can_run() -> None:
    found = ops()
    assert found.index("attach fexit_tcp_connect") < found.index("tail-call handle_new_connection")
    assert found.index("tail-call handle_new_connection") < found.index("attach k_tcp_connect")
    assert found.index("listen events") < found.index("trigger tcp-connect")


def test_the_negative_control_comes_when_the_tracers_are_gone_and_the_target_is_not() -> None:
    found = ops()
    control = len(found) - 1 - found[::-1].index("trigger tcp-connect")
    assert found.index("detach fentry_tcp_connect") < control
    assert found.index("detach fexit_tcp_connect") < control
    assert found.index("detach k_tcp_connect") > control


def test_a_case_without_a_tracer() -> None:
    found = ops(tracer=None, control=None)
    assert not [word for word in found if "fentry" in word or "tracer" in word or "share" in word]
    assert found.count("trigger tcp-connect") == 1


def test_a_case_without_events_observes_nothing() -> None:
    found = ops(events=None, observe={}, control=None)
    assert not [word for word in found if word.startswith("listen")]
    assert not [word for word in found if word.startswith("observe")]


def test_without_a_control_there_is_one_trigger() -> None:
    assert ops(control=None).count("trigger tcp-connect") == 1


def test_the_agent_waits_for_as_many_events_as_must_be_seen() -> None:
    looks = [step for step in steps() if step["op"] == "observe"]
    assert [(step["phase"], step["count"], step["seconds"]) for step in looks] == [
        ("observe", 4, OBSERVE_SECONDS),
        ("control", 2, OBSERVE_SECONDS),
    ]
    (look,) = [step for step in steps(observe={"client": []}, control=None) if step["op"] == "observe"]
    assert look["count"] == 0


def test_a_function_inside_the_target() -> None:
    tracer = {
        "object": "tracer.bpf.c",
        "attach": [{"program": "p", "target": "k_tcp_connect", "function": "inner"}],
    }
    (step,) = [step for step in steps(tracer=tracer) if step["op"] == "set-attach-target"]
    assert (step["target"], step["function"]) == ("k_tcp_connect", "inner")


def test_several_tail_calls_keep_their_slots() -> None:
    target = {
        "object": "target.bpf.c",
        "attach": ["k"],
        "tail-calls": [{"map": "progs", "index": 7, "program": "a"}, {"map": "progs", "index": 0, "program": "b"}],
    }
    found = [(s["index"], s["program"]) for s in steps(target=target) if s["op"] == "tail-call"]
    assert found == [(7, "a"), (0, "b")]


# --- steps that a case spells out -------------------------------------------------------------------------------------

OBJECTS = {"target": "target.bpf.c", "tracer": "tracer.bpf.c"}


def spelled(*steps: dict[str, Any], **changes: Any) -> tuple[AgentStep, ...]:
    return steps_case(*steps, **{"objects": OBJECTS, **changes}).steps


def sent(*steps: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:
    return [step.job(PATHS) for step in spelled(*steps, **changes)]


def test_golden_job_of_spelled_out_steps() -> None:
    job = job_of([(steps_case(), PATHS)], deadline=30.0)
    check_golden("job-steps.json", f"{json.dumps(job, indent=1)}\n")


def test_loading_opens_shares_chooses_targets_and_loads_in_this_order() -> None:
    load = {
        "do": "load",
        "object": "tracer",
        "only": ["fexit"],
        "share": {"records": "target.trace"},
        "attach-types": {"session": "fsession"},
        "tracing": {"fexit": "target.main:inner", "fentry": "target.main"},
    }
    found = sent(load)
    assert [(step["op"], step["stage"]) for step in found] == [
        ("open", "open"),
        *[(op, "load-tracer") for op in ("share-map", "set-attach-type", *["set-attach-target"] * 2, "load")],
    ]
    opened, share, kind, inner, main, _ = found
    assert (opened["path"], opened["only"]) == (str(PATHS["tracer.bpf.c"]), ["fexit"])
    assert (share["map"], share["from_object"], share["from_map"]) == ("records", "target", "trace")
    assert (kind["program"], kind["type"]) == ("session", ATTACH_TYPES["fsession"])
    assert (inner["target_object"], inner["target"], inner["function"]) == ("target", "main", "inner")
    assert (main["target_object"], main["target"], main["function"]) == ("target", "main", "main")


def test_the_kernel_itself_is_asked_for_a_type_of_the_targets_btf() -> None:
    raw = {"do": "load-raw", "object": "tracer", "program": "fentry", "target": "target.main", "btf-id": 7}
    opened, load = sent(raw)
    assert (opened["op"], opened["object"], opened["path"]) == ("open", "tracer", str(PATHS["tracer.bpf.c"]))
    assert (load["op"], load["stage"], load["what"]) == ("load-raw", "load-tracer", "fentry")
    assert [load[key] for key in ("object", "program", "target_object", "target", "btf_id")] == [
        *("tracer", "fentry", "target", "main", 7)
    ]


def test_the_events_are_listened_to_as_soon_as_the_target_is_loaded() -> None:
    loads = [{"do": "load", "object": name} for name in OBJECTS]
    assert [step["op"] for step in sent(*loads, events="events")] == ["open", "load", "listen", "open", "load"]
    assert [step["op"] for step in sent(*loads)] == ["open", "load", "open", "load"]


@pytest.mark.parametrize(
    ("step", "op"),
    [
        ({"do": "load", "object": "tracer", "tracing": {"p": "target.main"}, "share": {"a": "target.a"}}, "load"),
        ({"do": "load-raw", "object": "tracer", "program": "p", "target": "target.main", "btf-id": 1}, "load-raw"),
        ({"do": "attach", "program": "tracer.p"}, "attach"),
        ({"do": "detach", "link": "p"}, "detach"),
        ({"do": "tail-call", "map": "target.progs", "program": "target.main"}, "tail-call"),
        ({"do": "trigger", "trigger": {"kind": "call", "name": "getpgid"}}, "trigger"),
    ],
)
def test_a_step_that_must_be_refused_goes_on_and_no_other(step: dict[str, Any], op: str) -> None:
    found = spelled({**step, "refused": ["EINVAL", "EBUSY"], "message": "no"})
    assert {one.op for one in found if one.job().get("go_on")} == {op}
    (refused,) = [one for one in found if one.refused]
    assert (refused.op, refused.refused, refused.message) == (op, ("EINVAL", "EBUSY"), "no")
    assert not [one for one in spelled(step) if one.refused or one.job().get("go_on")]
    assert "refused" not in json.dumps([one.job() for one in found]), "what must come stays on the host"


def test_numbered_programs() -> None:
    found = sent(
        {"do": "load", "object": "tracer", "times": 2, "tracing": {"fexit": "target.main"}},
        {"do": "attach", "program": "tracer.fexit", "times": 3, "first": 4},
        {"do": "attach", "program": "tracer.fexit", "times": 1},
        {"do": "attach", "program": "tracer.fexit"},
    )
    assert [step["program"] for step in found if step["op"] == "set-attach-target"] == ["fexit_1", "fexit_2"]
    attached = [(step["program"], step["link"]) for step in found if step["op"] == "attach"]
    assert attached == [(name, name) for name in ("fexit_4", "fexit_5", "fexit_6", "fexit_1", "fexit")]


def test_ways_to_attach() -> None:
    (create,) = sent(
        {
            "do": "attach",
            "program": "tracer.p",
            "api": "link-create",
            "cookie": 7,
            "link": "again",
            "target": "target.main:inner",
        }
    )
    assert (create["what"], create["link"], create["api"], create["cookie"]) == ("again", "again", "link-create", 7)
    assert (create["target_object"], create["target"], create["function"]) == ("target", "main", "inner")
    assert create["stage"] == "attach-tracer"
    (plain,) = sent({"do": "attach", "program": "target.main"})
    assert {"api", "cookie", "function"}.isdisjoint(plain)
    assert plain["stage"] == "attach-target"


def test_slots_are_filled_emptied_and_may_belong_to_another_object() -> None:
    filled, emptied = sent(
        {"do": "tail-call", "map": "target.progs", "index": 3, "program": "tracer.p"},
        {"do": "tail-call", "map": "target.progs", "index": 3},
    )
    assert (filled["object"], filled["index"], filled["program_object"], filled["program"]) == (
        "target", 3, "tracer", "p",
    )  # fmt: skip
    assert (emptied["what"], emptied["program"]) == ("progs[3]", "")


def test_each_look_has_a_phase_of_its_own_that_the_triggers_before_it_share() -> None:
    trigger = {"do": "trigger", "trigger": {"kind": "tcp-connect"}}
    look = {"do": "observe", "expect": {"client": [{"kind": "kprobe", "times": 3}], "trace": [{"kind": "fexit"}]}}
    found = [step for step in sent(trigger, trigger, look, trigger, look, events="events") if "phase" in step]
    assert [(step["op"], step["phase"]) for step in found] == [
        *[("trigger", "look-1"), ("trigger", "look-1"), ("observe", "look-1"), ("read-trace", "look-1")],
        *[("trigger", "look-2"), ("observe", "look-2"), ("read-trace", "look-2")],
    ]
    assert [step["count"] for step in found if step["op"] == "observe"] == [3, 3]


def test_what_a_run_must_return_stays_on_the_host() -> None:
    run = {"kind": "run", "program": "target.main", "data": 0, "words": [1, 2], "retval": -7}
    (step,) = spelled({"do": "trigger", "trigger": run})
    assert step.retval == -7
    assert "retval" not in step.job()
    assert (step.job()["program"], step.job()["words"], step.job()["data"]) == ("target.main", [1, 2], 0)


def test_information_of_a_link_and_of_a_program() -> None:
    link, program, stats = spelled(
        {"do": "info", "link": "fentry", "expect": {"type": 2, "target_obj_id": "target.main"}},
        {"do": "info", "program": "target.main", "expect": {"run_cnt": 2}},
        {"do": "enable-stats"},
    )
    assert (link.job()["link"], link.fields) == ("fentry", {"type": 2, "target_obj_id": "target.main"})
    assert (program.job()["object"], program.job()["program"], program.fields) == ("target", "main", {"run_cnt": 2})
    assert "link" not in program.job()
    assert stats.job()["op"] == "enable-stats"


def test_a_step_may_name_its_stage() -> None:
    found = sent({"do": "load", "object": "tracer", "stage": "detach"}, {"do": "attach", "program": "tracer.p"})
    assert [step["stage"] for step in found] == ["detach", "detach", "attach-tracer"]


def test_a_wait_says_how_long() -> None:
    assert sent({"do": "wait", "seconds": 2})[-1] == {"stage": "observe", "op": "wait", "what": "2 s", "seconds": 2.0}


def test_without_a_number_the_agent_looks_the_function_up() -> None:
    load = {"do": "load-raw", "object": "tracer", "program": "bare", "target": "target.main"}
    assert "btf_id" not in sent(load)[-1]
    assert sent({**load, "btf-id": 0})[-1]["btf_id"] == 0


def test_the_agent_is_told_of_whose_info_a_field_is_asked_for() -> None:
    fields = {"attach_btf_obj_id": "target.main:btf_id", "prog_id": "tracer.fexit", "name": "=x:y", "type": 26}
    assert sent({"do": "info", "program": "tracer.fexit", "expect": fields})[-1]["programs"] == ["target.main"]
    assert "programs" not in sent({"do": "info", "link": "fexit", "expect": {"type": 2}})[-1]
    seen = [{"kind": "fentry", "value": "target.main:jited_address"}, {"kind": "fexit", "value": 3}]
    assert sent({"do": "observe", "expect": {"trace": seen}})[-1]["programs"] == ["target.main"]
    assert "programs" not in sent({"do": "observe", "expect": {"trace": seen[1:]}})[-1]


# --- the trace is shared unasked --------------------------------------------------------------------------------------

PAIR = ("trace", "trace_cursor")


BOTH = {"target": PAIR, "tracer": PAIR}


def shares(written: WrittenCase, carriers: Carriers) -> list[tuple[str, ...]]:
    steps = compile_case(written, carriers).steps
    keys = ("object", "map", "from_object", "from_map")
    return [tuple(step.args[key] for key in keys) for step in steps if step.op == "share-map"]


TRACE_SHARED = [("tracer", name, "target", name) for name in PAIR]


LOADS: list[dict[str, Any]] = [{"do": "load", "object": "target"}, {"do": "load", "object": "tracer"}]


def spelled_out(*steps: dict[str, Any]) -> WrittenCase:
    return written_steps(*steps, objects=OBJECTS)


def test_a_tracer_uses_the_trace_of_the_target_and_then_what_it_names() -> None:
    assert shares(written_case(), Carriers(trace_maps=BOTH)) == [
        *TRACE_SHARED,
        ("tracer", "events", "target", "events"),
    ]
    assert shares(spelled_out(*LOADS), Carriers(trace_maps=BOTH)) == TRACE_SHARED


@pytest.mark.parametrize(
    "carriers",
    [
        Carriers(),
        Carriers(trace_maps={"target": PAIR}),
        Carriers(trace_maps={"tracer": PAIR}),
        Carriers(trace_maps={"tracer": PAIR}, trace_in="tracer"),
    ],
)
def test_nothing_is_shared_where_one_object_has_a_trace(carriers: Carriers) -> None:
    assert shares(spelled_out(*LOADS), carriers) == []
    assert shares(written_case(), carriers) == [("tracer", "events", "target", "events")]


def test_what_is_loaded_before_the_trace_is_there_shares_nothing() -> None:
    assert shares(spelled_out(*reversed(LOADS)), Carriers(trace_maps=BOTH)) == []
    refused = {**LOADS[0], "refused": "EINVAL"}
    assert shares(spelled_out(refused, LOADS[1]), Carriers(trace_maps=BOTH)) == []


def test_a_case_may_keep_a_trace_apart_or_take_another_map() -> None:
    own = {**LOADS[1], "share": {"trace": "own", "trace_cursor": "own"}}
    assert shares(spelled_out(LOADS[0], own), Carriers(trace_maps=BOTH)) == []
    other = {**LOADS[1], "share": {"trace": "target.other"}}
    assert shares(spelled_out(LOADS[0], other), Carriers(trace_maps=BOTH)) == [
        ("tracer", "trace_cursor", "target", "trace_cursor"),
        ("tracer", "trace", "target", "other"),
    ]


def test_a_pair_that_is_named_all_the_same_is_shared_once() -> None:
    tracer = {"object": "tracer.bpf.c", "shared-maps": list(PAIR), "attach": [{"program": "p", "target": "k"}]}
    assert shares(written_case(tracer=tracer), Carriers(trace_maps=BOTH)) == TRACE_SHARED
    named = {**LOADS[1], "share": {name: f"target.{name}" for name in PAIR}}
    assert shares(spelled_out(LOADS[0], named), Carriers(trace_maps=BOTH)) == TRACE_SHARED
