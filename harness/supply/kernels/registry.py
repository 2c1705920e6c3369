"""Which sources of kernels there are, by the word that an entry of matrix.yaml has for `source`."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from harness.supply.kernels.apt import AptSource
from harness.supply.kernels.build import BuildSource
from harness.supply.kernels.debian import DebianSource
from harness.supply.kernels.oci import OciSource
from harness.supply.kernels.path import PathSource
from harness.supply.kernels.rpm import RpmSource
from harness.supply.kernels.source import KernelSource, SourceContext, SourceKind

SOURCES: Mapping[str, SourceKind] = MappingProxyType(
    {
        "debian": DebianSource,
        "apt": AptSource,
        "path": PathSource,
        "rpm": RpmSource,
        "oci": OciSource,
        "build": BuildSource,
    }
)
"""The sources by name; their entries' models are those of harness/config/matrix.py."""

PIN_TYPES: Mapping[str, type[Any]] = MappingProxyType(
    {name: kind.pin_type for name, kind in SOURCES.items() if kind.pin_type is not None}
)
"""What the sources pin, by their names; one that pins nothing has no entry."""


def make_sources(context: SourceContext) -> Mapping[str, KernelSource[Any, Any]]:
    """Return every source, made with `context`."""
    return {name: kind(context) for name, kind in SOURCES.items()}
