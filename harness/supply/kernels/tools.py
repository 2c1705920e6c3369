"""Which programs of the host a source of kernels needs, beside those that every run does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from harness.config.matrix import Kernel
from harness.host.tools import HostTool
from harness.supply.build.toolchain import build_tools
from harness.supply.oci.skopeo import PROGRAM, PURPOSE

TOOLS: Mapping[str, tuple[HostTool, ...]] = MappingProxyType(
    {
        "rpm": (
            HostTool(name="gpgv", package="gpgv", purpose="check the signatures of RPM repositories"),
            HostTool(name="rpmkeys", package="rpm", purpose="check the signatures of RPM packages"),
            HostTool(name="rpm2cpio", package="rpm2cpio", purpose="unpack RPM packages", others=("bsdtar",)),
        ),
        "oci": (HostTool(name=PROGRAM, package=PROGRAM, purpose=PURPOSE),),
    }
)
"""By the source's name; one that needs nothing more has no entry."""
TOOLS_BY_KERNEL: Mapping[str, Callable[[Any], tuple[HostTool, ...]]] = MappingProxyType({"build": build_tools})
"""Of sources for which it depends on the entry of the kernel."""


def tools_of(kernels: Iterable[Kernel]) -> tuple[HostTool, ...]:
    """Return what the sources of some kernels need, each program once."""
    found: dict[HostTool, None] = {}
    for kernel in kernels:
        of_kernel = TOOLS_BY_KERNEL.get(kernel.source)
        found |= dict.fromkeys(of_kernel(kernel) if of_kernel is not None else TOOLS.get(kernel.source, ()))
    return tuple(found)
