"""A command of the command line as a case of a plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES
from harness.scenario.from_command import Command
from harness.supply.command_case import CommandCase, environment_of
from harness.supply.dependencies import Sight
from harness.supply.objects import ObjectBuilder
from harness.supply.wanted import Wanted


def test_what_a_command_brings_is_found_later_and_nothing_is_compiled(tmp_path: Path) -> None:
    wanted = Wanted(command=Command(argv=("./my-test", "-v")), folder=tmp_path)
    case = CommandCase(wanted=wanted, id="my-test", title="./my-test -v", memory=512)
    builder = ObjectBuilder(cache=Cache(tmp_path / "cache"), include=())
    built = case.build(builder, ARCHITECTURES["arm64"], sight=Sight())
    assert (built.case, dict(built.files), built.wanted) == (case.compiled(), {}, wanted)
    assert (built.case.id, built.case.memory, built.case.alone) == ("my-test", 512, True)
    assert (case.modules, case.compiled().modules) == ((), ())


def test_the_modules_of_a_command_are_looked_for_in_each_kernel_and_loaded(tmp_path: Path) -> None:
    wanted = Wanted(command=Command(argv=("./my-test",)), folder=tmp_path)
    case = CommandCase(wanted=wanted, id="my-test", title="./my-test", modules=("loop", "ext4"))
    assert (case.modules, case.compiled().modules) == (("loop", "ext4"), ("loop", "ext4"))


def test_a_variable_has_a_value_or_that_of_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERE", "a=b")
    monkeypatch.delenv("NOWHERE", raising=False)
    assert environment_of(["HERE", "NEW=x=y", "EMPTY="]) == {"HERE": "a=b", "NEW": "x=y", "EMPTY": ""}
    for wrong in ("NOWHERE", "=x", ""):
        with pytest.raises(ConfigError, match="--env takes NAME=VALUE"):
            environment_of([wrong])
