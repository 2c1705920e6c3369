"""Single steps: what the agent gets of each; whole cases of them are in test_from_yaml.py."""

from __future__ import annotations

from typing import Any

import pytest
from unit_samples import written_case

from harness.config.steps import LoadRawStep, Opened
from harness.config.triggers import RunTrigger
from harness.model.results import Stage
from harness.scenario.carriers import TARGET, Carriers, Source
from harness.scenario.single_steps import attached, function_of, load_raw, opening, programs_of, tail_call, triggering


def source(**carriers: Any) -> Source:
    return Source(written=written_case(), carriers=Carriers(**carriers), files={TARGET: "target.bpf.c"})


def test_read_only_variables_are_told_only_where_there_are_some() -> None:
    assert opening(source(), TARGET).args == {"object": TARGET, "path": "target.bpf.c"}
    said = Opened.model_validate({"rodata": {"level": 3}, "map-sizes": {"m": 2}, "autoload": {"p": False}})
    asked = {"rodata": {"level": 3}, "sizes": {"m": 2}, "autoload": {"p": False}}
    assert opening(source(), TARGET, said=said).args == {"object": TARGET, "path": "target.bpf.c", **asked}
    pinned = Opened.model_validate({"pins": {"m": "/sys/fs/bpf/m"}})
    assert opening(source(), TARGET, said=pinned).args["pins"] == {"m": "/sys/fs/bpf/m"}
    assert opening(source(), "other").args["path"] == "", "which names.py reports with its line"


@pytest.mark.parametrize(
    ("section", "to", "told"),
    [("kprobe", "tcp_connect", "tcp_connect"), ("kprobe.multi", ("a", "b"), ["a", "b"]), ("kprobe", None, None)],
)
def test_where_a_program_is_attached_is_told_unless_its_section_says_it(section: str, to: Any, told: Any) -> None:
    step = attached(source(sections={TARGET: {"p": section}}), Stage.ATTACH_TARGET, TARGET, "p", to=to)
    assert (step.op, step.args.get("to")) == ("attach", told)


def test_what_was_chosen_before_the_load_is_not_told_again() -> None:
    step = attached(source(sections={TARGET: {"p": "fentry"}}), Stage.ATTACH_TARGET, TARGET, "p", to="tcp_connect")
    assert "to" not in step.args


def test_a_struct_ops_variable_is_attached_as_a_whole() -> None:
    of_variable = source(maps_of_programs={TARGET: {"ops": ["init", "release"]}})
    step = attached(of_variable, Stage.ATTACH_TARGET, TARGET, "ops", to=None)
    assert (step.op, step.args) == ("attach-map", {"object": TARGET, "map": "ops"})
    step = attached(of_variable, Stage.ATTACH_TARGET, TARGET, "release", to=None)
    assert (step.op, step.args) == ("attach-map", {"object": TARGET, "map": "ops", "link": "release"})


def test_an_emptied_slot_is_called_by_its_place() -> None:
    assert tail_call("progs", 2, TARGET, "handler").what == "handler"
    assert tail_call("progs", 2, TARGET, "").what == "progs[2]"


def test_what_a_run_must_return_is_judged_and_not_told() -> None:
    step = triggering(RunTrigger(kind="run", program="target.main", retval=7), phase="observe")
    assert step.retval == 7 and "retval" not in step.args


def test_a_raw_load_names_its_target_and_the_type_only_where_one_is_given() -> None:
    step = LoadRawStep(do="load-raw", object="tracer", program="p", target="target.main")
    assert load_raw(step).args == {
        "object": "tracer",
        "program": "p",
        "target_object": "target",
        "target": "main",
    }
    assert load_raw(step.model_copy(update={"btf_id": 0})).args["btf_id"] == 0


def test_programs_whose_info_is_asked_for() -> None:
    assert programs_of([1, "target.a:btf_id", "target.a:id", "=text:x", "target.b"]) == {"programs": ["target.a"]}
    assert programs_of([1, "target.b"]) == {}
    assert function_of("target.main:stub") == ("target", "main", "stub")
    assert function_of("target.main") == ("target", "main", "main")
