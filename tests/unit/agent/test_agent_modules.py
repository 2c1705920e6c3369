"""The modules of a case."""

# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import ctypes
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from harness.agent.kernel_abi import FINIT_MODULE
from harness.agent.modules import load_modules


class Calls:
    """Plays the C library: notes system calls and answers them."""

    def __init__(self, *failures: int) -> None:
        self.failures = list(failures)
        self.made: list[Any] = []

    def syscall(self, number: int, *arguments: Any) -> int:
        self.made.append((number, *arguments))
        failure = self.failures.pop(0) if self.failures else 0
        ctypes.set_errno(failure)
        return -1 if failure else 0


def load(modules: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, *failures: int) -> tuple[Any, Calls]:
    calls = Calls(*failures)
    monkeypatch.setattr(ctypes, "CDLL", lambda name, use_errno=False: calls)
    return load_modules(modules), calls


def module(name: str, *files: Path, built_in: bool = False) -> dict[str, Any]:
    return {"name": name, "files": [str(path) for path in files], "built_in": built_in}


def test_a_cases_modules_are_loaded_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / name for name in ("tunnel4.ko", "sit.ko")]
    for path in files:
        path.touch()
    found, calls = load([module("sit", *files), module("tls", built_in=True)], monkeypatch, errno.EEXIST)
    assert found is None, "one that is loaded already does not matter"
    assert [call[0] for call in calls.made] == [FINIT_MODULE[os.uname().machine]] * 2


def test_a_module_that_there_is_not_ends_the_case(monkeypatch: pytest.MonkeyPatch) -> None:
    found, calls = load([module("vehth")], monkeypatch)
    wanted = {"cause": "module", "name": "vehth", "value": None, "errno_name": "ENOENT", "missing": True}
    assert found["precondition"] == wanted
    assert calls.made == []


def test_a_module_that_the_kernel_refuses_ends_the_case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "veth.ko").touch()
    found, _ = load([module("veth", tmp_path / "veth.ko")], monkeypatch, errno.EKEYREJECTED)
    wanted = {"cause": "module", "name": "veth", "value": None, "errno_name": "EKEYREJECTED", "missing": False}
    assert found["precondition"] == wanted


def test_what_the_kernel_has_a_folder_for_is_there() -> None:
    name = next(path.name for path in Path("/sys/module").iterdir())
    assert load_modules([module(name.replace("_", "-"))]) is None


def test_a_module_that_only_an_attacher_needs_may_be_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cls.ko").touch()
    optional = [{**module("vehth"), "optional": True}, {**module("cls", tmp_path / "cls.ko"), "optional": True}]
    found, calls = load(optional, monkeypatch, errno.EKEYREJECTED)
    assert found is None
    assert len(calls.made) == 1
