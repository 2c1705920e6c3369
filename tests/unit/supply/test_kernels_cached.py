"""What is kept of an unpacked kernel, whoever packed it; what sources share beyond it is in test_kernels_source.py."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from source_worlds import BOOT, MODULES, TREE, find_by_name
from unit_samples import RELEASE, X86, x86_image

from harness.errors import FetchError
from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES
from harness.model.results import PackageInfo
from harness.supply.kernels import cached
from harness.supply.kernels.cached import cached_kernel, kernel_image
from harness.supply.kernels.files import KernelFiles

ABOUT = PackageInfo(source="a source", name="", version="1", sha256="", notice="not signed")


class Trees:
    """A kernel as a package has it; `unpacked` counts how often it was needed."""

    def __init__(self, folder: Path, files: Mapping[str, bytes]) -> None:
        self.cache = Cache(folder / "cache")
        self.files = files
        self.unpacked = 0

    @contextlib.contextmanager
    def unpack(self, folder: Path) -> Iterator[tuple[Path, str]]:
        self.unpacked += 1
        root = folder.parent / "tree"
        for name, data in self.files.items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_bytes(data)
        yield root, "the package"

    def kernel(self, *, arch: str = "x86_64", made_of: str = "a sha256") -> KernelFiles:
        return cached_kernel(
            self.cache,
            name="mine",
            arch=ARCHITECTURES[arch],
            made_of=[made_of],
            unpacked=self.unpack,
            package=lambda name: PackageInfo(**{**vars(ABOUT), "name": name}),
            modules=MODULES,
            case_modules=(),
        )


@pytest.fixture(autouse=True)
def _no_depmod(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "find_modules", find_by_name)


def test_it_is_unpacked_once_for_what_it_is_made_of(tmp_path: Path) -> None:
    trees = Trees(tmp_path, {**BOOT, **TREE})
    first = trees.kernel()
    assert (trees.kernel(), trees.unpacked) == (first, 1)
    assert (first.arch, first.release, first.image.read_bytes()) == (X86, RELEASE, x86_image())
    trees.kernel(made_of="another")
    assert trees.unpacked == 2


def test_a_notice_of_the_package_is_the_kernels_own_and_stays_beside_that_of_a_repair(tmp_path: Path) -> None:
    trees = Trees(tmp_path, {**BOOT, **TREE})
    files = trees.kernel()
    assert (files.notice, files.package.notice, files.package.name) == ("not signed", "not signed", "the package")
    files.image.write_bytes(b"")
    assert trees.kernel().notice == "mine: damaged in the cache, fetched again; not signed"


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        (TREE, "the packages hold no kernel image"),
        ({f"boot/vmlinuz-{RELEASE}": b"no kernel"}, f"vmlinuz-{RELEASE} of the package is not a kernel for x86_64"),
    ],
)
def test_what_is_no_kernel_is_not_kept(tmp_path: Path, files: Mapping[str, bytes], complaint: str) -> None:
    with pytest.raises(FetchError, match=complaint):
        Trees(tmp_path, files).kernel()


def test_a_tree_without_an_image_has_none(tmp_path: Path) -> None:
    assert kernel_image(tmp_path) is None
    (tmp_path / "boot").mkdir()
    (tmp_path / "boot/vmlinux-6.1").touch()
    assert kernel_image(tmp_path) == tmp_path / "boot/vmlinux-6.1"
