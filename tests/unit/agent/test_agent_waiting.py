"""Waiting for processes, with the kernel's help and without it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.agent.waiting import Watch

HERE = Path(__file__).parent


@pytest.fixture(params=["a kernel with pidfd_open", "an older one", "one whose security forbids it"])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    number = {"an older one": errno.ENOSYS, "one whose security forbids it": errno.EPERM}.get(request.param)

    def absent(pid: int) -> int:
        raise OSError(number, f"pidfd_open of {pid}")

    if number is not None:
        monkeypatch.setattr(os, "pidfd_open", absent)


@pytest.mark.usefixtures("kernel")
def test_the_end_of_a_process_is_seen_and_its_status_is_left() -> None:
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writing)
        os.read(reading, 1)
        os._exit(7)
    watch = Watch(pid)
    assert not watch.has_ended()
    assert not watch.ends_within(0.01)
    os.close(writing)
    assert watch.ends_within(60)
    assert watch.has_ended()
    assert watch.ends_within(0)
    watch.close()
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    os.close(reading)


def test_that_it_cannot_be_watched_for_another_reason_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(pid: int) -> int:
        raise OSError(errno.EMFILE, f"pidfd_open of {pid}")

    monkeypatch.setattr(os, "pidfd_open", full)
    with pytest.raises(OSError, match="pidfd_open"):
        Watch(os.getpid())


def test_the_agent_does_all_it_does_on_a_kernel_without_the_newer_calls() -> None:
    """Its own tests of cases and commands, in a process for which these calls fail with ENOSYS."""
    names = (
        *("child", "commands", "serve", "namespaces", "setup", "triggers_files", "triggers_network"),
        *("triggers_processes", "scenario_run", "scenario_triggers"),
    )
    tests = [str(HERE / f"test_agent_{name}.py") for name in names]
    done = subprocess.run(
        [sys.executable, HERE / "older_kernel.py", *tests], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
