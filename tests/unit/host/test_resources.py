"""What the host has, and what the reports say of it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import pytest

from harness.host.resources import available_memory_mib, host_facts


def test_the_memory_that_programs_can_still_have(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "MemTotal:       24596460 kB\nMemFree:        10000000 kB\nMemAvailable:    2097153 kB\n"
    monkeypatch.setattr(Path, "read_text", lambda path: text if str(path) == "/proc/meminfo" else "")
    assert available_memory_mib() == 2048


def test_a_host_that_does_not_say_has_room_for_a_guest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", lambda _: "MemTotal: 1 kB\n")
    assert available_memory_mib() == 1024


def test_this_host_has_less_than_it_has_at_all() -> None:
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    assert 0 < available_memory_mib() <= whole


def test_the_reports_say_what_may_matter_and_not_whose_host_it_is() -> None:
    facts = host_facts()
    assert facts == {
        "kernel": platform.release(),
        "machine": platform.machine(),
        "cpus": str(len(os.sched_getaffinity(0))),
        "python": platform.python_version(),
    }
    assert platform.node() not in facts.values()
