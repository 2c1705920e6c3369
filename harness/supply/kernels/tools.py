"""Which programs of the host a source of kernels needs, beside those that every run does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from harness.host.tools import HostTool
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


def tools_of(sources: Iterable[str]) -> tuple[HostTool, ...]:
    """Return what some sources need, each program once."""
    return tuple(dict.fromkeys(tool for source in dict.fromkeys(sources) for tool in TOOLS.get(source, ())))
