"""Messages of rtnetlink(7)."""

from __future__ import annotations

import errno
import socket
import struct

import pytest

from harness.agent.netlink import IFLA_IFNAME, RTM_NEWLINK, attribute, attributes, device_attributes, rtnetlink
from harness.agent.refusal import Refused


def test_attributes_are_padded_and_count_what_is_nested_in_them() -> None:
    inner = attribute(1, b"bpf\0\0")
    assert inner == struct.pack("=HH", 9, 1) + b"bpf\0\0" + bytes(3)
    assert attribute(2, inner, inner) == struct.pack("=HH", 4 + 24, 2) + inner + inner


def test_what_rtnetlink_refuses_has_the_kernels_errno() -> None:
    no_such_device = struct.pack("=BxHiII", 0, 0, 0x7FFFFFFF, 0, 0)
    with pytest.raises(Refused) as refused:
        rtnetlink(RTM_NEWLINK, 0, no_such_device)
    assert refused.value.number in {errno.ENODEV, errno.EPERM}  # EPERM where the tests do not run as root


def test_what_is_made_of_attributes_is_read_again() -> None:
    made = attribute(3, b"eth0\0") + attribute(16, b"\6") + attribute(43 | 0x8000, attribute(2, b"\1"))
    assert dict(attributes(made)) == {3: b"eth0\0", 16: b"\6", 43: attribute(2, b"\1")[: 4 + 4]}
    assert list(attributes(b"\0\0\0\0")) == []


def test_a_device_says_its_name_and_its_state() -> None:
    found = device_attributes(socket.if_nametoindex("lo"))
    assert found[IFLA_IFNAME] == b"lo\0"
    assert device_attributes(0x7FFFFFFF) == {}
