"""The keys of a kernel that is built here."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config.matrix import BuildKernel, load_matrix
from harness.errors import ConfigError

HEAD = "kernels:\n  - {name: mine, arch: x86_64, source: build, "


def entry(folder: Path, keys: str) -> BuildKernel:
    (folder / "matrix.yaml").write_text(f"{HEAD}{keys}}}\n")
    (kernel,) = load_matrix(folder / "matrix.yaml").kernels
    assert isinstance(kernel, BuildKernel)
    return kernel


def test_paths_start_at_the_matrix_and_options_are_no_paths(tmp_path: Path) -> None:
    kernel = entry(
        tmp_path, "tree: linux, config: [CONFIG_HZ=1000, own.config, 'CONFIG_LSM=\"a,b\"'], base-config: base"
    )
    assert (kernel.tree, kernel.base_config) == (tmp_path / "linux", tmp_path / "base")
    assert kernel.config == ("CONFIG_HZ=1000", tmp_path / "own.config", 'CONFIG_LSM="a,b"')


def test_what_is_not_said_is_what_kernel_developers_take(tmp_path: Path) -> None:
    kernel = entry(tmp_path, "tree: linux")
    assert (kernel.base_config, kernel.config, kernel.compiler, kernel.jobs) == ("defconfig", (), "gcc", "auto")


@pytest.mark.parametrize("base", ["tinyconfig", "x86_64_defconfig", "allnoconfig"])
def test_a_base_that_is_a_target_is_no_path(base: str, tmp_path: Path) -> None:
    assert entry(tmp_path, f"tree: linux, base-config: {base}").base_config == base


def test_one_option_or_file_need_be_no_list(tmp_path: Path) -> None:
    assert entry(tmp_path, "tree: linux, config: CONFIG_HZ=1000").config == ("CONFIG_HZ=1000",)
    assert entry(tmp_path, "tree: linux, config: own.config").config == (tmp_path / "own.config",)


@pytest.mark.parametrize(
    "keys",
    [
        "package: linux-source-6.1, suite: bookworm, version: 6.1.176-1",
        "package: 'linux-source-6.*', suite: bookworm-backports",
        "git: linux, ref: v6.12-rc3",
        "git: linux, ref: 'HEAD~3'",
        "git: linux, ref: 0123456789ab",
        "tree: linux, compiler: clang-16",
        "tree: linux, compiler: gcc-12, cross-compile: /opt/arm/bin/aarch64-none-linux-gnu-",
        "tree: linux, jobs: 4, distribution: ubuntu",
    ],
)
def test_what_can_be_written(keys: str, tmp_path: Path) -> None:
    entry(tmp_path, keys)


@pytest.mark.parametrize(
    ("keys", "complaint"),
    [
        ("jobs: 2", "needs one of the keys `tree` (a folder), `package` (linux-source-6.12) and `git` (a clone)"),
        ("tree: a, git: b, ref: main", "where the sources are; it has 2 of them"),
        ("git: linux", 'needs the key "ref" beside "git"'),
        ("package: linux-source-6.1", 'needs the key "suite" beside "package"'),
        ("tree: linux, ref: main", 'ref: belongs to "git", which this entry does not have'),
        ("tree: linux, suite: bookworm", 'suite: belongs to "package", which this entry does not have'),
        ("git: linux, ref: main, version: 6.1-1", 'version: belongs to "package"'),
        ("tree: ''", "tree: expected a path"),
        ("tree: linux, compiler: icc", "compiler: expected gcc or clang, with a version where its program has one"),
        ("tree: linux, cross-compile: aarch64-linux-gnu", "cross-compile: expected what the names of the compiler's"),
        ("tree: linux, compiler: clang, cross-compile: a-", "cross-compile: is for gcc alone"),
        ("tree: linux, jobs: 0", 'jobs: expected "auto" or an integer of at least 1'),
        ("git: linux, ref: --upload-pack=x", "ref: expected a branch, a tag or a commit"),
        (
            "package: linux-image-6.1, suite: bookworm",
            "package: expected the name of a package with the kernel's sources",
        ),
        ("tree: linux, config: [1]", "config[0]: "),
        (
            "tree: linux, kconfig: a",
            "kconfig: unknown key; write options and files with some: `config: [CONFIG_PREEMPT=y, own.config]`",
        ),
        ("tree: linux, defconfig: tinyconfig", "unknown key; write `base-config: tinyconfig`"),
        ("git: linux, commit: abc", "unknown key; write `git: PATH` and `ref: v6.12`"),
        ("tree: linux, toolchain: llvm", "unknown key; write `compiler: gcc-12`"),
    ],
)
def test_what_cannot_be_written_is_explained(keys: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        entry(tmp_path, keys)
    assert complaint in str(caught.value)
