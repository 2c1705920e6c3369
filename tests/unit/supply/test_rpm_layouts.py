"""How distributions split their kernels, and the builds that an index lists."""

from __future__ import annotations

import pytest

from harness.config.matrix_values import RPM_DISTRIBUTIONS
from harness.errors import PackageGoneError
from harness.supply.rpm.layouts import PACKAGING, builds, kernels_in, names_of, package_of
from harness.supply.rpm.pin import RpmFile, RpmPin
from harness.supply.rpm.repodata import Listing


def rpm(name: str, version: str = "5.14.0-503.el9", arch: str = "x86_64", checksum: str = "0") -> RpmFile:
    return RpmFile(
        name=name, version=version, arch=arch, file=f"{name}-{version}.{arch}.rpm", checksum=checksum, size=1
    )


def listed(
    *packages: RpmFile, package: str = "kernel-core", version: str | None = None, names: frozenset[str] = frozenset()
) -> list[RpmPin]:
    return list(
        builds(
            Listing(packages=packages, names=names),
            names=names_of("rhel-like", package),
            architectures=("x86_64",),
            version=version,
            repositories=("a",),
        )
    )


@pytest.mark.parametrize(
    ("distribution", "given", "package", "some"),
    [
        ("rhel-like", None, "kernel-core", ["kernel-modules-core", "kernel-modules", "kernel-modules-extra"]),
        ("rhel-like", "kernel-rt-core", "kernel-rt-core", ["kernel-rt-modules-core", "kernel-rt-modules"]),
        ("rhel-like", "kernel-uek-core", "kernel-uek-core", ["kernel-uek-modules", "kernel-uek-modules-extra"]),
        ("rhel-like", "kernel", "kernel", []),
        ("fedora", None, "kernel-core", ["kernel-modules-core", "kernel-modules-internal"]),
        ("amazon", None, "kernel", ["kernel-modules-extra"]),
        ("amazon", "kernel6.12", "kernel6.12", ["kernel6.12-modules-extra"]),
        ("suse", None, "kernel-default", ["kernel-default-extra", "kernel-default-optional"]),
        ("suse", "kernel-default-base", "kernel-default-base", []),
    ],
)
def test_what_lies_beside_the_image_is_known_by_its_name(
    distribution: str, given: str | None, package: str, some: list[str]
) -> None:
    assert package_of(distribution, given) == package
    first, *others = names_of(distribution, package)
    assert first == package
    assert set(some) <= set(others)
    assert package not in others


def test_every_distribution_has_a_layout_for_any_name() -> None:
    assert PACKAGING.keys() == set(RPM_DISTRIBUTIONS)
    for distribution in PACKAGING:
        assert names_of(distribution, "kernel-of-mine")[0] == "kernel-of-mine"


def test_builds_come_the_newest_first_each_with_its_own_parts() -> None:
    old, new = "5.14.0-70.el9", "5.14.0-503.el9"
    found = listed(
        rpm("kernel-modules", old), rpm("kernel-core", old), rpm("kernel-core", new), rpm("kernel-modules", new, "i686")
    )
    assert [(each.version, [part.name for part in each.packages]) for each in found] == [
        (new, ["kernel-core"]),
        (old, ["kernel-core", "kernel-modules"]),
    ]
    assert (found[0].package, found[0].architecture, found[0].wanted_version) == ("kernel-core", "x86_64", None)


def test_one_that_is_listed_twice_is_one_build_of_what_is_first() -> None:
    found = listed(rpm("kernel-core", checksum="1"), rpm("kernel-core", checksum="2"))
    assert [each.packages[0].checksum for each in found] == ["1"]


def test_a_version_or_a_pattern_chooses() -> None:
    packages = [rpm("kernel-core", version) for version in ("5.14.0-70.el9", "5.14.0-503.el9", "6.12.0-1.el10")]
    assert [each.version for each in listed(*packages, version="5.14.0-*")] == ["5.14.0-503.el9", "5.14.0-70.el9"]
    assert [each.wanted_version for each in listed(*packages, version="6.12.0")] == ["6.12.0"]


@pytest.mark.parametrize(
    ("packages", "version", "complaint"),
    [
        (
            [rpm("kernel-core"), rpm("kernel-core", "5.14.0-70.el9")],
            "6.*",
            "has no kernel-core 6.*; it has 5.14.0-503.el9, 5.14.0-70.el9",
        ),
        ([rpm("kernel-core", arch="aarch64")], None, "has kernel-core for aarch64, not for x86_64"),
        ([], None, "has no package kernel-core; it has kernel-default, kernel-rt"),
    ],
)
def test_where_there_is_none_what_there_is_is_named(
    packages: list[RpmFile], version: str | None, complaint: str
) -> None:
    names = frozenset({"kernel-default", "kernel-default-devel", "kernel-doc", "kernel-rt-devel", "kernel-rt"})
    with pytest.raises(PackageGoneError) as caught:
        listed(*packages, version=version, names=names)
    assert str(caught.value) == f"the repository {complaint}"


def test_of_many_versions_some_are_named() -> None:
    packages = [rpm("kernel-core", f"5.14.0-{number}.el9") for number in range(30)]
    with pytest.raises(PackageGoneError, match=r"5\.14\.0-18\.el9 and 18 more$"):
        listed(*packages, version="1.0")


def test_what_has_another_beside_it_for_modules_is_a_kernel() -> None:
    assert kernels_in({"kernel", "kernel-core", "kernel-devel", "kernel-tools", "kernel6.12", "kernel6.12-devel"}) == [
        "kernel",
        "kernel-core",
        "kernel6.12",
    ]
