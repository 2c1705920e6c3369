"""Keys of entries, and hashes of files."""

from __future__ import annotations

import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.host import cache as cache_module
from harness.host.cache import (
    SPARSE_BLOCK,
    Cache,
    digest,
    sha256_file,
    sha256_known,
    sha256_sparse,
)


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(JSON, JSON)
def test_a_key_is_the_same_for_the_same_parts_and_differs_for_others(one: Any, other: Any) -> None:
    assert digest(one) == digest(json.loads(json.dumps(one)))
    assert len(digest(one)) == 24
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest(one) == digest(other)) == same
    assert digest(one, other) != digest([one, other])


def test_the_order_of_keys_does_not_matter_and_that_of_lists_does() -> None:
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert digest([1, 2]) != digest([2, 1])


def test_the_hash_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"abc")
    assert sha256_file(tmp_path / "f") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(FileNotFoundError):
        sha256_file(tmp_path / "none")


def sparse(path: Path, size: int, **parts: bytes) -> str:
    """Write a file of holes with `parts` at the offsets that their names end with; return its hash."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(size)
        for name, data in parts.items():
            file.seek(int(name[1:]))
            file.write(data)
    return sha256_sparse(path)


def test_the_hash_of_a_sparse_file_does_not_depend_on_its_holes(tmp_path: Path) -> None:
    size, path = 10 * SPARSE_BLOCK + 100, tmp_path / "f"
    few = sparse(path, size, _70000=b"abc", _655300=b"end")
    assert few == sparse(path, size, _0=bytes(65536), _70000=b"abc" + bytes(200000), _655300=b"end")
    path.write_bytes(path.read_bytes())
    assert sha256_sparse(path) == few, "without any holes"


def test_the_hash_of_a_sparse_file_changes_with_every_byte_and_with_its_size(tmp_path: Path) -> None:
    size, path = 10 * SPARSE_BLOCK + 100, tmp_path / "f"
    variants = [
        sparse(path, size),
        sparse(path, size + 1),
        sparse(path, 0),
        sparse(path, size, _0=b"a"),
        sparse(path, size, _1=b"a"),
        sparse(path, size, _65536=b"a"),
        sparse(path, size, _131072=b"a"),
        sparse(path, size, _65536=b"a", _131072=b"a"),
        sparse(path, size, _655459=b"a"),
        sparse(path, size, _655458=b"a"),
    ]
    assert len(set(variants)) == len(variants)
    with pytest.raises(FileNotFoundError):
        sha256_sparse(tmp_path / "none")


@given(st.lists(st.tuples(st.integers(0, 400_000), st.binary(min_size=1, max_size=9)), max_size=6))
def test_the_hash_of_a_sparse_file_is_that_of_its_bytes(parts: list[tuple[int, bytes]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        holes, plain = Path(folder) / "holes", Path(folder) / "plain"
        data = bytearray(420_000)
        with holes.open("wb") as file:
            file.truncate(len(data))
            for offset, part in parts:
                file.seek(offset)
                file.write(part)
                data[offset : offset + len(part)] = part
        plain.write_bytes(data)
        assert sha256_sparse(holes) == sha256_sparse(plain)
        changed = bytearray(data)
        changed[len(data) // 2] ^= 1
        plain.write_bytes(changed)
        assert sha256_sparse(holes) != sha256_sparse(plain)


def test_a_known_hash_holds_until_the_file_is_touched(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []

    def counted(path: Path) -> str:
        read.append(path)
        return sha256_file(path)

    monkeypatch.setattr(cache_module, "sha256_file", counted)

    def make(folder: Path) -> dict[str, Any]:
        (folder / "file").write_bytes(b"bytes")
        return {}

    path = cache.entry("kind", "key", make).path / "file"
    cache.entry("kind", "key", make)
    read.clear()
    assert sha256_known(path) == sha256_file(path)
    assert read == []  # since it was verified
    cache.entry("kind", "key", make)
    assert read == [path]  # a use looks at the bytes every time

    path.write_bytes(b"other")
    assert sha256_known(path) == sha256_file(path)
    at = path.stat()
    time.sleep(0.05)  # the kernel stamps files by its coarse clock
    path.write_bytes(b"third")
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))  # the time of the change itself cannot be set
    assert sha256_known(path) == sha256_file(path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        sha256_known(path)
