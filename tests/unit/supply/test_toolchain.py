"""What compiles a kernel for an architecture, and what a build needs of the host."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernel_sources import build_entry

from harness.errors import MissingToolError
from harness.host import tools as host_tools
from harness.model.architectures import ARCHITECTURES
from harness.supply.build import toolchain as module
from harness.supply.build.configuration import configuration_of
from harness.supply.build.toolchain import build_tools, compilers_of, require_all, toolchain, version_line

X86, ARM64 = ARCHITECTURES["x86_64"], ARCHITECTURES["arm64"]


@pytest.mark.parametrize(
    ("arch", "compiler", "cross", "variables", "packages"),
    [
        ("x86_64", "gcc", None, ("CC={ccache}gcc", "HOSTCC={ccache}gcc"), ["gcc"]),
        ("x86_64", "gcc-11", None, ("CC={ccache}gcc-11", "HOSTCC={ccache}gcc"), ["gcc-11", "gcc"]),
        (
            "arm64",
            "gcc",
            None,
            ("CROSS_COMPILE=aarch64-linux-gnu-", "CC={ccache}aarch64-linux-gnu-gcc", "HOSTCC={ccache}gcc"),
            ["gcc-aarch64-linux-gnu", "gcc"],
        ),
        (
            "ppc64le",
            "gcc-12",
            None,
            ("CROSS_COMPILE=powerpc64le-linux-gnu-", "CC={ccache}powerpc64le-linux-gnu-gcc-12", "HOSTCC={ccache}gcc"),
            ["gcc-12-powerpc64le-linux-gnu", "gcc"],
        ),
        (
            "arm64",
            "gcc",
            "/opt/arm/bin/aarch64-none-linux-gnu-",
            (
                "CROSS_COMPILE=/opt/arm/bin/aarch64-none-linux-gnu-",
                "CC={ccache}/opt/arm/bin/aarch64-none-linux-gnu-gcc",
                "HOSTCC={ccache}gcc",
            ),
            ["gcc-aarch64-linux-gnu", "gcc"],
        ),
        ("arm64", "clang", None, ("LLVM=1", "CC={ccache}clang", "HOSTCC={ccache}clang"), ["clang", "lld", "llvm"]),
        (
            "x86_64",
            "clang-16",
            None,
            ("LLVM=-16", "CC={ccache}clang-16", "HOSTCC={ccache}clang-16"),
            ["clang-16", "lld-16", "llvm-16"],
        ),
    ],
)
def test_the_compilers_of_an_architecture(
    arch: str, compiler: str, cross: str | None, variables: tuple[str, ...], packages: list[str]
) -> None:
    found = toolchain(ARCHITECTURES[arch], compiler=compiler, cross_compile=cross, host=X86)
    assert found.variables == variables
    assert [tool.package for tool in found.tools] == packages
    assert found.tools[0].name == found.compiler


def test_debians_cross_compilers_for_x86_64_are_named_with_a_dash() -> None:
    assert toolchain(X86, compiler="gcc", cross_compile=None, host=ARM64).tools[0].package == "gcc-x86-64-linux-gnu"


def test_a_build_needs_what_its_sources_and_its_btf_need(tmp_path: Path) -> None:
    tree, git = build_entry(tree=tmp_path), build_entry(git=tmp_path, ref="main")
    package = build_entry(package="linux-source-6.1", suite="bookworm")
    of_all = {"make", "flex", "bison", "bc", "depmod", "/usr/include/gelf.h", "/usr/include/openssl/ssl.h"}

    def names(entry: object, **keys: bool) -> set[str]:
        return {tool.name for tool in build_tools(entry, **keys)}  # type: ignore[arg-type]

    assert names(tree) >= {*of_all, "pahole"}
    assert names(tree) - names(tree, btf=False) == {"pahole"}
    assert names(git) - names(tree) == {"git"}
    assert names(package) - names(tree) == {"tar", "xz"}


def test_all_that_is_missing_is_named_at_once_with_one_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = build_entry(tree=tmp_path, arch="arm64")
    monkeypatch.setattr(host_tools, "has_tool", lambda name: name in ("make", "gcc", "depmod", "bc"))
    with pytest.raises(MissingToolError) as caught:
        require_all(entry, configuration_of(entry, ARM64))
    text = str(caught.value)
    for line in (
        "flex is not installed; it is needed to build a kernel (its configuration).",
        "pahole is not installed; it is needed to give a kernel its BTF; a kernel without needs no pahole.",
        "aarch64-linux-gnu-gcc is not installed; it is needed to compile kernels for arm64.",
    ):
        assert line in text
    assert "make is not" not in text
    (command,) = [line for line in text.splitlines() if line.startswith("Install with: ")]
    assert all(f" {package}" in command for package in ("flex", "bison", "pahole", "gcc-aarch64-linux-gnu"))
    without = build_entry(tree=tmp_path, arch="arm64", config="CONFIG_DEBUG_INFO_BTF=n")
    with pytest.raises(MissingToolError) as caught:
        require_all(without, configuration_of(without, ARM64))
    assert "pahole" not in str(caught.value)


def test_a_kernel_is_told_by_its_compilers_and_a_missing_one_is_named_with_all_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, text in {"gcc": "gcc (Debian 12.2.0) 12.2.0", "pahole": "v1.24"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{text}'\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(module, "host_architecture", lambda: X86)
    entry = build_entry(tree=tmp_path)
    assert compilers_of(entry, configuration_of(entry, X86)) == ["gcc (Debian 12.2.0) 12.2.0", "v1.24"]
    without = build_entry(tree=tmp_path, config="CONFIG_DEBUG_INFO_BTF=n")
    assert compilers_of(without, configuration_of(without, X86)) == ["gcc (Debian 12.2.0) 12.2.0"]
    (tmp_path / "pahole").unlink()
    with pytest.raises(MissingToolError, match=r"flex is not installed.*\n(.*\n)*pahole is not installed"):
        compilers_of(entry, configuration_of(entry, X86))


def test_the_same_compiler_under_another_name_is_the_same() -> None:
    plain = version_line("gcc (Debian 12.2.0-14) 12.2.0\nCopyright (C) 2022\n")
    assert plain == version_line("gcc-12 (Debian 12.2.0-14) 12.2.0\n") == "gcc (Debian 12.2.0-14) 12.2.0"
    assert version_line("Debian clang version 14.0.6\nTarget: x") == "Debian clang version 14.0.6"
    assert version_line("") == ""
