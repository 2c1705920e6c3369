"""Kernels out of RPM repositories: which build is pinned, what is verified, and what the user learns of it."""

# ruff: noqa: ARG002  (what stands in for a repository takes what that takes)

from __future__ import annotations

import shutil
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rpm_repositories import make_index, needs_rpm
from rpm_samples import RELEASE, VERSION, keyring, other_key, repository, sample
from source_worlds import MODULES, find_by_name, no_mirrors
from unit_samples import x86_image

from harness.config.matrix import RpmKernel
from harness.errors import FetchError, KernelFileError, MirrorError, PackageGoneError
from harness.host.cache import Cache
from harness.supply.kernels import cached
from harness.supply.kernels.rpm import RpmSource
from harness.supply.kernels.source import SourceContext
from harness.supply.rpm.pin import RpmFile
from harness.supply.rpm.repodata import Listing


def entry(*folders: Path, **changes: Any) -> RpmKernel:
    """The entry of a kernel of some folders, whose keyring is that of `key`."""
    keys: dict[str, Any] = {
        "name": "el9",
        "arch": "x86_64",
        "source": "rpm",
        "distribution": "rhel-like",
        "baseurl": tuple(f"file://{folder}" for folder in folders),
    }
    if "unsigned" not in changes:
        keys["keyring"] = keyring(folders[0].parent)
    return RpmKernel.model_validate({**keys, **changes})


def source(folder: Path) -> RpmSource:
    return RpmSource(SourceContext(cache=Cache(folder / "cache"), mirrors=no_mirrors))


@pytest.fixture(autouse=True)
def _no_depmod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "find_modules", find_by_name)


@needs_rpm
def test_a_kernel_is_put_together_of_its_packages_and_then_taken_from_the_cache(tmp_path: Path) -> None:
    kernel = entry(repository(tmp_path / "repo"))
    pin = source(tmp_path).pin(kernel).pin
    assert [package.name for package in pin.packages] == ["kernel-core", "kernel-modules"]
    files = source(tmp_path).obtain(kernel, pin, modules=MODULES)
    shutil.rmtree(tmp_path / "repo")
    assert source(tmp_path).obtain(kernel, pin, modules=MODULES) == files
    assert files.release == RELEASE
    assert files.image.read_bytes() == x86_image(RELEASE)
    assert [path.name for path in files.modules] == ["00-virtio_net.ko", "01-virtio_pci.ko"]
    package = files.package
    assert (package.source, package.name, package.version) == ("rpm", "kernel-core", VERSION)
    assert package.distribution == "rhel-like"
    assert (package.sha256, package.notice, files.notice) == (pin.packages[0].checksum, "", "")


@needs_rpm
def test_what_was_taken_unsigned_is_no_answer_for_who_wants_a_signature(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo", signed_by="other")
    careless = entry(repo, unsigned=True)
    pin = source(tmp_path).pin(careless).pin
    files = source(tmp_path).obtain(careless, pin, modules=MODULES)
    notice = "el9: the signatures of its packages were not checked (unsigned: true)"
    assert (files.notice, files.package.notice) == (notice, notice)
    assert source(tmp_path).describe(careless, pin).remark == "unsigned"
    kernel = entry(repo)
    with pytest.raises(FetchError, match="NOKEY"):
        source(tmp_path).obtain(kernel, pin, modules=MODULES)
    keyring(tmp_path, other_key())
    assert source(tmp_path).obtain(kernel, pin, modules=MODULES).notice == ""


@needs_rpm
def test_an_index_without_a_signature_is_taken_where_the_user_says_so_and_packages_are_not(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    (repo / "repodata/repomd.xml.asc").unlink()
    with pytest.raises(FetchError, match="`unsigned: index`"):
        source(tmp_path).pin(entry(repo))
    kernel = entry(repo, unsigned="index", keyring=keyring(tmp_path, other_key()))
    pin = source(tmp_path).pin(kernel).pin
    assert source(tmp_path).describe(kernel, pin).remark == "its index unsigned"
    with pytest.raises(FetchError, match="NOKEY"):
        source(tmp_path).obtain(kernel, pin, modules=MODULES)


@needs_rpm
def test_a_build_whose_files_are_gone_is_passed_over_with_a_notice(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    newer = sample(repo, version="5.14.0-504.el9")
    make_index(repo)
    newer.unlink()
    found = source(tmp_path).pin(entry(repo, unsigned="index", keyring=keyring(tmp_path)))
    assert found.pin.version == VERSION
    assert found.notice == "passed over, since files of theirs are gone: 5.14.0-504.el9 (kernel-core)"
    assert [each.version for each in source(tmp_path).builds(entry(repo, unsigned=True))] == ["5.14.0-504.el9", VERSION]
    with pytest.raises(PackageGoneError, match=r"no longer has its files: 5\.14\.0-504\.el9 \(kernel-core\)"):
        source(tmp_path).pin(entry(repo, unsigned=True, version="*-504.el9"))


@needs_rpm
def test_what_the_repository_does_not_have_is_said_with_what_it_has(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    for changes, complaint in (
        ({"version": "6.*"}, f"the repository has no kernel-core 6.*; it has {VERSION}"),
        ({"arch": "arm64"}, "the repository has kernel-core for x86_64, not for aarch64"),
        ({"package": "kernel"}, "the repository has no package kernel; it has no kernel"),
    ):
        with pytest.raises(PackageGoneError) as caught:
            source(tmp_path).pin(entry(repo, **changes))
        assert str(caught.value) == complaint


@needs_rpm
def test_a_package_of_another_architecture_than_it_says_is_no_kernel(tmp_path: Path) -> None:
    kernel = entry(repository(tmp_path / "repo"))
    pin = source(tmp_path).pin(kernel).pin
    other = entry(tmp_path / "repo", arch="s390x")
    with pytest.raises(FetchError, match=f"vmlinuz-{RELEASE} of the package is not a kernel for s390x"):
        source(tmp_path).obtain(other, replace(pin, architecture="s390x"), modules=[])


def test_a_repository_that_is_not_there_is_named(tmp_path: Path) -> None:
    kernel = entry(tmp_path / "nothing", unsigned=True)
    with pytest.raises(MirrorError, match=f"there is no RPM repository: file://{tmp_path}/nothing/"):
        source(tmp_path).pin(kernel)


def test_a_keyring_that_is_none_is_found_before_any_guest(tmp_path: Path) -> None:
    (tmp_path / "keyring").write_text("a text")
    kernel = entry(tmp_path / "repo", keyring=tmp_path / "keyring", unsigned="index")
    with pytest.raises(KernelFileError, match=r"kernel el9: .* is no keyring"):
        source(tmp_path).check(kernel, modules=[], case_modules=[])


class ListedOnly:
    """A repository that lists packages, and has none."""

    marks = ("a",)

    def __init__(self, *packages: RpmFile) -> None:
        self.packages = packages

    def listing(self, wanted: Collection[str]) -> Listing:
        return Listing(packages=tuple(each for each in self.packages if each.name in wanted))

    def has(self, package: RpmFile) -> bool:
        return True

    def fetch(self, packages: Iterable[RpmFile], folder: Path) -> list[Path]:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("distribution", "package", "names"),
    [
        ("rhel-like", None, ["kernel-core", "kernel-modules-core", "kernel-modules", "kernel-modules-extra"]),
        ("amazon", None, ["kernel", "kernel-modules", "kernel-modules-extra"]),
        ("amazon", "kernel6.12", ["kernel6.12"]),
        ("suse", None, ["kernel-default", "kernel-default-optional"]),
    ],
)
def test_each_distribution_has_its_own_packages(
    tmp_path: Path, distribution: str, package: str | None, names: list[str]
) -> None:
    files = (
        *("kernel-core", "kernel-modules-core", "kernel-modules", "kernel", "kernel-modules-extra", "kernel6.12"),
        *("kernel-default", "kernel-default-optional", "kernel-default-devel"),
    )
    listed = ListedOnly(
        *(RpmFile(name=name, version="1-1", arch="x86_64", file=name, checksum="0", size=10) for name in files)
    )
    made = RpmSource(SourceContext(cache=Cache(tmp_path / "cache"), mirrors=no_mirrors), archive=lambda *_: listed)
    kernel = entry(tmp_path / "repo", unsigned=True, distribution=distribution, package=package)
    pin = made.pin(kernel).pin
    assert [each.name for each in pin.packages] == names
    about = made.describe(kernel, pin)
    assert (about.origin, about.version, about.size) == (f"{distribution}: {names[0]}", "1-1", 10 * len(names))
