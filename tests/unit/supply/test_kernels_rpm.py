"""Kernels out of RPM repositories: which build is pinned, what is verified, and what the user learns of it."""

# ruff: noqa: ARG002  (what stands in for a repository takes what that takes)

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rpm_repositories import Server, make_index, needs_rpm, served
from rpm_samples import RELEASE, VERSION, key, keyring, other_key, repository, sample
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
from harness.supply.sweeps import Swept, sweep_builds


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


# --- lists of mirrors -------------------------------------------------------------------------------------------------


@pytest.fixture
def mirrors(tmp_path: Path) -> Iterator[Server]:
    """A server with three mirrors of a repository: `good`; `old`, with an index of another day; `empty`."""
    folder = tmp_path / "served"
    repository(folder / "good")
    sample(folder / "old", version="5.14.0-400.el9")
    make_index(folder / "old", key=key())
    (folder / "empty").mkdir()
    with served(folder) as server:
        yield server


def metalink(server: Server, *names: str, of: str = "good") -> str:
    """Write a metalink of mirrors, the best first, and return its address."""
    digest = hashlib.sha256((server.folder / of / "repodata/repomd.xml").read_bytes()).hexdigest()
    urls = [
        f'<url protocol="http" preference="{100 - at}">{server.address}/{name}/repodata/repomd.xml</url>'
        for at, name in enumerate(names)
    ]
    (server.folder / "metalink").write_text(
        '<?xml version="1.0"?><metalink version="3.0" xmlns="http://www.metalinker.org/"><files>'
        f'<file name="repomd.xml"><verification><hash type="sha256">{digest}</hash></verification>'
        f"<resources>{''.join(urls)}</resources></file></files></metalink>"
    )
    return f"{server.address}/metalink"


def mirrorlist(server: Server, *names: str) -> str:
    lines = [f"{server.address}/{name}/" for name in names]
    (server.folder / "list").write_text("\n".join(["# mirrors", *lines, ""]))
    return f"{server.address}/list"


def at(folder: Path, **place: str) -> RpmKernel:
    """The entry of a kernel whose mirrors a list names."""
    keys = {"name": "el9", "arch": "x86_64", "source": "rpm", "distribution": "rhel-like", "keyring": keyring(folder)}
    return RpmKernel.model_validate({**keys, **place})


@needs_rpm
def test_mirrors_of_a_list_are_asked_in_their_order_and_one_that_fails_is_named(
    mirrors: Server, tmp_path: Path
) -> None:
    kernel = at(tmp_path, mirrorlist=mirrorlist(mirrors, "empty", "good", "old"))
    made = source(tmp_path)
    found = made.pin(kernel)
    assert found.pin.version == VERSION
    passed = f"{mirrors.address}/empty/ was passed over for {mirrors.address}/good/: "
    assert found.remarks == (
        f"{passed}there is no RPM repository: {mirrors.address}/empty/repodata/repomd.xml is not there "
        "(404 File not found)",
    )
    files = made.obtain(kernel, found.pin, modules=MODULES)
    assert files.notice == (
        f"el9: {passed}the repository no longer has kernel-core {VERSION}: {mirrors.address}/empty/"
        f"kernel-core-{VERSION}.x86_64.rpm is not there (404 File not found)"
    )
    assert mirrors.asked.count("GET /list") == 1, "a run asks for the list once"
    assert not any("/old/" in each for each in mirrors.asked)
    assert made.obtain(kernel, found.pin, modules=MODULES).notice == ""


@needs_rpm
def test_a_mirror_has_the_index_that_the_metalink_names(mirrors: Server, tmp_path: Path) -> None:
    kernel = at(tmp_path, metalink=metalink(mirrors, "old", "good"))
    found = source(tmp_path).pin(kernel)
    assert found.pin.version == VERSION
    assert found.remarks == (
        f"{mirrors.address}/old/ was passed over for {mirrors.address}/good/: its repomd.xml is none of those that the "
        "metalink names: it is of another day, or not theirs",
    )
    assert source(tmp_path).answers(kernel, found.pin)
    assert "127.0.0.1" not in str(found.pin)
    other = at(tmp_path, metalink=f"{mirrors.address}/other")
    assert not source(tmp_path).answers(other, found.pin)
    only_old = at(tmp_path, metalink=metalink(mirrors, "old"))
    with pytest.raises(FetchError, match=r"/old/: its repomd\.xml is none of those that the metalink names"):
        source(tmp_path).pin(only_old)


@needs_rpm
def test_where_no_mirror_will_do_each_is_named(mirrors: Server, tmp_path: Path) -> None:
    kernel = at(tmp_path, metalink=metalink(mirrors, "empty", "old"))
    with pytest.raises(FetchError) as caught:
        source(tmp_path).pin(kernel)
    first, *lines = str(caught.value).splitlines()
    assert first == "none of the addresses of the repository would do:"
    assert [next(name for name in ("empty", "old") if f"/{name}/" in line) for line in lines] == ["empty", "old"]


def test_a_list_that_is_not_there_is_named(tmp_path: Path) -> None:
    kernel = entry(tmp_path, unsigned=True).model_copy(update={"mirrorlist": f"file://{tmp_path}/list"})
    with pytest.raises(MirrorError, match=f"there is no list of mirrors: file://{tmp_path}/list is not there"):
        source(tmp_path).pin(kernel)


# --- sweeps -----------------------------------------------------------------------------------------------------------


def versions(swept: Swept) -> list[str]:
    return [pin.pin.version for pin in swept.pins.values()]


@needs_rpm
def test_a_sweep_lists_the_builds_of_a_repository_by_rpms_order(tmp_path: Path) -> None:
    """The oldest first: 503.2 is older than 503.11, and what has no files is left out."""
    repo = repository(tmp_path / "repo")
    numbers = ("503.11.1", "503.2.1", "400")
    built = {number: sample(repo, version=f"5.14.0-{number}.el9") for number in numbers}
    make_index(repo, key=key())
    built["400"].unlink()
    whole = [VERSION, "5.14.0-503.2.1.el9", "5.14.0-503.11.1.el9"]
    found = sweep_builds(source(tmp_path), entry(repo, sweep={"builds": "all"}))
    assert versions(found) == whole
    assert [row.name for row in found.sweep.rows] == [f"el9-{version}" for version in whole]
    assert found.remarks == ("left out, since files of theirs are gone: 5.14.0-400.el9 (kernel-core)",)
    newest = entry(repo, sweep={"builds": 2})
    assert versions(sweep_builds(source(tmp_path), newest)) == whole[1:]
    first = found.sweep.rows[0]
    files = source(tmp_path).obtain(newest.row(first.name), found.pins[first.name].pin, modules=MODULES)
    assert (files.name, files.release, files.package.version) == (first.name, RELEASE, VERSION)


@needs_rpm
def test_a_build_that_the_repository_lists_no_more_stays_while_it_has_its_files(tmp_path: Path) -> None:
    repo, kernel = repository(tmp_path / "repo"), entry(tmp_path / "repo", sweep={"builds": "all"})
    newer = sample(repo, version="5.14.0-504.el9")
    make_index(repo, key=key())
    before = sweep_builds(source(tmp_path), kernel)
    make_index(repo, key=key(), options=("--excludes", newer.name))
    found = sweep_builds(source(tmp_path), kernel, before=before)
    assert (versions(found), found.sweep) == ([VERSION, "5.14.0-504.el9"], before.sweep)
    assert found.remarks == ("not listed any more, but their files are still there, so they stay: 5.14.0-504.el9",)
    newer.unlink()
    left = sweep_builds(source(tmp_path), kernel, before=before)
    assert versions(left) == [VERSION]
    assert left.remarks == ("no longer in the lock, since files of theirs are gone: 5.14.0-504.el9 (kernel-core)",)


class ListedOnly:
    """A repository that lists packages, and has none."""

    marks = ("a",)
    notices = ()

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
