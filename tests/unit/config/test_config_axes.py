"""The axes beside the kernels, as the matrix and the command line write them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.config.axes import CLANG, LIBBPF, ClangChoice, LibbpfChoice
from harness.config.matrix import Matrix, load_matrix
from harness.errors import ConfigError, UsageError

KERNEL = {"name": "6.1", "arch": "x86_64", "source": "path", "image": "vmlinuz"}
TEXT = "kernels: [{name: '6.1', arch: x86_64, source: path, image: vmlinuz%s}]\n%s"


def matrix(**keys: Any) -> Matrix:
    return Matrix.model_validate({"kernels": [KERNEL], **keys})


def written(folder: Path, text: str, of_kernel: str = "") -> Matrix:
    path = folder / "matrix.yaml"
    path.write_text(TEXT % (of_kernel, text))
    return load_matrix(path)


def test_a_word_is_the_default_a_suite_a_release_or_a_path(tmp_path: Path) -> None:
    found = written(
        tmp_path, "libbpf: [default, bookworm, ./mine/libbpf.so.1.6.0]\nclang: [default, 14, '19', ~/clang]"
    )
    assert found.libbpf == (
        LibbpfChoice(),
        LibbpfChoice(suite="bookworm"),
        LibbpfChoice(path=tmp_path / "mine/libbpf.so.1.6.0"),
    )
    assert found.clang is not None
    assert [(each.version, each.path) for each in found.clang] == [
        (None, None),
        ("14", None),
        ("19", None),
        (None, Path.home() / "clang"),
    ]
    assert [each.label for each in found.libbpf] == ["default", "bookworm", "libbpf.so.1.6.0"]
    assert [each.label for each in found.clang] == ["default", "14", "19", "clang"]
    assert [each.default for each in found.clang] == [True, False, False, False]


def test_one_word_is_a_list_of_one_and_keys_say_more(tmp_path: Path) -> None:
    found = written(
        tmp_path, "libbpf: trixie\nclang: 19", ", libbpf: [{name: old, suite: bullseye/updates}], clang: 14"
    )
    assert (found.libbpf, found.clang) == ((LibbpfChoice(suite="trixie"),), (ClangChoice(version="19"),))
    assert found.kernels[0].libbpf == (LibbpfChoice(name="old", suite="bullseye/updates"),)
    assert found.kernels[0].clang == (ClangChoice(version="14"),)
    assert LibbpfChoice(suite="bullseye/updates").label == "bullseye-updates"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("libbpf: [bookworm, bookworm]", 'libbpf: two of them are called "bookworm"'),
        ("libbpf: []", "libbpf: expected default, a suite"),
        ("libbpf: [{suite: a, path: b}]", 'libbpf[0].path: not allowed beside "suite"'),
        ("libbpf: ['no suite']", "libbpf[0].suite: expected the name of a Debian suite"),
        ("clang: [nineteen]", "clang[0].version: expected the number of a release of clang"),
        ("clang: [{version: x}]", "clang[0].version: expected the number of a release of clang"),
        ("clang: [true]", "clang[0]: expected a mapping"),
        ("clang: [{suite: sid}]", 'clang[0].suite: needs the key "version"'),
        ("clang: [{version: 19, path: clang}]", 'clang[0].path: not allowed beside "version"'),
        ("clang: [{name: a+b, version: '19'}]", "clang[0].name: expected a name of letters"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        written(tmp_path, text)
    assert said in str(error.value)


def test_a_command_line_takes_those_of_the_matrix_by_their_names(tmp_path: Path) -> None:
    own = LibbpfChoice(name="mine", path=tmp_path / "libbpf.so.1")
    assert LIBBPF.chosen(["mine", "default", "sid"], [own], folder=tmp_path) == (
        own,
        LibbpfChoice(),
        LibbpfChoice(suite="sid"),
    )
    assert LIBBPF.chosen(["./libbpf.so"], [], folder=tmp_path)[0].path == tmp_path / "libbpf.so"
    assert CLANG.chosen(["16"], [], folder=tmp_path) == (ClangChoice(version="16"),)
    with pytest.raises(UsageError, match=r'--clang takes default, the number of a release.*; got "x"'):
        CLANG.chosen(["x"], [], folder=tmp_path)
    with pytest.raises(UsageError, match="--clang: two are called 16"):
        CLANG.chosen(["16", "16"], [], folder=tmp_path)


def test_what_a_command_line_names_is_for_every_kernel() -> None:
    own = matrix(libbpf="bookworm", kernels=[KERNEL, {**KERNEL, "name": "own", "libbpf": "sid", "clang": 14}])
    changed = own.with_axes(libbpf=[LibbpfChoice()], clang=[])
    assert changed.libbpf == (LibbpfChoice(),)
    assert [kernel.libbpf for kernel in changed.kernels] == [None, None]
    assert changed.kernels[1].clang == (ClangChoice(version="14"),)
    assert own.with_axes(libbpf=[], clang=[]) is own
