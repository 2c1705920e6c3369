from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_samples import ROOT, package_file

from harness.errors import EXIT_USAGE, ConfigError
from harness.supply.debian.apt import PackageFile
from harness.supply.debian.pin import DebianPin, ImagePin
from harness.supply.lock import SCHEMA, KernelPin, Lock, read_lock, write_lock

KERNEL = DebianPin(
    suite="trixie-backports",
    package="linux-image-6.16.*-cloud-amd64",
    architecture="amd64",
    version="6.16.12-1~bpo13+1",
    packages=(package_file("linux-image-6.16.12"), package_file("linux-base-6.16.12")),
    missing=("linux-modules-6.16.12",),
)


IMAGE = ImagePin(suites=("trixie", "trixie-security"), names=("libbpf1",), packages=(package_file("libbpf1"),))


LOCK = Lock(
    kernels={"b": KernelPin("debian", KERNEL), "a": KernelPin("debian", replace(KERNEL, wanted_version="1"))},
    images={"amd64": IMAGE},
    axes={"amd64: libbpf of bookworm": replace(IMAGE, suites=("bookworm",))},
)


def test_a_lock_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_lock(tmp_path / "matrix.lock", LOCK)
    assert read_lock(tmp_path / "matrix.lock") == LOCK
    assert [path.name for path in tmp_path.iterdir()] == ["matrix.lock"]


WORDS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


FILES = st.builds(
    PackageFile, name=WORDS, version=WORDS, archive=WORDS, file=WORDS, sha256=WORDS, size=st.integers(min_value=0)
)


KERNELS = st.builds(
    DebianPin,
    suite=WORDS,
    package=WORDS,
    architecture=WORDS,
    wanted_version=st.none() | WORDS,
    version=WORDS,
    packages=st.lists(FILES, max_size=3).map(tuple),
    missing=st.lists(WORDS, max_size=2).map(tuple),
)


@given(st.dictionaries(WORDS, KERNELS, max_size=3))
def test_any_lock_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, kernels: dict[str, DebianPin]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.lock"
    lock = Lock(kernels={name: KernelPin("debian", pin) for name, pin in kernels.items()})
    write_lock(path, lock)
    assert read_lock(path) == lock


def test_the_same_lock_is_always_the_same_text() -> None:
    other = Lock(kernels=dict(reversed(list(LOCK.kernels.items()))), images=LOCK.images, axes=LOCK.axes)
    assert other.render() == LOCK.render()
    assert LOCK.render().startswith("# The exact builds")


def test_no_file_is_an_empty_lock(tmp_path: Path) -> None:
    assert read_lock(tmp_path / "none") == Lock()
    (tmp_path / "empty").write_text("")
    assert read_lock(tmp_path / "empty") == Lock()


def test_a_lock_of_the_first_schema_is_read_and_written_as_one_of_today(tmp_path: Path) -> None:
    """It had neither a number nor the sources' names: Debian was the only source that pins."""
    old = re.sub(r"^schema: .*\n|^    source: debian\n", "", LOCK.render(), flags=re.MULTILINE)
    assert old.count("source") == old.count("schema") == 0
    (tmp_path / "matrix.lock").write_text(old)
    assert read_lock(tmp_path / "matrix.lock") == LOCK
    assert f"\nschema: {SCHEMA}\n" in LOCK.render()


@dataclass(frozen=True)
class TreePin:
    """What a source that does not exist might pin."""

    commit: str
    options: tuple[str, ...] = ()


def test_what_another_source_pins_is_given_back_as_it_was(tmp_path: Path) -> None:
    lock = Lock(kernels={"a": KernelPin("tree", TreePin("abc", ("BPF",))), "b": LOCK.kernels["b"]})
    write_lock(tmp_path / "matrix.lock", lock)
    assert read_lock(tmp_path / "matrix.lock", pin_types={"tree": TreePin, "debian": DebianPin}) == lock
    with pytest.raises(ConfigError, match=r"kernels.a: no source of kernels with pins is called 'tree'"):
        read_lock(tmp_path / "matrix.lock")


@pytest.mark.parametrize(
    "text",
    [
        b"kernels: [",
        b"- a list\n",
        b"unknown: {}\n",
        b"schema: 3\n",
        b"schema: none\n",
        b"kernels: {a: {source: path}}\n",
        b"schema: 2\nkernels: {a: {suite: s, package: p, architecture: amd64, version: '1', packages: []}}\n",
        b"kernels: {a: {suite: s, package: p, architecture: amd64, version: '1', packages: [], more: 1}}\n",
        b"kernels: {a: {suite: s}}\n",
        b"kernels: {a: 1}\n",
        b"\xff\xfe",
        b"!!python/object/apply:os.getcwd []\n",
    ],
)
def test_a_malformed_lock_is_told_with_what_to_do(text: bytes, tmp_path: Path) -> None:
    (tmp_path / "matrix.lock").write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        read_lock(tmp_path / "matrix.lock")
    assert str(caught.value).startswith(f"{tmp_path / 'matrix.lock'}: not a usable lock")
    assert "`./run lock`" in str(caught.value)
    assert caught.value.exit_code == EXIT_USAGE


def test_a_lock_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        read_lock(tmp_path)


def test_an_interrupted_write_leaves_the_old_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "matrix.lock"
    write_lock(path, LOCK)

    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="No space left"):
        write_lock(path, Lock())
    assert [each.name for each in tmp_path.iterdir()] == ["matrix.lock"]
    assert read_lock(path) == LOCK


def test_the_committed_lock_names_files_and_hashes_but_no_hosts() -> None:
    text = (ROOT / "matrix.lock").read_text()
    assert "://" not in text
    lock = read_lock(ROOT / "matrix.lock")
    assert lock.kernels
    assert lock.images
    assert lock.render() == text
    packages = [package for kernel in lock.kernels.values() for package in kernel.pin.packages]
    for package in [*packages, *(package for image in lock.images.values() for package in image.packages)]:
        assert re.fullmatch(r"[0-9a-f]{64}", package.sha256)
        assert re.fullmatch(r"pool/[^:]*\.deb", package.file)
        assert package.size > 0
        assert package.archive in ("debian", "debian-security", "debian-ports")
