from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import pytest
from unit_samples import package_file

from harness.errors import EXIT_HARNESS, PackageGoneError
from harness.supply.debian.apt import Apt, Stanza
from harness.supply.debian.resolve import closure, newest, resolve_image, resolve_kernel


def stanza(name: str, version: str = "1", *depends: str) -> Stanza:
    return Stanza(package=package_file(name, version), depends=depends)


class Index:
    """Stands for a private apt: an index of these stanzas."""

    suites = ("trixie",)
    architecture = "amd64"

    def __init__(self, *stanzas: Stanza) -> None:
        self.stanzas = {each.package.name: each for each in stanzas}

    def names(self, prefix: str) -> list[str]:
        return sorted(name for name in self.stanzas if name.startswith(prefix))

    def show(self, names: Iterable[str]) -> Mapping[str, Stanza]:
        return {name: self.stanzas[name] for name in names if name in self.stanzas}

    @property
    def apt(self) -> Apt:
        return cast(Apt, self)


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
        (["6.16.3-1", "6.16.12-1"], None, "6.16.12-1"),
        (["7.3~rc7-1", "7.3-1"], None, "7.3-1"),
        (["6.16.3-1", "6.16.12-1"], "6.16.3-1", "6.16.3-1"),
        (["6.16.3-1"], "6.16.3", None),
        ([], None, None),
    ],
)
def test_the_newest_or_the_very_version(versions: list[str], wanted: str | None, found: str | None) -> None:
    for order in (versions, versions[::-1]):
        chosen = newest([stanza("p", version) for version in order], version=wanted)
        assert (chosen.package.version if chosen else None) == found


def names_of(index: Index, first: str) -> tuple[list[str], tuple[str, ...]]:
    packages, missing = closure(index.stanzas[first], index.show)
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
    kept = [each for name, each in SPLIT.stanzas.items() if not name.startswith(("linux-modules", "linux-base"))]
    names, missing = names_of(Index(*kept), "linux-image-7.3.1-cloud-amd64")
    assert names == ["linux-image-7.3.1-cloud-amd64", "linux-binary-7.3.1-cloud-amd64"]
    assert missing == ("linux-base-7.3.1-cloud-amd64", "linux-modules-7.3.1-cloud-amd64")


def test_a_kernel_is_resolved_by_name() -> None:
    found = resolve_kernel(OLD.apt, suite="bookworm", package="linux-image-cloud-amd64", version=None)
    assert (found.suite, found.version, found.wanted_version, found.missing) == ("bookworm", "6.1.176-1", None, ())
    assert [package.name for package in found.packages] == ["linux-image-6.1.0-50-cloud-amd64"]
    assert found.answers(suite="bookworm", package="linux-image-cloud-amd64", version=None, architecture="amd64")


def test_of_the_packages_that_match_the_newest_is_taken_and_never_one_that_cannot_boot() -> None:
    index = Index(
        stanza("linux-image-6.16.3+deb13-cloud-amd64", "6.16.3-1"),
        stanza("linux-image-6.16.12+deb13-cloud-amd64", "6.16.12-1"),
        stanza("linux-image-6.16.12+deb13-cloud-amd64-unsigned", "6.16.99-1"),
        stanza("linux-image-6.17.1+deb13-cloud-amd64", "6.17.1-1"),
    )
    found = resolve_kernel(index.apt, suite="s", package="linux-image-6.16.*-cloud-amd64", version=None)
    assert [package.name for package in found.packages] == ["linux-image-6.16.12+deb13-cloud-amd64"]
    older = resolve_kernel(index.apt, suite="s", package="linux-image-6.16.*-cloud-amd64", version="6.16.3-1")
    assert (older.version, older.wanted_version) == ("6.16.3-1", "6.16.3-1")
    loose = resolve_kernel(index.apt, suite="s", package="linux-image-6.16.*", version=None)
    assert loose.version == "6.16.12-1"


@pytest.mark.parametrize(
    ("package", "version", "words"),
    [
        ("linux-image-9.*", None, "has no package linux-image-9.*"),
        ("linux-image-cloud-amd64", "1", "has no package linux-image-cloud-amd64 = 1"),
    ],
)
def test_a_package_that_is_not_there_is_told_with_what_is(package: str, version: str | None, words: str) -> None:
    with pytest.raises(PackageGoneError) as caught:
        resolve_kernel(OLD.apt, suite="bookworm", package=package, version=version)
    assert words in str(caught.value)
    assert "it has: linux-image-6.1.0-50-cloud-amd64, linux-image-cloud-amd64" in str(caught.value)
    assert "-dbg" not in str(caught.value)
    assert caught.value.exit_code == EXIT_HARNESS


def test_a_long_list_of_what_is_there_is_cut() -> None:
    index = Index(*[stanza(f"linux-image-6.{number}") for number in range(20)])
    with pytest.raises(PackageGoneError, match=r"and 8 more$"):
        resolve_kernel(index.apt, suite="s", package="linux-image-9", version=None)
    with pytest.raises(PackageGoneError, match=r"it has: none alike$"):
        resolve_kernel(Index().apt, suite="s", package="x", version=None)


def test_the_image_is_exactly_the_packages_that_are_asked_for() -> None:
    index = Index(stanza("libc6", "2", "libgcc-s1"), stanza("busybox-static", "1"), stanza("libgcc-s1"))
    found = resolve_image(index.apt, ["libc6", "busybox-static"])
    assert (found.suites, found.names) == (("trixie",), ("libc6", "busybox-static"))
    assert [package.name for package in found.packages] == ["busybox-static", "libc6"]
    with pytest.raises(PackageGoneError, match=r"trixie \(amd64\) has no a, b$"):
        resolve_image(index.apt, ["a", "libc6", "b"])
