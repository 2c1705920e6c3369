"""Which programs of the host a source of kernels needs."""

from __future__ import annotations

from pathlib import Path

from kernel_sources import build_entry

from harness.config.matrix import Kernel, OciKernel, PathKernel, RpmKernel
from harness.supply.build.toolchain import build_tools
from harness.supply.kernels.registry import SOURCES
from harness.supply.kernels.tools import TOOLS, TOOLS_BY_KERNEL, tools_of
from harness.supply.rpm.unpack import READERS, READERS_PACKAGE

PATH: Kernel = PathKernel(name="own", arch="x86_64", source="path", image=Path("/vmlinuz"))
OCI: Kernel = OciKernel(name="image", arch="x86_64", source="oci", image="registry.example/kernels:6.1")
RPM: Kernel = RpmKernel.model_validate(
    {
        "name": "el9",
        "arch": "x86_64",
        "source": "rpm",
        "distribution": "rhel-like",
        "baseurl": "file:///srv",
        "unsigned": True,
    }
)


def test_only_sources_that_there_are_need_some() -> None:
    assert {*TOOLS, *TOOLS_BY_KERNEL} <= SOURCES.keys()
    assert not TOOLS.keys() & TOOLS_BY_KERNEL.keys()


def test_each_program_is_named_once() -> None:
    assert tools_of([PATH]) == ()
    assert tools_of([RPM, PATH, RPM]) == TOOLS["rpm"]
    assert [tool.name for tool in tools_of([OCI, PATH, OCI])] == ["skopeo"]


def test_what_compiles_a_kernel_depends_on_its_entry() -> None:
    here, there = build_entry(tree="/src"), build_entry(tree="/src", arch="s390x")
    assert tools_of([here]) == build_tools(here)
    both = tools_of([here, there, here])
    assert {*both} == {*build_tools(here), *build_tools(there)}
    assert len({*both}) == len(both)
    assert "s390x-linux-gnu-gcc" in {tool.name for tool in both}


def test_what_unpacks_packages_is_known_by_all_its_names() -> None:
    (reader,) = [tool for tool in TOOLS["rpm"] if "unpack" in tool.purpose]
    assert (reader.name, *reader.others) == tuple(name for name, _ in READERS)
    assert reader.package == READERS_PACKAGE
