"""Messages of rtnetlink(7)."""

from __future__ import annotations

import errno
import struct

import pytest

from harness.agent.netlink import RTM_NEWLINK, attribute, rtnetlink
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
