"""How `./run` is asked for emulators that are missing. tests/unit/cli/test_bootstrap.py shows what it does then."""

# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence

import pytest

from harness.errors import MissingToolError
from harness.host import emulators, tools
from harness.host.emulators import EMULATORS, RUN, complaint, require, wish
from harness.host.tools import HostTool
from harness.model.architectures import ARCHITECTURES


class Replaced(Exception):
    """Another program has taken the place of this process."""


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Sequence[str], str]]:
    """What takes the place of this process: the program, its arguments, and what it is to install."""
    found: list[tuple[str, Sequence[str], str]] = []

    def execve(path: str, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        assert RUN not in environment, "./run says itself who it is"
        found.append((path, argv, environment[EMULATORS]))
        raise Replaced

    monkeypatch.setattr(os, "execve", execve)
    monkeypatch.setattr(sys, "argv", ["invoke", "matrix", "--arch", "all"])
    return found


def test_run_is_started_again_with_the_same_arguments_and_learns_what_is_missing(
    started: list[tuple[str, Sequence[str], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulators, "has_tool", lambda name: name == "qemu-system-x86_64")
    with pytest.raises(Replaced):
        require(["s390x", "x86_64", "arm64", "s390x"], run="/project/run")
    missing = "qemu-system-s390x:qemu-system-s390x qemu-system-aarch64:qemu-system-arm"
    assert started == [("/project/run", ["/project/run", "matrix", "--arch", "all"], missing)]


def test_without_run_the_message_says_what_each_is_for_and_one_command_for_all(
    started: list[tuple[str, Sequence[str], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulators, "has_tool", lambda name: False)
    with pytest.raises(MissingToolError) as caught:
        require(["arm64", "x86_64"], run="")
    assert str(caught.value) == complaint([ARCHITECTURES["arm64"], ARCHITECTURES["x86_64"]])
    lines = str(caught.value).splitlines()
    assert lines[0] == "qemu-system-aarch64 is not installed; it is needed to boot arm64 kernels."
    assert lines[2].startswith("Install with: apt-get install qemu-system-arm qemu-system-x86")
    assert started == []


RPM2CPIO = HostTool(name="rpm2cpio", package="rpm2cpio", purpose="unpack", others=("bsdtar",))
RPMKEYS = HostTool(name="rpmkeys", package="rpm", purpose="check signatures")


def test_tools_that_kernels_need_are_installed_with_the_emulators(
    started: list[tuple[str, Sequence[str], str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(emulators, "has_tool", lambda name: False)
    monkeypatch.setattr(tools, "has_tool", lambda name: name == "bsdtar")
    with pytest.raises(Replaced):
        require(["x86_64"], tools=[RPM2CPIO, RPMKEYS], run="/project/run")
    monkeypatch.setattr(emulators, "has_tool", lambda name: True)
    with pytest.raises(Replaced):
        require(["x86_64"], tools=[RPM2CPIO, RPMKEYS], run="/project/run")
    assert [wished for _, _, wished in started] == ["qemu-system-x86_64:qemu-system-x86 rpmkeys:rpm", "rpmkeys:rpm"]


def test_a_tool_that_is_missing_is_no_error_where_nobody_can_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(emulators, "has_tool", lambda name: True)
    monkeypatch.setattr(tools, "has_tool", lambda name: False)
    require(["x86_64"], tools=[RPMKEYS], run="")


def test_nothing_is_wished_for_where_nothing_is_missing() -> None:
    assert wish([]) == ""
