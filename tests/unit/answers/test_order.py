from __future__ import annotations

from answers_samples import kernel

from harness.answers.order import build_of, version_key
from harness.model.results import PackageInfo


def shown(*versions: str) -> list[str]:
    builds = [build_of(kernel(f"row{number}", version)) for number, version in enumerate(versions)]
    return [build.shown for build in sorted(builds, key=lambda build: build.key)]


def test_builds_are_sorted_by_their_numbers() -> None:
    assert shown("6.12.3-1", "6.1.176-1", "5.10.249-1", "6.1.19-1") == ["5.10.249", "6.1.19", "6.1.176", "6.12.3"]


def test_a_candidate_comes_before_its_release() -> None:
    rows = [kernel("a", "7.3-1", version="7.3"), kernel("b", "7.3~rc7-1", version="7.3-rc7")]
    assert [build.name for build in sorted(map(build_of, rows), key=lambda build: build.key)] == ["b", "a"]


def test_builds_of_one_number_are_sorted_by_their_packages() -> None:
    rows = [kernel("a", "6.1.10-10", version="6.1.10"), kernel("b", "6.1.10-9", version="6.1.10")]
    assert [build.name for build in sorted(map(build_of, rows), key=lambda build: build.key)] == ["b", "a"]


def test_kernels_without_a_number_are_sorted_by_their_exact_versions() -> None:
    package = PackageInfo(source="rpm", name="kernel-core", version="5.14.0-70.el9", sha256="0" * 64)
    old = build_of(kernel("a", version="", package=package, distribution="rhel"))
    new = build_of(kernel("b", version="", package=None, release="5.14.0-503.el9.x86_64", distribution="rhel"))
    assert old.shown == "5.14.0-70.el9"
    assert new.shown == "5.14.0-503.el9.x86_64"
    assert old.key < new.key


def test_two_reports_speak_of_one_build_where_its_package_is_the_same() -> None:
    assert build_of(kernel("one", "6.1.1-1")).identity == build_of(kernel("two", "6.1.1-1", arch="x86_64")).identity
    assert build_of(kernel("one", "6.1.1-1")).identity != build_of(kernel("one", "6.1.1-2")).identity
    assert build_of(kernel("one", "6.1.1-1")).identity != build_of(kernel("one", "6.1.1-1", arch="arm64")).identity


def test_a_tilde_comes_before_the_end() -> None:
    assert version_key("6.1~bpo") < version_key("6.1") < version_key("6.1+a")
