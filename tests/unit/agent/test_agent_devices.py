"""What is said to the kernel of network devices. That it does it is for real guests to show (test_vm_setup.py)."""

from __future__ import annotations

import socket
import struct

import pytest

from harness.agent.devices import XDP_MODES, hardware_address, split_address, xdp_mode
from harness.agent.netlink import IFLA_XDP, attribute


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.0.2.1/24", (socket.AF_INET, bytes((192, 0, 2, 1)), 24)),
        ("192.0.2.1", (socket.AF_INET, bytes((192, 0, 2, 1)), 32)),
        ("2001:db8::1/64", (socket.AF_INET6, bytes.fromhex("20010db8000000000000000000000001"), 64)),
        ("::1", (socket.AF_INET6, bytes(15) + b"\1", 128)),
    ],
)
def test_an_address_has_a_family_and_a_prefix(text: str, found: tuple[int, bytes, int]) -> None:
    assert split_address(text) == found


def test_each_end_of_each_device_has_an_address_of_its_own() -> None:
    made = [hardware_address(number, end) for number in range(3) for end in (1, 2)]
    assert len(set(made)) == len(made)
    assert all(len(each) == 6 and each[0] & 3 == 2 for each in made)  # local, and of one device


@pytest.mark.parametrize(("number", "mode"), [(0, ""), *XDP_MODES.items(), (9, "")])
def test_how_an_xdp_program_runs_is_what_the_kernel_says(
    number: int, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = attribute(1, struct.pack("=i", -1)), attribute(2, bytes((number,)))
    monkeypatch.setattr("harness.agent.devices.device_attributes", lambda _index: {IFLA_XDP: b"".join(inner)})
    assert xdp_mode(1) == mode


def test_a_device_without_a_program_runs_none() -> None:
    assert xdp_mode(socket.if_nametoindex("lo")) == ""
