"""How the things of a case's setup are made, as far as no kernel is needed."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any, get_args

import pytest
from agent_samples import Played, refusal

from harness.agent.case_state import CaseState
from harness.agent.setup import MAKERS, make, missing_folders, remove_folders
from harness.config.setup import Thing


def state() -> CaseState:
    return CaseState(Played(), {})


def test_each_thing_that_a_case_can_declare_can_be_made() -> None:
    models = get_args(get_args(Thing)[0])
    assert {get_args(model.model_fields["make"].annotation)[0] for model in models} == MAKERS.keys()


@pytest.mark.parametrize("join", [True, False])
def test_a_process_joins_the_control_groups_that_it_is_to_join(
    join: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    monkeypatch.setattr("harness.agent.setup.GROUPS", str(tmp_path))
    monkeypatch.setattr("harness.agent.setup.write_text", lambda path, _text: written.append(path))
    case = state()
    make(case, {"make": "cgroup", "name": "one/inner", "join": join})
    assert (tmp_path / "one/inner").is_dir()
    assert (written, case.joined) == ([f"{tmp_path}/one/inner/cgroup.procs"] * join, join)
    assert case.groups == ["one/inner"]


def test_a_device_that_nobody_has_made_has_no_queue() -> None:
    found = refusal(lambda: make(state(), {"make": "qdisc", "kind": "fq", "device": "a", "module": "sch_fq"}))
    assert (found.number, found.detail) == (errno.ENODEV, "the setup has made no device a (there are: none)")


def test_the_folders_of_mounts_are_gone_after_the_case_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()

    def mount(at: str) -> dict[str, Any]:
        return {"op": "make", "thing": {"make": "mount", "type": "tmpfs", "at": f"{tmp_path}/{at}"}}

    steps = [mount("there"), mount("there/new/deep"), mount("there/new"), {"op": "load"}]
    found = missing_folders({"steps": steps})
    assert found == [f"{tmp_path}/there/new", f"{tmp_path}/there/new/deep"]
    assert missing_folders({"setup": steps}) == found
    assert missing_folders({"scenario": {}}) == []
    (tmp_path / "there/new/deep").mkdir(parents=True)
    (tmp_path / "there/own").touch()
    remove_folders(found)
    assert [path.name for path in (tmp_path / "there").iterdir()] == ["own"]
    remove_folders(found)
