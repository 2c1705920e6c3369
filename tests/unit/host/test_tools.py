"""Programs of the host that only some runs need."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import MissingToolError
from harness.host.tools import HostTool, require_tools


def test_the_first_that_is_there_is_taken() -> None:
    tool = HostTool(name="no-such-tool", package="p", purpose="do something", others=("no-other", "sh", "env"))
    assert tool.found() == "sh"
    assert HostTool(name="env", package="p", purpose="do something", others=("sh",)).found() == "env"


def test_one_that_is_not_there_is_not_found() -> None:
    assert HostTool(name="no-such-tool", package="p", purpose="do something").found() is None


def test_a_header_is_a_file_by_its_path(tmp_path: Path) -> None:
    tool = HostTool(name=str(tmp_path / "gelf.h"), package="libelf-dev", purpose="build")
    assert tool.found() is None
    (tmp_path / "gelf.h").touch()
    assert tool.found() == str(tmp_path / "gelf.h")


def test_all_that_is_missing_is_one_error_with_one_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: {"ID": "debian"})
    there = HostTool(name="sh", package="dash", purpose="run scripts")
    one, two, same = (
        HostTool(name=f"no-such-{name}", package=package, purpose=f"do {name}")
        for name, package in (("one", "p"), ("two", "q"), ("three", "p"))
    )
    require_tools([there])
    with pytest.raises(MissingToolError) as caught:
        require_tools([one, there, two, same])
    lines = str(caught.value).splitlines()
    assert lines[:3] == [
        "no-such-one is not installed; it is needed to do one.",
        "no-such-two is not installed; it is needed to do two.",
        "no-such-three is not installed; it is needed to do three.",
    ]
    assert lines[3].startswith("Install with: apt-get install p q")
