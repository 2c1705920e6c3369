"""Reading cpio archives piece by piece."""

from __future__ import annotations

import io

import pytest

from harness.supply.image.cpio import archive, file, folder, link
from harness.supply.rpm.cpio import NoCpioError, members

NODES = [folder("lib"), file("lib/a", b"abc"), file("lib/b", b""), link("lib/c", "a"), file("lib/d", b"x" * 3_000_001)]


def test_members_come_in_their_order_with_their_data() -> None:
    found = [
        (each.name, each.is_file, b"".join(each.pieces()) if each.is_file else b"")
        for each in members(io.BytesIO(archive(NODES)))
    ]
    assert found == [
        ("lib", False, b""),
        ("lib/a", True, b"abc"),
        ("lib/b", True, b""),
        ("lib/c", False, b""),
        ("lib/d", True, b"x" * 3_000_001),
    ]


def test_data_that_nobody_reads_or_not_all_is_passed_over() -> None:
    names = []
    for member in members(io.BytesIO(archive([*NODES, file("lib/e", b"end")]))):
        names.append(member.name)
        if member.name == "lib/d":
            assert next(member.pieces()) == b"x" * (1 << 20)
        if member.name == "lib/e":
            assert b"".join(member.pieces()) == b"end"
    assert names[-1] == "lib/e"


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "ends before its last member"),
        (archive(NODES)[:200], "ends before its last member"),
        (archive(NODES)[:-600], "ends before its last member"),
        (b"\x1f\x8b" + bytes(200), "there is no member of an archive"),
        (archive(NODES).replace(b"070701", b"07070X"), "there is no member of an archive, but b'07070X'"),
        (b"070701" + b"0" * 88 + b"7FFFFFFF" + b"0" * 8, "a name of 2147483647 bytes"),
        (b"070701" + b"0" * 104, "a name of 0 bytes"),
    ],
)
def test_what_is_no_whole_archive_is_refused(data: bytes, complaint: str) -> None:
    with pytest.raises(NoCpioError, match=complaint):
        for _ in members(io.BytesIO(data)):
            pass
