"""Processes without transparent huge pages, as the kernel itself says of them."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from harness.qemu.pages import no_huge_pages


def of_this_process() -> str:
    return Path("/proc/self/status").read_text().partition("THP_enabled:")[2].split()[0]


def of_a_child() -> str:
    """What a process that is started now has; "1" or "0", as Documentation/filesystems/proc.rst has it."""
    argv = ["grep", "THP_enabled:", "/proc/self/status"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()[1]


pytestmark = pytest.mark.skipif(of_this_process() != "1", reason="this host has no transparent huge pages")


def test_what_is_started_in_the_block_does_without_them_and_this_process_has_them_again() -> None:
    with no_huge_pages():
        assert of_a_child() == "0"
    assert (of_this_process(), of_a_child()) == ("1", "1")


def test_they_come_back_after_an_error() -> None:
    with pytest.raises(KeyError), no_huge_pages():
        raise KeyError
    assert of_this_process() == "1"


def test_one_thread_does_not_end_what_another_has_begun() -> None:
    inside, found = threading.Event(), list[str]()

    def other() -> None:
        with no_huge_pages():
            inside.set()
            found.append(of_a_child())

    with no_huge_pages():
        thread = threading.Thread(target=other)
        thread.start()
        assert not inside.wait(0.1), "it waits until the first block is over"
        found.append(of_a_child())
    thread.join(30)
    assert (found, of_this_process()) == (["0", "0"], "1")
