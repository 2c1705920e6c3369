"""Public keys as files have them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.supply.rpm.openpgp import NoKeysError, armored, binary, crc24

KEY = b"\x98\x0d" + b"a public key."
"""A packet of the old format with tag 6, as gpg writes them."""
NEW = b"\xc6\x0d" + b"a public key."
"""The same in the new format."""


@pytest.mark.parametrize("packets", [KEY, NEW, KEY + NEW])
def test_what_is_armored_and_what_is_not_are_the_same_keys(packets: bytes) -> None:
    assert binary(packets) == packets
    assert binary(armored(packets).encode()) == packets


def test_a_file_may_have_several_blocks_and_text_around_them() -> None:
    two = f"Fingerprint: 1234\r\n{armored(KEY)}\nand another:\n{armored(NEW)}".replace("\n", "\r\n")
    assert binary(two.encode()) == KEY + NEW


def test_a_block_may_have_headers() -> None:
    text = armored(KEY).replace("BLOCK-----\n\n", "BLOCK-----\nVersion: GnuPG v1\nComment: =x\n\n", 1)
    assert binary(text.encode()) == KEY


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "it does not begin with a public key"),
        (b"a text", "it does not begin with a public key"),
        (b"\0\0\0 \x01\x01\0\x02KBXf", "it does not begin with a public key"),
        (b"\x95\x0d" + b"a secret key.", "it does not begin with a public key"),
        (armored(KEY).replace("mA1h", "m*1h").encode(), "its armor is damaged"),
        (armored(b"").encode(), "it does not begin with a public key"),
    ],
)
def test_what_has_no_keys_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(NoKeysError, match=complaint):
        binary(data)


def test_the_checksum_is_that_of_the_standard() -> None:
    assert crc24(b"") == 0xB704CE
    assert crc24(b"123456789") == 0x21CF02


@given(st.binary())
def test_whatever_is_in_a_key_survives_its_armor(data: bytes) -> None:
    assert binary(armored(KEY + data).encode()) == KEY + data
