"""Which programs of the host a source of kernels needs."""

from __future__ import annotations

from harness.supply.kernels.registry import SOURCES
from harness.supply.kernels.tools import TOOLS, tools_of
from harness.supply.rpm.unpack import READERS, READERS_PACKAGE


def test_only_sources_that_there_are_need_some() -> None:
    assert TOOLS.keys() <= SOURCES.keys()


def test_each_program_is_named_once() -> None:
    assert tools_of(["debian", "path"]) == ()
    assert tools_of(["rpm", "debian", "rpm"]) == TOOLS["rpm"]
    assert [tool.name for tool in tools_of(["oci", "path", "oci"])] == ["skopeo"]


def test_what_unpacks_packages_is_known_by_all_its_names() -> None:
    (reader,) = [tool for tool in TOOLS["rpm"] if "unpack" in tool.purpose]
    assert (reader.name, *reader.others) == tuple(name for name, _ in READERS)
    assert reader.package == READERS_PACKAGE
