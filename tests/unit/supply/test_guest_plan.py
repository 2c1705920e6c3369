"""A plan says how its guest is reached."""

from __future__ import annotations

from pathlib import Path

from unit_samples import guest_plan, kernel_files


def test_a_kernel_without_a_network_card_is_reached_over_a_serial_port(tmp_path: Path) -> None:
    assert guest_plan(tmp_path, kernel=kernel_files(tmp_path, has_network=False)).serial
    assert not guest_plan(tmp_path).serial


def test_two_plans_do_not_end_each_others_guests(tmp_path: Path) -> None:
    one, other = guest_plan(tmp_path), guest_plan(tmp_path)
    one.stopping.set()
    assert not other.stopping.is_set()
