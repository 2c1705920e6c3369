"""Mutants of steps: what is left out is reported as done, and so is what needs it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest
from unit_samples import ROOT

from harness.config.case_folders import load_case
from harness.mutants.elf import Function
from harness.mutants.guests import WAIT_SECONDS, edited
from harness.mutants.model import Kind, Mutant
from harness.mutants.steps import NEVER_LEFT_OUT, Script, step_mutants
from harness.scenario.case import Case
from harness.scenario.from_yaml import compile_case
from harness.scenario.jobs import job_of

PROGRAMS = {
    "kprobe-fentry-fexit": {
        "target": {
            "handle_new_connection": "kprobe/handle_new_connection",
            "k_tcp_connect": "kprobe/tcp_connect",
            "k_icsk_complete_hashdance": "kprobe/inet_csk_complete_hashdance",
        },
        "tracer": {"fentry_tcp_connect": "fentry/k_tcp_connect", "fexit_tcp_connect": "fexit/k_tcp_connect"},
    },
    "subprog-static": {
        "target": {"subprog": ".text", "target": "tc"},
        "tracer": {"fentry": "fentry/subprog", "fexit": "fexit/subprog"},
    },
    "iterator": {"target": {"target": "iter/bpf_map_elem"}, "tracer": {"fentry": "fentry/target"}},
}


def script(name: str, *, reached: int | None = None) -> tuple[Case, Script]:
    case = compile_case(load_case(ROOT / "bpf" / name))
    steps = case.steps
    programs = {
        owner: [
            Function(name=one, section=section, place=place, code=())
            for place, (one, section) in enumerate(found.items())
        ]
        for owner, found in PROGRAMS.get(name, {}).items()
    }
    return case, Script(steps=steps, programs=programs, reached=len(steps) if reached is None else reached)


def mutants(name: str, *, reached: int | None = None) -> dict[str, dict[int, dict[str, Any]]]:
    return dict(step_mutants(script(name, reached=reached)[1]))


def test_a_step_that_is_left_out_is_still_reported_with_what_it_should_have_found() -> None:
    found = mutants("subprog-static")
    _, whole = script("subprog-static")
    (index, keys), *_ = found["trigger run: left out"].items()
    assert (whole.steps[index].op, keys) == ("trigger", {"skip": {"retval": 5}})


def test_a_connection_that_nobody_makes_has_made_up_ends() -> None:
    keys = next(iter(mutants("kprobe-fentry-fexit")["trigger tcp-connect: left out"].values()))
    assert keys["skip"]["ends"]["client"][0] == "127.0.0.1"


def test_what_needs_the_step_that_is_left_out_is_left_out_with_it() -> None:
    _, whole = script("kprobe-fentry-fexit")
    found = mutants("kprobe-fentry-fexit")["attach tracer.fexit_tcp_connect: left out"]
    assert [(whole.steps[index].op, keys) for index, keys in found.items()] == [
        ("attach", {"skip": {}}),
        ("detach", {"skip": {}}),
    ]


def test_an_iterator_that_is_not_attached_is_not_read() -> None:
    _, whole = script("iterator")
    name = next(name for name in mutants("iterator") if name.startswith("attach target.") and name.endswith("left out"))
    assert {whole.steps[index].op for index in mutants("iterator")[name]} >= {"attach", "trigger"}


def test_another_program_is_of_the_same_kind_and_keeps_the_name_of_the_link() -> None:
    found = mutants("kprobe-fentry-fexit")
    (keys,) = found["attach target.k_tcp_connect: attaches handle_new_connection instead"].values()
    assert keys == {"program": "handle_new_connection", "link": "k_tcp_connect"}
    assert not [name for name in found if "fentry_tcp_connect: attaches" in name], "there is no other fentry"


def test_a_tracer_of_a_function_can_trace_the_program_instead() -> None:
    (keys,) = mutants("subprog-static")[
        "set-attach-target tracer.fexit: traces the function target of target instead"
    ].values()
    assert keys == {"function": "target"}


def test_a_slot_gets_another_program_or_is_another_slot() -> None:
    found = mutants("kprobe-fentry-fexit")
    (other,) = found["tail-call target.handle_new_connection: puts k_tcp_connect into the slot instead"].values()
    (slot,) = found["tail-call target.handle_new_connection: fills the next slot instead"].values()
    assert (other, slot) == ({"program": "k_tcp_connect"}, {"index": 1})


def test_what_nothing_looks_at_any_more_is_no_mutant() -> None:
    """The last detachments of a case come when all is seen."""
    found = [name for name in mutants("kprobe-fentry-fexit") if name.startswith("detach")]
    assert found == ["detach fentry_tcp_connect: left out", "detach fexit_tcp_connect: left out"]


def test_only_steps_that_the_case_gets_to_are_changed() -> None:
    _, whole = script("subprog-static")
    load = next(index for index, step in enumerate(whole.steps) if step.op == "load" and step.what == "tracer")
    found = mutants("subprog-static", reached=load)
    assert found
    assert all(index <= load for changes in found.values() for index in changes)


@pytest.mark.parametrize("folder", sorted(path.parent.name for path in ROOT.glob("bpf/*/case.yaml")))
def test_every_mutant_of_every_case_changes_steps_that_are_there_and_has_a_name_of_its_own(folder: str) -> None:
    _, whole = script(folder)
    pairs = list(step_mutants(whole))
    assert len({name for name, _ in pairs}) == len(pairs)
    for name, changes in pairs:
        assert changes, name
        for index, keys in changes.items():
            assert whole.steps[index].op not in NEVER_LEFT_OUT - {"info"} or "skip" not in keys, name


def test_a_job_is_changed_by_the_id_of_each_case_and_waits_are_short_for_all() -> None:
    case, _ = script("kprobe-fentry-fexit")
    paths = {file: PurePosixPath(file) for file in case.objects.values()}
    job = job_of([(replace(case, id=f"x~{number}"), paths) for number in range(2)], deadline=30)
    mutant = Mutant(case=case, kind=Kind.STEPS, name="", changes={4: {"skip": {}}}, settings={"sysctls": {"a.b": 1}})
    plain, changed = edited(job, {"x~0": None, "x~1": mutant})["cases"]
    assert "skip" not in plain["steps"][4]
    assert (changed["steps"][4]["skip"], changed["sysctls"]) == ({}, {"a.b": 1})
    assert {step["seconds"] for step in plain["steps"] if "seconds" in step} == {WAIT_SECONDS}
    assert "skip" not in job["cases"][1]["steps"][4], "the job itself is as it was"
