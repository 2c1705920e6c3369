"""Kernel versions, and ranges of them."""

from __future__ import annotations

import operator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from harness.errors import ConfigError
from harness.model.versions import in_ranges, kernel_version, parse_ranges


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("6.1.176", "6.1.176"),
        ("6.1.0-50-cloud-amd64", "6.1.0"),
        ("7.3~rc7", "7.3rc7"),
        ("7.3-rc7", "7.3rc7"),
        ("7.3~rc7-1~exp1", "7.3rc7"),
        ("7.3-rc7-cloud-amd64", "7.3rc7"),
        ("6.12.107+deb13-cloud-amd64", "6.12.107"),
        ("5.10.223-1", "5.10.223"),
        ("6.19-rc1+", "6.19rc1"),
        ("6.19.0-rc1+", "6.19.0rc1"),
        ("6.16.12-1~bpo13+1", "6.16.12"),
        ("6.12", "6.12"),
        ("v6.12.1", "6.12.1"),
        (" 6.8.0-45-generic\n", "6.8.0"),
        ("6.1.5_custom", "6.1.5"),
    ],
)
def test_kernel_versions(text: str, version: str) -> None:
    assert str(kernel_version(text)) == version


@pytest.mark.parametrize("text", ["", "6", "linux", "6.x", "6.1foo", ".6.1", "6.1rcx", "-6.1", "٦.١", "6..1"])
def test_what_is_no_kernel_version(text: str) -> None:
    with pytest.raises(ConfigError, match=r"is not a kernel version; expected one such as 6\.1\.176"):
        kernel_version(text)


NUMBER = st.integers(0, 400)


RELEASE = st.tuples(NUMBER, NUMBER) | st.tuples(NUMBER, NUMBER, NUMBER)


SUFFIX = st.from_regex(r"([-+~][a-z0-9.+~-]{0,20})?", fullmatch=True).filter(lambda text: "rc" not in text)


def spelled(release: tuple[int, ...]) -> str:
    return ".".join(map(str, release))


@given(release=RELEASE, rc=st.none() | NUMBER, mark=st.sampled_from("-~"), suffix=SUFFIX)
def test_number_and_candidate_survive_any_suffix(
    release: tuple[int, ...], rc: int | None, mark: str, suffix: str
) -> None:
    candidate = "" if rc is None else f"{mark}rc{rc}"
    version = kernel_version(spelled(release) + candidate + suffix)
    assert version.release == release
    assert version.pre == (None if rc is None else ("rc", rc))


@given(release=RELEASE, rc=NUMBER)
def test_a_candidate_sorts_before_its_release_and_counts_as_it(release: tuple[int, ...], rc: int) -> None:
    text = spelled(release)
    candidate = kernel_version(f"{text}-rc{rc}")
    assert candidate < kernel_version(text)
    assert in_ranges(candidate, parse_ranges(f">={text}"))
    assert not in_ranges(candidate, parse_ranges(f"<{text}"))


@given(text=st.text(max_size=30) | st.text("0123456789.-~+rcv", max_size=30))
def test_any_text_is_a_version_or_a_config_error(text: str) -> None:
    try:
        assert kernel_version(text).epoch == 0
    except ConfigError as error:
        assert "is not a kernel version" in str(error)


@given(text=st.text("0123456789.,|<>=!~* rcx+", max_size=30))
def test_any_text_is_a_range_or_a_config_error(text: str) -> None:
    try:
        ranges = parse_ranges(text)
    except ConfigError:
        return
    assert len(ranges) == text.count("|") + 1
    in_ranges(Version("6.1"), ranges)


OPERATORS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "==": operator.eq}


def padded(release: tuple[int, ...]) -> tuple[int, ...]:
    return (*release, 0, 0)[:3]


@given(
    kernel=RELEASE,
    rc=st.none() | st.integers(1, 9),
    alternatives=st.lists(
        st.lists(st.tuples(st.sampled_from(sorted(OPERATORS)), RELEASE), min_size=1, max_size=3),
        min_size=1,
        max_size=3,
    ),
)
def test_ranges_compare_release_numbers(
    kernel: tuple[int, ...], rc: int | None, alternatives: list[list[tuple[str, tuple[int, ...]]]]
) -> None:
    text = " | ".join(",".join(sign + spelled(bound) for sign, bound in part) for part in alternatives)
    expected = any(all(OPERATORS[sign](padded(kernel), padded(bound)) for sign, bound in part) for part in alternatives)
    version = kernel_version(spelled(kernel) + ("" if rc is None else f"-rc{rc}"))
    assert in_ranges(version, parse_ranges(text)) is expected


@pytest.mark.parametrize(
    ("version", "inside"),
    [
        ("6.8", True),
        ("6.8-rc1", True),
        ("6.7.12", False),
        ("6.6.13", False),
        ("6.6.14-1", True),
        ("6.1.74", False),
        ("6.1.75+deb12-amd64", True),
        ("6.1.0-50-cloud-amd64", False),
        ("7.3~rc7", True),
    ],
)
def test_a_fix_and_its_backports(version: str, inside: bool) -> None:
    ranges = parse_ranges(">=6.8 | >=6.1.75,<6.2 | >=6.6.14,<6.7")
    assert in_ranges(kernel_version(version), ranges) is inside
