"""What the values of the axes are made of, and what of it the lock must name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from unit_samples import X86, package_file

from harness.config.axes import ClangChoice, LibbpfChoice
from harness.config.matrix import Matrix
from harness.errors import ConfigError
from harness.host.cache import Cache
from harness.model.architectures import host_architecture
from harness.supply import axes
from harness.supply.axes import Axes, requests_of
from harness.supply.compilers import HostCompiler, UnpackedCompiler
from harness.supply.debian.mirrors import Mirrors
from harness.supply.debian.pin import ImagePin

KERNEL = {"name": "6.1", "arch": "x86_64", "source": "path", "image": "vmlinuz"}


def made(folder: Path, **pins: ImagePin) -> Axes:
    return Axes(
        cache=Cache(folder / "cache"),
        mirrors=lambda: Mirrors({}, {}),
        pins=pins,
        locked_only=True,
        base=lambda _: folder / "base.cpio",
    )


def test_a_compiler_is_the_hosts_ones_own_or_one_of_packages(tmp_path: Path) -> None:
    host = host_architecture()
    assert host is not None
    pin = ImagePin(suites=("sid",), names=("clang-19",), packages=(package_file("clang-19"),))
    found = made(tmp_path, **{f"{host.debian}: clang-19 of sid": pin})
    assert isinstance(found.compiler(ClangChoice()), HostCompiler)
    assert isinstance(found.compiler(ClangChoice(path=tmp_path / "clang")), HostCompiler)
    compiler = found.compiler(ClangChoice(version="19", suite="sid"))
    assert isinstance(compiler, UnpackedCompiler)
    assert compiler.identity()[0] == "clang-19"
    assert not (tmp_path / "cache/compilers").exists(), "nothing is unpacked before it must compile"


def test_a_machine_of_which_debian_has_no_packages_has_the_hosts_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(axes, "host_architecture", lambda: None)
    assert isinstance(made(tmp_path).compiler(ClangChoice()), HostCompiler)
    with pytest.raises(ConfigError, match="clang-19: Debian has none for this machine"):
        made(tmp_path).compiler(ClangChoice(version="19"))


def test_a_library_of_ones_own_is_looked_at_before_any_guest(tmp_path: Path) -> None:
    found = made(tmp_path)
    found.check_libbpf(LibbpfChoice(suite="bookworm"), X86)
    assert found.libbpf(LibbpfChoice(), X86) is None
    with pytest.raises(ConfigError, match="there is no library"):
        found.check_libbpf(LibbpfChoice(path=tmp_path / "none.so"), X86)


def test_the_lock_names_compilers_for_this_machine_and_libraries_for_the_guests() -> None:
    host = host_architecture()
    assert host is not None
    kernels: list[dict[str, Any]] = [
        KERNEL,
        {**KERNEL, "name": "arm", "arch": "arm64"},
        {**KERNEL, "name": "own", "libbpf": {"suite": "sid"}, "clang": "./clang"},
    ]
    matrix = Matrix.model_validate({"kernels": kernels, "libbpf": ["default", "bookworm"], "clang": [14, "default"]})
    assert [request.key for request in requests_of(matrix, matrix.kernels)] == [
        "amd64: libbpf of bookworm",
        f"{host.debian}: clang-14 of bookworm or trixie or sid",
        "arm64: libbpf of bookworm",
        "amd64: libbpf of sid",
    ]
    assert list(requests_of(Matrix.model_validate({"kernels": kernels[:2]}), matrix.kernels[:2])) == []
