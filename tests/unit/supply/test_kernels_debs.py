"""What the sources of Debian packages share; each of them is tried in test_kernels_source.py, too."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from source_worlds import BOOT, TREE, MemoryArchive
from unit_samples import RELEASE, x86_image

from harness.errors import FetchError, PackageGoneError
from harness.supply.debian.pin import AptPin
from harness.supply.debian.resolve import Build
from harness.supply.kernels.debs import changelog, description, fetched, newest_whole, unpacked


def build(archive: MemoryArchive, version: str, *names: str) -> Build:
    return Build(version=version, packages=tuple(archive.add(name, version, {}) for name in names))


def test_a_build_without_its_files_is_passed_over_and_older_ones_are_not_asked_for() -> None:
    archive = MemoryArchive()
    listed = [build(archive, f"6.1.{number}-1", "image", "modules") for number in (3, 2, 1)]
    del archive.files[listed[0].packages[1].file]
    turn = iter(listed)
    assert newest_whole(turn, archive=archive, what="it") == (listed[1], ("6.1.3-1 (modules)",))
    assert next(turn) is listed[2]


def test_where_none_is_whole_each_is_named() -> None:
    archive = MemoryArchive()
    listed = [build(archive, f"6.1.{number}-1", "image") for number in (2, 1)]
    archive.files.clear()
    with pytest.raises(PackageGoneError, match=r"^jammy lists it, but .* 6\.1\.2-1 \(image\), 6\.1\.1-1 \(image\)$"):
        newest_whole(iter(listed), archive=archive, what="jammy lists it")


def pin(*packages: str, archive: MemoryArchive | None = None, missing: tuple[str, ...] = ()) -> AptPin:
    archive = archive or MemoryArchive()
    files = {"image": BOOT, "modules": TREE}
    return AptPin(
        suite="jammy",
        package="linux-image-generic",
        architecture="amd64",
        version="6.1.176-1",
        packages=tuple(archive.add(name, "6.1.176-1", files[name]) for name in packages),
        missing=missing,
    )


def test_a_description_has_what_a_pin_says() -> None:
    plain = description(what="linux-image-generic", where="jammy", pin=None)
    assert (plain.origin, plain.version, plain.size) == ("jammy: linux-image-generic", "", None)
    pinned = pin("image", "modules")
    about = description(what="linux-image-generic", where="jammy", pin=pinned)
    assert (about.version, about.remark, about.missing) == ("6.1.176-1", "", ())
    assert about.size == sum(package.size for package in pinned.packages)
    absent = description(what="x", where="jammy", pin=pin("image", missing=("linux-modules-6.1",)))
    assert (absent.remark, absent.missing) == ("no modules", ("linux-modules-6.1",))


def test_the_package_with_the_image_is_named_wherever_it_stands(tmp_path: Path) -> None:
    archive = MemoryArchive()
    (tmp_path / "entry").mkdir()
    with unpacked(pin("modules", "image", archive=archive), tmp_path / "entry", fetch=archive.fetch) as (root, carrier):
        assert carrier == "image"
        assert (root / f"boot/vmlinuz-{RELEASE}").read_bytes() == x86_image()
    assert [path.name for path in tmp_path.iterdir()] == ["entry"], "the tree is deleted at once"


def test_nothing_is_unpacked_before_all_is_there(tmp_path: Path) -> None:
    archive = MemoryArchive()
    pinned = pin("image", "modules", archive=archive)
    del archive.files[pinned.packages[1].file]
    (tmp_path / "root").mkdir()
    with pytest.raises(PackageGoneError):
        list(fetched(pinned, tmp_path / "root", fetch=archive.fetch))
    assert list((tmp_path / "root").iterdir()) == []


def with_doc(**files: bytes) -> tuple[AptPin, MemoryArchive]:
    """A pin of an image, and of modules that have files of documentation."""
    archive = MemoryArchive()
    documented = {f"usr/share/doc/modules/{name.replace('_', '.')}": data for name, data in files.items()}
    packages = (archive.add("image", "6.1.176-1", BOOT), archive.add("modules", "6.1.176-1", TREE | documented))
    made = AptPin(
        suite="jammy", package="image", architecture="amd64", version="6.1.176-1", packages=packages, missing=()
    )
    return made, archive


def test_the_changelog_is_read_out_of_whatever_package_has_it() -> None:
    text = "linux (6.1.176-1) bookworm; urgency=medium\n\n  * bpf: ü\n"
    pinned, archive = with_doc(changelog_gz=gzip.compress(text.encode()), copyright=b"x")
    assert changelog(pinned, fetch=archive.fetch) == text
    assert archive.fetched == ["image", "modules"]


def test_of_two_changelogs_the_longer_one_counts() -> None:
    pinned, archive = with_doc(
        changelog_gz=gzip.compress(b"upstream"), changelog_Debian_gz=gzip.compress(b"the distribution's own, longer")
    )
    assert changelog(pinned, fetch=archive.fetch) == "the distribution's own, longer"


def test_packages_without_a_changelog_have_none() -> None:
    pinned, archive = with_doc(readme=b"x")
    assert changelog(pinned, fetch=archive.fetch) == ""


def test_a_changelog_that_is_damaged_is_no_changelog() -> None:
    pinned, archive = with_doc(changelog_gz=b"no gzip")
    with pytest.raises(FetchError, match="cannot be unpacked"):
        changelog(pinned, fetch=archive.fetch)
