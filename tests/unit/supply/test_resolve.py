from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest
from unit_samples import package_file

from harness.errors import EXIT_HARNESS, PackageGoneError
from harness.supply.debian.apt import Stanza
from harness.supply.debian.resolve import Build, builds, closure, newest_first, parts_of, resolve_image


def stanza(name: str, version: str = "1", *depends: str) -> Stanza:
    return Stanza(package=package_file(name, version), depends=depends)


class Index:
    """Stands for a private apt: an index of these stanzas."""

    suites = ("trixie",)
    architecture = "amd64"
    origin = ""

    def __init__(self, *stanzas: Stanza) -> None:
        self.stanzas: dict[str, tuple[Stanza, ...]] = {}
        self.asked = 0
        for each in stanzas:
            name = each.package.name
            self.stanzas[name] = tuple(newest_first([*self.stanzas.get(name, ()), each]))

    def names(self, prefix: str) -> list[str]:
        return sorted(name for name in self.stanzas if name.startswith(prefix))

    def show(self, names: Iterable[str]) -> Mapping[str, tuple[Stanza, ...]]:
        self.asked += 1
        return {name: self.stanzas[name] for name in names if name in self.stanzas}


def newest(index: Index, *, package: str, suite: str = "s", version: str | None = None) -> Build:
    return next(builds(index, suite=suite, package=package, version=version))


OLD = Index(
    stanza("linux-image-cloud-amd64", "6.1.176-1", "linux-image-6.1.0-50-cloud-amd64"),
    stanza("linux-image-6.1.0-50-cloud-amd64", "6.1.176-1", "kmod", "linux-base", "initramfs-tools"),
    stanza("linux-image-6.1.0-50-cloud-amd64-dbg", "6.1.999-1"),
    stanza("linux-image-6.1.0-50-cloud-amd64-unsigned", "6.1.999-1"),
    stanza("linux-base", "4.9"),
)
SPLIT = Index(
    stanza(
        "linux-image-7.3.1-cloud-amd64",
        "7.3.1-1",
        "linux-binary-7.3.1-cloud-amd64",
        "linux-modules-7.3.1-cloud-amd64",
        "linux-base-7.3.1-cloud-amd64",
        "kmod",
    ),
    stanza("linux-binary-7.3.1-cloud-amd64", "7.3.1-1", "linux-base-7.3.1-cloud-amd64"),
    stanza("linux-modules-7.3.1-cloud-amd64", "7.3.1-1", "linux-image-7.3.1-cloud-amd64"),
    stanza("linux-base-7.3.1-cloud-amd64", "7.3.1-1"),
)


@pytest.mark.parametrize(
    ("versions", "wanted", "found"),
    [
        (["6.16.3-1", "6.16.12-1"], None, ["6.16.12-1", "6.16.3-1"]),
        (["7.3~rc7-1", "7.3-1"], None, ["7.3-1", "7.3~rc7-1"]),
        (["6.16.3-1", "6.16.12-1"], "6.16.3-1", ["6.16.3-1"]),
    ],
)
def test_all_builds_or_the_very_version(versions: list[str], wanted: str | None, found: list[str]) -> None:
    for order in (versions, versions[::-1]):
        index = Index(*[stanza("linux-image-6-amd64", version) for version in order])
        listed = list(builds(index, suite="s", package="linux-image-6-amd64", version=wanted))
        assert [build.version for build in listed] == found


def names_of(index: Index, first: str) -> tuple[list[str], tuple[str, ...]]:
    (stanza,) = index.stanzas[first]
    packages, missing = closure(stanza, parts_of([stanza], index))
    return [package.name for package in packages], missing


def test_a_meta_package_leads_to_the_kernel_and_is_left_out() -> None:
    assert names_of(OLD, "linux-image-cloud-amd64") == (["linux-image-6.1.0-50-cloud-amd64"], ())


def test_a_split_kernel_is_followed_to_all_its_parts_once() -> None:
    assert names_of(SPLIT, "linux-image-7.3.1-cloud-amd64") == (
        [
            "linux-image-7.3.1-cloud-amd64",
            "linux-binary-7.3.1-cloud-amd64",
            "linux-modules-7.3.1-cloud-amd64",
            "linux-base-7.3.1-cloud-amd64",
        ],
        (),
    )


def test_a_part_that_the_index_lacks_is_named() -> None:
    kept = [each for name, (each,) in SPLIT.stanzas.items() if not name.startswith(("linux-modules", "linux-base"))]
    names, missing = names_of(Index(*kept), "linux-image-7.3.1-cloud-amd64")
    assert names == ["linux-image-7.3.1-cloud-amd64", "linux-binary-7.3.1-cloud-amd64"]
    assert missing == ("linux-base-7.3.1-cloud-amd64", "linux-modules-7.3.1-cloud-amd64")


def test_each_build_has_the_parts_of_its_own_version() -> None:
    """A meta package of several versions in one index: parts of two builds in one guest would be no kernel at all."""
    index = Index(
        *[stanza("linux-image-amd64", version, "linux-image-7.3-amd64") for version in ("7.3-1", "7.3-2")],
        *[
            stanza(f"linux-{part}-7.3-amd64", version, "linux-modules-7.3-amd64")
            for part in ("image", "modules")
            for version in ("7.3-1", "7.3-2")
        ],
    )
    listed = list(builds(index, suite="s", package="linux-image-amd64", version=None))
    assert [build.version for build in listed] == ["7.3-2", "7.3-1"]
    for build in listed:
        assert [(package.name, package.version) for package in build.packages] == [
            ("linux-image-7.3-amd64", build.version),
            ("linux-modules-7.3-amd64", build.version),
        ]


def test_many_builds_are_asked_for_together() -> None:
    index = Index(
        *[
            stanza(f"linux-image-6.1.0-{number}-amd64", "1", f"linux-modules-6.1.0-{number}-amd64")
            for number in range(9)
        ],
        *[stanza(f"linux-modules-6.1.0-{number}-amd64", "1") for number in range(9)],
    )
    assert len(list(builds(index, suite="s", package="linux-image-6.1*", version=None))) == 9
    assert index.asked == 2, "once for the kernels, once for their parts"


FLAVOURS = Index(
    stanza("linux-image-amd64", "6.12.117-1", "linux-image-6.12.117+deb13-amd64"),
    stanza("linux-image-6.12.117+deb13-amd64", "6.12.117-1"),
    stanza("linux-image-6.12.107+deb13-amd64", "6.12.107-1"),
    stanza("linux-image-6.1.0-50-amd64", "6.1.176-1"),
    stanza("linux-image-6.12.118+deb13-amd64", "6.12.118-1"),  # newer than what the meta package leads to
    stanza("linux-image-6.12.107+deb13-cloud-amd64", "6.12.107-1"),  # other flavours
    stanza("linux-image-6.12.107+deb13-rt-amd64", "6.12.107-1"),
    stanza("linux-image-6.12.107+deb13-amd64-unsigned", "6.12.107-1"),
    stanza("linux-image-6.12.107+deb13-amd64-dbg", "6.12.107-1"),
)


def test_after_the_build_of_a_meta_package_come_the_older_ones_of_its_flavour() -> None:
    listed = list(builds(FLAVOURS, suite="s", package="linux-image-amd64", version=None))
    assert [(build.version, [package.name for package in build.packages]) for build in listed] == [
        ("6.12.117-1", ["linux-image-6.12.117+deb13-amd64"]),
        ("6.12.107-1", ["linux-image-6.12.107+deb13-amd64"]),
        ("6.1.176-1", ["linux-image-6.1.0-50-amd64"]),
    ]


def test_a_pattern_or_a_version_stands_for_nothing_else() -> None:
    pattern = builds(FLAVOURS, suite="s", package="linux-image-6.12.1[01]*-amd64", version=None)
    assert [build.version for build in pattern][:2] == ["6.12.118-1", "6.12.117-1"]
    version = builds(FLAVOURS, suite="s", package="linux-image-amd64", version="6.12.117-1")
    assert [build.version for build in version] == ["6.12.117-1"]


def test_the_older_builds_are_not_asked_for_where_the_newest_will_do() -> None:
    FLAVOURS.asked = 0
    next(builds(FLAVOURS, suite="s", package="linux-image-amd64", version=None))
    assert FLAVOURS.asked == 2, "for the meta package, and for what it needs"


def test_a_kernel_is_resolved_by_name() -> None:
    found = newest(OLD, suite="bookworm", package="linux-image-cloud-amd64")
    assert (found.version, found.missing) == ("6.1.176-1", ())
    assert [package.name for package in found.packages] == ["linux-image-6.1.0-50-cloud-amd64"]


def test_of_the_packages_that_match_the_newest_is_taken_and_never_one_that_cannot_boot() -> None:
    index = Index(
        stanza("linux-image-6.16.3+deb13-cloud-amd64", "6.16.3-1"),
        stanza("linux-image-6.16.12+deb13-cloud-amd64", "6.16.12-1"),
        stanza("linux-image-6.16.12+deb13-cloud-amd64-unsigned", "6.16.99-1"),
        stanza("linux-image-6.17.1+deb13-cloud-amd64", "6.17.1-1"),
    )
    found = newest(index, package="linux-image-6.16.*-cloud-amd64")
    assert [package.name for package in found.packages] == ["linux-image-6.16.12+deb13-cloud-amd64"]
    older = newest(index, package="linux-image-6.16.*-cloud-amd64", version="6.16.3-1")
    assert older.version == "6.16.3-1"
    loose = newest(index, package="linux-image-6.16.*")
    assert loose.version == "6.16.12-1"


@pytest.mark.parametrize(
    ("package", "version", "complaint"),
    [
        ("linux-image-9.*", None, "has no package linux-image-9.*"),
        ("linux-image-cloud-amd64", "1", "has no package linux-image-cloud-amd64 = 1"),
    ],
)
def test_a_package_that_is_not_there_is_told_with_what_is(package: str, version: str | None, complaint: str) -> None:
    with pytest.raises(PackageGoneError) as caught:
        newest(OLD, suite="bookworm", package=package, version=version)
    assert complaint in str(caught.value)
    assert "it has: linux-image-6.1.0-50-cloud-amd64, linux-image-cloud-amd64" in str(caught.value)
    assert "-dbg" not in str(caught.value)
    assert caught.value.exit_code == EXIT_HARNESS


def test_a_long_list_of_what_is_there_is_cut() -> None:
    index = Index(*[stanza(f"linux-image-6.{number}") for number in range(20)])
    with pytest.raises(PackageGoneError, match=r"and 8 more$"):
        newest(index, package="linux-image-9")
    with pytest.raises(PackageGoneError, match=r"it has: none alike$"):
        newest(Index(), package="x")


def test_the_image_is_exactly_the_packages_that_are_asked_for() -> None:
    index = Index(stanza("libc6", "2", "libgcc-s1"), stanza("busybox-static", "1"), stanza("libgcc-s1"))
    found = resolve_image(index, ["libc6", "busybox-static"])
    assert (found.suites, found.names) == (("trixie",), ("libc6", "busybox-static"))
    assert [package.name for package in found.packages] == ["busybox-static", "libc6"]
    with pytest.raises(PackageGoneError, match=r"trixie \(amd64\) has no a, b$"):
        resolve_image(index, ["a", "libc6", "b"])
