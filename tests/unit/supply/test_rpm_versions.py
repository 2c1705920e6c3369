"""The order of RPM's versions: the table of rpm's own tests (tests/rpmvercmp.at), and what is asked of it beyond."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.supply.rpm.versions import compare, compare_whole, fits, newest_first, split

TABLE = """
1.0 1.0 0
1.0 2.0 -1
2.0 1.0 1
2.0.1 2.0.1 0
2.0 2.0.1 -1
2.0.1 2.0 1
2.0.1a 2.0.1a 0
2.0.1a 2.0.1 1
2.0.1 2.0.1a -1
5.5p1 5.5p1 0
5.5p1 5.5p2 -1
5.5p2 5.5p1 1
5.5p10 5.5p10 0
5.5p1 5.5p10 -1
5.5p10 5.5p1 1
10xyz 10.1xyz -1
10.1xyz 10xyz 1
xyz10 xyz10 0
xyz10 xyz10.1 -1
xyz10.1 xyz10 1
xyz.4 xyz.4 0
xyz.4 8 -1
8 xyz.4 1
xyz.4 2 -1
2 xyz.4 1
5.5p2 5.6p1 -1
5.6p1 5.5p2 1
5.6p1 6.5p1 -1
6.5p1 5.6p1 1
6.0.rc1 6.0 1
6.0 6.0.rc1 -1
10b2 10a1 1
10a2 10b2 -1
1.0aa 1.0aa 0
1.0a 1.0aa -1
1.0aa 1.0a 1
10.0001 10.0001 0
10.0001 10.1 0
10.1 10.0001 0
10.0001 10.0039 -1
10.0039 10.0001 1
4.999.9 5.0 -1
5.0 4.999.9 1
20101121 20101121 0
20101121 20101122 -1
20101122 20101121 1
2_0 2_0 0
2.0 2_0 0
2_0 2.0 0
a a 0
a+ a+ 0
a+ a_ 0
a_ a+ 0
+a +a 0
+a _a 0
_a +a 0
+_ +_ 0
_+ +_ 0
_+ _+ 0
+ _ 0
_ + 0
1.0~rc1 1.0~rc1 0
1.0~rc1 1.0 -1
1.0 1.0~rc1 1
1.0~rc1 1.0~rc2 -1
1.0~rc2 1.0~rc1 1
1.0~rc1~git123 1.0~rc1~git123 0
1.0~rc1~git123 1.0~rc1 -1
1.0~rc1 1.0~rc1~git123 1
1.0^ 1.0^ 0
1.0^ 1.0 1
1.0 1.0^ -1
1.0^git1 1.0^git1 0
1.0^git1 1.0 1
1.0 1.0^git1 -1
1.0^git1 1.0^git2 -1
1.0^git2 1.0^git1 1
1.0^git1 1.01 -1
1.01 1.0^git1 1
1.0^20160101 1.0^20160101 0
1.0^20160101 1.0.1 -1
1.0.1 1.0^20160101 1
1.0^20160101^git1 1.0^20160101^git1 0
1.0^20160102 1.0^20160101^git1 1
1.0^20160101^git1 1.0^20160102 -1
1.0~rc1^git1 1.0~rc1^git1 0
1.0~rc1^git1 1.0~rc1 1
1.0~rc1 1.0~rc1^git1 -1
1.0^git1~pre 1.0^git1~pre 0
1.0^git1 1.0^git1~pre 1
1.0^git1~pre 1.0^git1 -1
1b.fc17 1b.fc17 0
1b.fc17 1.fc17 -1
1.fc17 1b.fc17 1
1g.fc17 1g.fc17 0
1g.fc17 1.fc17 1
1.fc17 1g.fc17 -1
1.1.α 1.1.α 0
1.1.α 1.1.β 0
1.1.β 1.1.α 0
"""

versions = st.text(alphabet="019abZ.~^-_+", max_size=8)


@pytest.mark.parametrize("row", TABLE.split("\n")[1:-1])
def test_the_order_is_rpms(row: str) -> None:
    one, two, expected = row.split()
    assert compare(one, two) == int(expected)


@given(versions, versions, versions)
def test_it_is_an_order(a: str, b: str, c: str) -> None:
    assert compare(a, b) == -compare(b, a)
    if compare(a, b) <= 0 and compare(b, c) <= 0:
        assert compare(a, c) <= 0


@pytest.mark.parametrize(
    ("versions", "ordered"),
    [
        (["5.14.0-70.el9", "5.14.0-503.11.1.el9_5", "5.14.0-427.el9"], [1, 2, 0]),
        (["6.1.112-122.189.amzn2023", "1:6.1.9-1.amzn2023", "6.12.1-1.amzn2023"], [1, 2, 0]),
        (["6.12.0-0.rc7.59.fc42", "6.12.0-1.fc42", "6.12.0~rc7-1.fc42"], [1, 0, 2]),
        (["5.14.21-150500.55.7.1", "5.14.21-150500.53.2"], [0, 1]),
    ],
)
def test_builds_of_kernels_are_in_order_of_epoch_version_and_release(versions: list[str], ordered: list[int]) -> None:
    assert newest_first(versions) == [versions[index] for index in ordered]


def test_without_an_epoch_it_is_0() -> None:
    assert split("5.14.0-503.el9") == (0, "5.14.0", "503.el9")
    assert split("2:1-3") == (2, "1", "3")
    assert compare_whole("0:1-1", "1-1") == 0


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (None, True),
        ("5.14.0-503.11.1.el9_5", True),
        ("0:5.14.0-503.11.1.el9_5", True),
        ("5.14.0", True),
        ("5.14.0-503.*", True),
        ("*.el9_5", True),
        ("5.14.0-503", False),
        ("5.14", False),
        ("*.el8*", False),
    ],
)
def test_a_version_is_asked_for_whole_in_part_or_as_a_pattern(wanted: str | None, expected: bool) -> None:
    assert fits("5.14.0-503.11.1.el9_5", wanted) is expected
