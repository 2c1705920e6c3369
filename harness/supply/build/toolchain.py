"""What compiles a kernel for an architecture, and what a build needs of the host: facts, and what follows of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.config.matrix import BuildKernel
from harness.host.process import has_tool, run
from harness.host.tools import HostTool, require_tools
from harness.model.architectures import ARCHITECTURES, Architecture, host_architecture
from harness.supply.build.configuration import Configuration

_FOR = "build a kernel"
ALWAYS = (
    HostTool(name="make", package="make", purpose=_FOR),
    HostTool(name="flex", package="flex", purpose=f"{_FOR} (its configuration)"),
    HostTool(name="bison", package="bison", purpose=f"{_FOR} (its configuration)"),
    HostTool(name="bc", package="bc", purpose=_FOR),
    HostTool(name="depmod", package="kmod", purpose=f"{_FOR} (its modules)"),
    HostTool(name="/usr/include/gelf.h", package="libelf-dev", purpose=f"{_FOR} (the programs that are a part of it)"),
    HostTool(
        name="/usr/include/openssl/ssl.h",
        package="libssl-dev",
        purpose=f"{_FOR} (the programs that are a part of it)",
    ),
)
"""What every kernel's build needs."""
PAHOLE = HostTool(name="pahole", package="pahole", purpose="give a kernel its BTF; a kernel without needs no pahole")
GIT = HostTool(name="git", package="git", purpose="take a kernel's sources out of a git clone")
UNPACKERS = (
    HostTool(name="tar", package="tar", purpose="unpack a kernel's sources"),
    HostTool(name="xz", package="xz-utils", purpose="unpack a kernel's sources"),
)
CCACHE = "ccache"


@dataclass(frozen=True, kw_only=True)
class Toolchain:
    """What compiles a kernel.

    `compiler` is its program, `variables` are what `make` gets beside ARCH (with `{ccache}` where ccache stands in
    front of a compiler), and `tools` what of it must be on the host. `objcopy` is its program of that kind.
    """

    compiler: str
    objcopy: str
    variables: tuple[str, ...]
    tools: tuple[HostTool, ...]


def toolchain(
    arch: Architecture, *, compiler: str, cross_compile: str | None, host: Architecture | None = None
) -> Toolchain:
    """Return what compiles kernels of an architecture on a host: gcc, of Debian's cross compilers, or clang and lld.

    `compiler` may have a version: gcc-12. `cross_compile` is what the names of gcc and its like begin with; without it
    nothing on a `host` of the architecture, else Debian's name of the architecture.
    """
    name, _, version = compiler.partition("-")
    suffix = f"-{version}" if version else ""
    if name == "clang":
        return _clang(arch, suffix)
    prefix = cross_compile if cross_compile is not None else "" if arch is host else f"{arch.multiarch}-"
    program = f"{prefix}gcc{suffix}"
    package = f"gcc{suffix}{f'-{_in_package(arch)}' if prefix else ''}"
    tools = [HostTool(name=program, package=package, purpose=f"compile kernels for {arch.name}")]
    if prefix or suffix:
        tools.append(HostTool(name="gcc", package="gcc", purpose=f"{_FOR} (the programs that are a part of it)"))
    return Toolchain(
        compiler=program,
        objcopy=f"{prefix}objcopy",
        variables=(*([f"CROSS_COMPILE={prefix}"] if prefix else []), f"CC={{ccache}}{program}", "HOSTCC={ccache}gcc"),
        tools=tuple(tools),
    )


def _clang(arch: Architecture, suffix: str) -> Toolchain:
    # Documentation/kbuild/llvm.rst: LLVM=1 takes all of its tools, LLVM=-16 those with that suffix (since 5.18).
    purpose = f"compile kernels for {arch.name}"
    return Toolchain(
        compiler=f"clang{suffix}",
        objcopy=f"llvm-objcopy{suffix}",
        variables=(f"LLVM={suffix or '1'}", f"CC={{ccache}}clang{suffix}", f"HOSTCC={{ccache}}clang{suffix}"),
        tools=(
            HostTool(name=f"clang{suffix}", package=f"clang{suffix}", purpose=purpose),
            HostTool(name=f"ld.lld{suffix}", package=f"lld{suffix}", purpose=purpose),
            HostTool(name=f"llvm-objcopy{suffix}", package=f"llvm{suffix}", purpose=purpose),
        ),
    )


def toolchain_of(kernel: BuildKernel) -> Toolchain:
    """Return what compiles a kernel of the matrix on this host."""
    return toolchain(
        ARCHITECTURES[kernel.arch],
        compiler=kernel.compiler,
        cross_compile=kernel.cross_compile,
        host=host_architecture(),
    )


def build_tools(kernel: BuildKernel, *, btf: bool = True) -> tuple[HostTool, ...]:
    """Return all that a kernel's build needs of the host; `btf` says whether it is to have BTF."""
    places = {kernel.git: (GIT,), kernel.package: UNPACKERS}
    own = next((tools for place, tools in places.items() if place is not None), ())
    return (*ALWAYS, *toolchain_of(kernel).tools, *((PAHOLE,) if btf else ()), *own)


def require_all(kernel: BuildKernel, configuration: Configuration) -> None:
    """Raise MissingToolError where the host has not all that a kernel's build needs."""
    require_tools(build_tools(kernel, btf=configuration.btf))


def compilers_of(kernel: BuildKernel, configuration: Configuration) -> Sequence[str]:
    """Return what tells the programs that make a kernel what it is from other versions of them.

    Raises MissingToolError where one is not there, with all that a build needs.
    """
    programs = (toolchain_of(kernel).compiler, *((PAHOLE.name,) if configuration.btf else ()))
    if not all(map(has_tool, programs)):
        require_all(kernel, configuration)
    return [version_line(run([program, "--version"]).stdout) for program in programs]


def version_line(text: str) -> str:
    """Return what tells one compiler from another in what it prints for --version: its first line, without its name.

    The name is that of the program, which may be called otherwise on another machine.
    """
    first = text.strip().splitlines()[0] if text.strip() else ""
    return re.sub(r"^\S*?(gcc|clang)\S*", r"\1", first)


def _in_package(arch: Architecture) -> str:
    """Return an architecture's name as Debian's cross compilers have it: x86-64-linux-gnu."""
    return arch.multiarch.replace("_", "-")
