"""A repository as distributions make theirs, at one or several addresses, and all that can be wrong with it."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import re
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from rpm_repositories import make_index, needs_rpm, served
from rpm_samples import VERSION, key, keyring, other_key, repository, sample
from test_rpm_repodata import entry, primary

from harness.errors import BpfmatrixError, FetchError, MirrorError, PackageGoneError
from harness.host.cache import Cache
from harness.supply.rpm.archive import SignedRepository, check_sum, read_primary
from harness.supply.rpm.fetch import Repository
from harness.supply.rpm.verify import read_keys

NAMES = ("kernel-core", "kernel-modules")


def archive(
    folder: Path, *bases: str | Path, keys: bool = True, signed_index: bool = True, cache: Cache | None = None
) -> SignedRepository:
    """A repository at some addresses or folders, whose keyring is that of `key`."""
    return SignedRepository(
        Repository([base if isinstance(base, str) else f"file://{base}" for base in bases]),
        cache=cache or Cache(folder / "cache"),
        keys=read_keys(keyring(folder), kernel="el9") if keys else None,
        signed_index=signed_index,
    )


@needs_rpm
def test_what_is_listed_can_be_fetched(tmp_path: Path) -> None:
    made = archive(tmp_path, repository(tmp_path / "repo"))
    listing = made.listing(NAMES)
    assert [(each.name, each.version, each.arch) for each in listing.packages] == [
        ("kernel-core", VERSION, "x86_64"),
        ("kernel-modules", VERSION, "x86_64"),
    ]
    assert all(made.has(package) for package in listing.packages)
    paths = made.fetch(listing.packages, tmp_path)
    assert [path.name for path in paths] == [f"{name}-{VERSION}.x86_64.rpm" for name in NAMES]
    assert [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths] == [
        each.checksum for each in listing.packages
    ]


@needs_rpm
def test_an_index_that_has_not_changed_is_not_got_again(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    with served(repository(tmp_path / "repo")) as server:
        for _ in range(2):
            archive(tmp_path, server.address, cache=cache).listing(NAMES)
        asked = [re.sub("[0-9a-f]{64}-", "", each) for each in server.asked]
    assert asked == [
        "GET /repodata/repomd.xml",
        "GET /repodata/repomd.xml.asc",
        "GET /repodata/primary.xml.gz",
        "GET /repodata/repomd.xml",
        "GET /repodata/repomd.xml.asc",
    ]


def primary_of(repo: Path) -> Path:
    (path,) = repo.glob("repodata/*-primary.xml.*")
    return path


def unsigned(repo: Path) -> None:
    (repo / "repodata/repomd.xml.asc").unlink()


def of_somebody_else(repo: Path) -> None:
    other_key().sign(repo / "repodata/repomd.xml")


def changed(repo: Path) -> None:
    repomd = repo / "repodata/repomd.xml"
    repomd.write_text(repomd.read_text().replace("</repomd>", " </repomd>"))


def another_primary(repo: Path) -> None:
    path = primary_of(repo)
    path.write_bytes(gzip.compress(primary(entry()).encode())[: path.stat().st_size])


def longer_primary(repo: Path) -> None:
    path = primary_of(repo)
    path.write_bytes(path.read_bytes() + b"more")


def shorter_primary(repo: Path) -> None:
    path = primary_of(repo)
    path.write_bytes(path.read_bytes()[:-4])


def no_primary(repo: Path) -> None:
    primary_of(repo).unlink()


def no_repomd(repo: Path) -> None:
    (repo / "repodata/repomd.xml").unlink()


def bomb(repo: Path) -> None:
    """An index that is signed, and yet not what it should be."""
    repomd = repo / "repodata/repomd.xml"
    repomd.write_text(repomd.read_text().replace("<repomd", '<!DOCTYPE repomd [<!ENTITY a "aaaa">]><repomd', 1))
    key().sign(repomd)


@needs_rpm
@pytest.mark.parametrize(
    ("harm", "error", "complaint"),
    [
        (unsigned, FetchError, "its index is not signed: it has no repomd.xml.asc. `unsigned: index` takes it"),
        (of_somebody_else, FetchError, "the signature of repomd.xml is not one of the keyring"),
        (changed, FetchError, "the signature of repomd.xml is not one of the keyring"),
        (another_primary, FetchError, "primary.xml.gz is not what the index says: its sha256 is"),
        (longer_primary, FetchError, "more than the"),
        (shorter_primary, FetchError, "primary.xml.gz is not what the index says: its sha256 is"),
        (no_primary, MirrorError, "its index is not whole, perhaps while it is updated"),
        (no_repomd, MirrorError, "there is no RPM repository"),
        (bomb, FetchError, "it has a document type, so entities"),
    ],
)
def test_an_index_that_is_not_right_is_one_clear_error(
    tmp_path: Path, harm: Callable[[Path], None], error: type[BpfmatrixError], complaint: str
) -> None:
    repo = repository(tmp_path / "repo")
    harm(repo)
    made = archive(tmp_path, repo)
    with pytest.raises(error, match=re.escape(complaint)) as caught:
        made.listing(NAMES)
    assert f"file://{repo}/" in str(caught.value)
    assert not list(tmp_path.glob("cache/rpm-index/*"))
    whole = repository(tmp_path / "another")
    assert len(archive(tmp_path, repo, whole).listing(NAMES).packages) == 2, "the next address has it"


@needs_rpm
def test_an_index_without_a_signature_is_taken_where_the_user_says_so(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    unsigned(repo)
    assert len(archive(tmp_path, repo, signed_index=False).listing(NAMES).packages) == 2
    assert len(archive(tmp_path, repo, keys=False).listing(NAMES).packages) == 2


@needs_rpm
def test_an_index_may_be_packed_in_another_way(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    make_index(repo, key=key(), packed="xz")
    assert primary_of(repo).suffix == ".xz"
    assert len(archive(tmp_path, repo).listing(NAMES).packages) == 2


TEXT = primary(*[entry()] * 50).encode()


@pytest.mark.parametrize(
    "pack",
    [
        bytes,
        gzip.compress,
        lzma.compress,
        lambda data: lzma.compress(data[:5000]) + lzma.compress(data[5000:]),
        lambda data: zstandard.ZstdCompressor().compress(data),
        bz2.compress,
    ],
)
def test_whatever_primary_is_packed_with_it_is_read_and_its_end_is_missed(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "primary"
    path.write_bytes(pack(TEXT))
    assert len(read_primary(path, NAMES).packages) == 50
    path.write_bytes(pack(TEXT)[:-30])
    with pytest.raises(FetchError, match="primary"):
        read_primary(path, NAMES)


def test_what_needs_too_much_memory_to_unpack_is_refused(tmp_path: Path) -> None:
    data = bytearray(lzma.compress(b"x"))
    end = 12 + 4 * data[12]  # of the block's header, but for its checksum (xz-file-format, 3.1)
    data[16] = 38  # the size of the dictionary: 2 GiB
    data[end : end + 4] = zlib.crc32(data[12:end]).to_bytes(4, "little")
    (tmp_path / "primary").write_bytes(data)
    with pytest.raises(FetchError, match="cannot be unpacked: Memory usage limit"):
        read_primary(tmp_path / "primary", NAMES)


@needs_rpm
@pytest.mark.parametrize(
    ("signed_by", "complaint"), [("other", "NOKEY"), ("", "it is not signed")], ids=["somebody else", "nobody"]
)
def test_packages_that_are_not_signed_by_the_keyring_are_not_handed_over(
    tmp_path: Path, signed_by: str, complaint: str
) -> None:
    repo = repository(tmp_path / "repo", signed_by=signed_by)
    made = archive(tmp_path, repo)
    with pytest.raises(FetchError, match=rf"kernel-core-\S+ is not one of the keyring: .*{complaint}"):
        made.fetch(made.listing(NAMES).packages, tmp_path)
    made = archive(tmp_path, repo, keys=False)
    assert len(made.fetch(made.listing(NAMES).packages, tmp_path)) == 2


@needs_rpm
def test_a_package_that_is_not_what_the_index_says_is_sought_at_the_next_address(tmp_path: Path) -> None:
    good, bad = repository(tmp_path / "good"), repository(tmp_path / "bad")
    package = archive(tmp_path, good).listing(NAMES).packages[0]
    path = bad / package.file
    path.write_bytes(bytes(reversed(path.read_bytes())))
    with pytest.raises(FetchError, match=f"kernel-core {VERSION} is not what the index says: its sha256 is") as caught:
        archive(tmp_path, bad).fetch([package], tmp_path)
    assert f"file://{bad}/" in str(caught.value)
    assert not (tmp_path / package.file_name).exists()
    assert archive(tmp_path, bad, good).fetch([package], tmp_path)[0].read_bytes() == (good / package.file).read_bytes()


@needs_rpm
def test_a_package_that_is_gone_is_there_where_one_address_has_it(tmp_path: Path) -> None:
    good, bad = repository(tmp_path / "good"), repository(tmp_path / "bad")
    package = archive(tmp_path, good).listing(NAMES).packages[0]
    (bad / package.file).unlink()
    assert not archive(tmp_path, bad).has(package)
    assert archive(tmp_path, bad, good).has(package)
    with pytest.raises(PackageGoneError, match=f"the repository no longer has kernel-core {VERSION}: "):
        archive(tmp_path, bad).fetch([package], tmp_path)


@needs_rpm
def test_a_package_of_another_size_is_not_got_to_its_end(tmp_path: Path) -> None:
    made = archive(tmp_path, repository(tmp_path / "repo"))
    package = made.listing(NAMES).packages[0]
    with pytest.raises(FetchError, match="has more than the 100 bytes"):
        made.fetch([replace(package, size=100)], tmp_path)


@needs_rpm
def test_a_stronger_checksum_holds_as_well(tmp_path: Path) -> None:
    repo = tmp_path / "repo"
    sample(repo)
    make_index(repo, key=key(), options=["--checksum", "sha512"])
    made = archive(tmp_path, repo)
    (package,) = made.listing(NAMES).packages
    assert package.algorithm == "sha512"
    assert len(made.fetch([package], tmp_path)) == 1


def test_a_file_with_another_checksum_is_deleted(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    check_sum(path, "sha256", hashlib.sha256(b"x").hexdigest(), what="it")
    with pytest.raises(FetchError, match="it is not what the index says: its sha256 is"):
        check_sum(path, "sha256", "0" * 64, what="it")
    assert not path.exists()
