from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

import pytest
from unit_samples import ROOT, check_golden, golden_lines, sample_case

from harness.config.case import load_case
from harness.jobs import OBSERVE_SECONDS, job_text, steps_of
from harness.model import Stage

PATHS = {name: PurePosixPath("/run/bpfmatrix/case") / name for name in ("target.bpf.c", "tracer.bpf.c")}


def steps(**changes: Any) -> list[dict[str, Any]]:
    return steps_of(sample_case(**changes), paths=PATHS)


def ops(**changes: Any) -> list[str]:
    return [" ".join(filter(None, [step["op"], str(step.get("what", ""))])) for step in steps(**changes)]


def test_golden_job() -> None:
    job = json.loads(job_text([(sample_case(), PATHS)], deadline=30.0))
    check_golden("job.json", f"{json.dumps(job, indent=1)}\n")


def test_the_job_is_the_one_that_the_real_transcript_answers() -> None:
    answered = [(line["stage"], line["op"], line["what"]) for line in golden_lines() if line["type"] == "step"]
    assert [(step["stage"], step["op"], step.get("what", "")) for step in steps()] == answered


def test_the_committed_flagship_takes_the_same_steps() -> None:
    case = load_case(ROOT / "bpf/kprobe-fentry-fexit")
    assert steps_of(case, paths=PATHS) == steps()


def test_the_stages_come_in_their_order() -> None:
    order = list(Stage)
    stages = [Stage(step["stage"]) for step in steps() if step["op"] != "listen" and step.get("phase") != "control"]
    assert stages == sorted(stages, key=order.index)


def test_tracers_are_attached_before_the_target_can_run() -> None:
    found = ops()
    assert found.index("attach fexit_tcp_connect") < found.index("tail-call handle_new_connection")
    assert found.index("tail-call handle_new_connection") < found.index("attach k_tcp_connect")
    assert found.index("listen") < found.index("trigger tcp-connect")


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
    assert "listen" not in found
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


@pytest.mark.parametrize(("own", "wanted"), [(None, 30.0), (5.5, 5.5)])
def test_the_deadline_is_the_cases_own_or_the_matrixs(own: float | None, wanted: float) -> None:
    job = json.loads(job_text([(sample_case(deadline=own), PATHS)], deadline=30.0))
    assert job["cases"][0]["deadline"] == wanted


def test_sysctls_go_along() -> None:
    job = json.loads(job_text([(sample_case(sysctls={"net.core.bpf_jit_enable": 0}), PATHS)], deadline=1))
    assert job["cases"][0]["sysctls"] == {"net.core.bpf_jit_enable": 0}
    assert json.loads(job_text([], deadline=1)) == {"cases": []}


def test_an_object_without_a_path_is_a_mistake_of_the_harness() -> None:
    with pytest.raises(KeyError):
        steps_of(sample_case(), paths={})
