"""Signals by number and name."""

from __future__ import annotations

import pytest

from harness.agent.signals import SIGKILL, signal_name


@pytest.mark.parametrize(
    ("number", "name"), [(SIGKILL, "SIGKILL"), (15, "SIGTERM"), (11, "SIGSEGV"), (34, "SIGRTMIN"), (36, "SIGRTMIN+2")]
)
def test_a_signal_has_its_name_and_one_for_real_time_programs_a_number(number: int, name: str) -> None:
    assert signal_name(number) == name
