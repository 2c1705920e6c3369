"""What the user says of objects: check.yaml beside them, and options, which come first."""

from __future__ import annotations

from pathlib import Path

import pytest
from own_samples import built, cases, parts, put

from harness.errors import (
    UsageError,
)
from harness.supply.own.said import Given, Sayings


def test_check_yaml_beside_an_object(tmp_path: Path) -> None:
    path, other = put(tmp_path, "little", "my.bpf.o", "other.bpf.o")
    (tmp_path / "check.yaml").write_text("autoload: {later: true}\n")
    (tmp_path / "other.check.yaml").write_text("programs: later\nmodules: [veth]\n")
    assert parts(built(cases(path)[0], tmp_path)) == ["pass_all", "later", "all-together"]
    (second,) = cases(other)
    assert (parts(built(second, tmp_path)), second.modules) == (["later"], ("veth",))
    assert parts(built(cases(other, programs=["pass*"])[0], tmp_path)) == ["pass_all"]
    assert parts(built(cases(path, file=tmp_path / "other.check.yaml")[0], tmp_path)) == ["later"]


def test_options_of_the_command_line(tmp_path: Path) -> None:
    (path,) = put(tmp_path, "little", "my.bpf.o")
    made = built(cases(path, rodata=["wanted=0x10"], require_run=True)[0], tmp_path)
    (opened,) = [step for step in made.parts[0].steps if step.op == "open"]
    assert (opened.args["rodata"], made.require_run) == ({"wanted": 16}, True)
    made = built(cases(path, run=False)[0], tmp_path)
    assert "workload" not in [step.op for step in made.parts[0].steps]


@pytest.mark.parametrize("text", ["wanted", "=1", "wanted=", "wanted=[", "1x=1"])
def test_rodata_that_cannot_be_read(text: str) -> None:
    with pytest.raises(UsageError):
        Sayings(Given(rodata=[text]))
