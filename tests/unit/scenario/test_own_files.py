"""The files that a case has in its guest: which folder is its own, and where a case names them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from unit_samples import CASE_ID, written_case

from harness.config.case import WrittenCase
from harness.config.case_folders import load_case
from harness.scenario.from_yaml import compile_case
from harness.scenario.own_files import in_own_folder, own_of, own_places, programs_of_triggers

EXEC = {"kind": "exec", "command": ["./my-test", "-v"]}
FOLDER = f"/run/bpfmatrix/{CASE_ID}"


def steps(*made: dict[str, Any]) -> WrittenCase:
    keys = {"id": "x", "folder": Path("bpf/x"), "title": "t", "objects": {"target": "a.bpf.c"}, "steps": made}
    return WrittenCase.model_validate(keys)


def target(**keys: Any) -> dict[str, Any]:
    return {"object": "target.bpf.c", "attach": ["p"], **keys}


@pytest.mark.parametrize(
    ("changes", "folder"),
    [
        ({}, ""),
        ({"files": ["data"]}, FOLDER),
        ({"trigger": EXEC, "control": None, "observe": {}}, FOLDER),
        ({"target": target(**{"attach-to": {"p": "./my-test:main"}}), "tracer": None, "control": None}, FOLDER),
        ({"target": target(**{"attach-to": {"p": "libc.so.6:labs"}}), "tracer": None, "control": None}, ""),
    ],
)
def test_a_case_has_a_folder_of_its_own_where_it_needs_one(changes: dict[str, Any], folder: str) -> None:
    written = written_case(**changes)
    assert own_of(written).folder == compile_case(written).own.folder == folder


def test_a_scenario_always_has_one_and_a_command_never(tmp_path: Path) -> None:
    case = tmp_path / "my-case"
    case.mkdir()
    (case / "scenario.py").write_text('"""A title."""\n\ndef scenario(guest): ...\n')
    (case / "a.bpf.c").touch()
    assert own_of(load_case(case)).folder == "/run/bpfmatrix/my-case"
    keys = {"id": CASE_ID, "folder": case, "title": "t", "command": "./my-test", "files": ["data"]}
    assert own_of(WrittenCase.model_validate(keys)).folder == ""


def test_programs_are_named_by_triggers_and_places_by_what_is_attached() -> None:
    written = written_case(
        trigger=EXEC,
        observe={},
        control=None,
        target=target(**{"attach-to": {"p": "./a:main", "q": "tcp_connect"}}),
        tracer={"object": "tracer.bpf.c", "attach": ["u"], "attach-to": {"u": "./b:main"}},
    )
    assert list(programs_of_triggers(written)) == [(("trigger", "command"), "./my-test")]
    assert list(own_places(written)) == [
        (("target", "attach-to", "p"), "./a:main"),
        (("tracer", "attach-to", "u"), "./b:main"),
    ]
    spelled_out = steps(
        {"do": "load", "object": "target", "attach-to": {"p": "./a:main", "m": ["b", "c"]}},
        {"do": "attach", "program": "target.p"},
        {"do": "attach", "program": "target.q", "to": "./b:main"},
        {"do": "trigger", "trigger": {"kind": "fork"}},
        {"do": "trigger", "trigger": EXEC},
    )
    assert list(programs_of_triggers(spelled_out)) == [(("steps", 4, "trigger", "command"), "./my-test")]
    assert sorted(own_places(spelled_out)) == [
        (("steps", 0, "attach-to", "p"), "./a:main"),
        (("steps", 2, "to"), "./b:main"),
    ]


def test_only_a_place_in_a_file_of_its_own_is_in_its_folder() -> None:
    assert in_own_folder("./my-test:main", "x") == "/run/bpfmatrix/x/my-test:main"
    assert in_own_folder("libc.so.6:labs", "x") == "libc.so.6:labs"
    written = written_case(
        target=target(**{"attach-to": {"p": "./my-test:main+0x4"}}), tracer=None, control=None, observe={}
    )
    (attach,) = [step for step in compile_case(written).steps if step.op == "attach"]
    assert attach.args["to"] == f"{FOLDER}/my-test:main+0x4"
