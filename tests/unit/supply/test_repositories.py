"""A repository at several addresses; what one at a real address answers is in test_kernels_apt.py."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from unit_samples import package_file

from harness.errors import BpfmatrixError, FetchError, MirrorError, PackageGoneError
from harness.host.cache import Cache
from harness.supply.debian.apt import Patience
from harness.supply.debian.repositories import Repository
from harness.supply.debian.repository import Line

DATA = b"the package"
PACKAGE = package_file("linux-image", "5.15", file="pool/x.deb", sha256=hashlib.sha256(DATA).hexdigest())


def repository(tmp_path: Path, *addresses: str) -> Repository:
    lines = [Line(address=address, suite="jammy") for address in addresses]
    return Repository(lines, cache=Cache(tmp_path / "cache"), patience=Patience(seconds=1, retries=0, whole=20))


def folder(tmp_path: Path, name: str, data: bytes | None) -> str:
    (tmp_path / name / "pool").mkdir(parents=True)
    if data is not None:
        (tmp_path / name / "pool/x.deb").write_bytes(data)
    return f"file://{tmp_path}/{name}"


def test_a_file_comes_from_the_first_address_that_has_it_and_the_others_are_named(tmp_path: Path) -> None:
    gone, damaged = folder(tmp_path, "gone", None), folder(tmp_path, "damaged", b"something else")
    good = folder(tmp_path, "good", DATA)
    found = repository(tmp_path, gone, damaged, good)
    (tmp_path / "target").mkdir()
    for _ in range(2):
        assert found.fetch(PACKAGE, tmp_path / "target").read_bytes() == DATA
    assert found.notices == [
        f"{gone} was passed over for {good}: the mirror no longer has linux-image 5.15 (pool/x.deb)",
        f"{damaged} was passed over for {good}: linux-image 5.15 could not be fetched: pool/x.deb is not the file that "
        "the index or matrix.lock names",
    ]
    assert found.has(PACKAGE)
    assert not repository(tmp_path, gone).has(PACKAGE)


@pytest.mark.parametrize(
    ("names", "error"),
    [
        (["gone", "gone too"], PackageGoneError),
        (["gone", "damaged"], FetchError),
        (["nobody", "gone"], MirrorError),
        (["nobody", "damaged"], FetchError),
    ],
)
def test_what_is_gone_is_gone_only_where_each_address_says_so(
    names: list[str], error: type[BpfmatrixError], tmp_path: Path
) -> None:
    addresses = {
        "gone": folder(tmp_path, "gone", None),
        "gone too": folder(tmp_path, "gone-too", None),
        "damaged": folder(tmp_path, "damaged", b"something else"),
        "nobody": "http://127.0.0.1:9",
    }
    (tmp_path / "target").mkdir()
    with pytest.raises(BpfmatrixError) as caught:
        repository(tmp_path, *(addresses[name] for name in names)).fetch(PACKAGE, tmp_path / "target")
    assert type(caught.value) is error
    assert all(f"{addresses[name]}: " in str(caught.value) for name in names)
