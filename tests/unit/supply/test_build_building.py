"""Building a kernel, by a real `make` of sources that take no time."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from kernel_sources import MAKE, WHY, build_entry, make_tree, state
from unit_samples import RELEASE, X86, x86_image

from harness.errors import KernelBuildError
from harness.supply.build.building import BuiltKernel, Job, build_kernel
from harness.supply.build.configuration import configuration_of
from harness.supply.build.toolchain import toolchain

pytestmark = pytest.mark.skipif(MAKE is None, reason=WHY)


def build(folder: Path, tree: Path, **keys: Any) -> tuple[BuiltKernel, list[str]]:
    """Build the sources for x86_64; the kernel's files are in `root`. Returns what was said of its progress, too."""
    work, said = folder / "work", list[str]()
    work.mkdir()
    job = Job(
        name="mine",
        arch=X86,
        tree=tree,
        configuration=configuration_of(build_entry(tree=tree, **keys), X86),
        tools=toolchain(X86, compiler="gcc", cross_compile=None, host=X86),
        jobs=3,
        work=work,
        kept_log=folder / "kept/mine.log",
        identity={},
        progress=said.append,
        stopping=threading.Event(),
    )
    return build_kernel(job, folder / "root"), said


def test_a_kernel_is_laid_out_as_a_distribution_has_it_and_the_sources_stay_as_they_are(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree")
    before = state(tree)
    built, said = build(tmp_path, tree)
    assert built == BuiltKernel(RELEASE, "")
    root = tmp_path / "root"
    assert {str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir() or path.is_symlink()} == {
        f"boot/vmlinuz-{RELEASE}",
        f"boot/config-{RELEASE}",
        f"boot/System.map-{RELEASE}",
        f"lib/modules/{RELEASE}/kernel/virtio_net.ko",
        f"lib/modules/{RELEASE}/kernel/virtio_pci.ko",
    }
    assert (root / f"boot/vmlinuz-{RELEASE}").read_bytes() == x86_image()
    assert [said[0], said[2], said[-1]] == ["configuring", "compiling", "installing its modules"]
    assert sorted(text.rpartition(" ")[2] for text in said[3:-1]) == ["kernel/fork.o", "net/veth.ko", "net/veth.o"]
    assert [text.partition(",")[0] for text in said[3:-1]] == [f"compiling: {number} files" for number in (1, 2, 3)]
    assert state(tree) == before
    assert (tmp_path / "work/out/arguments").read_text().split()[:1] == ["x86_64"]


def test_the_configuration_is_the_base_then_what_is_needed_then_the_users_own(tmp_path: Path) -> None:
    build(tmp_path, make_tree(tmp_path / "tree"), config=["CONFIG_OWN=m", "CONFIG_VETH=m"])
    lines = (tmp_path / f"root/boot/config-{RELEASE}").read_text().splitlines()
    assert lines[0] == "CONFIG_KEPT=y", "of the base; what the sources do not know is dropped"
    assert {"CONFIG_BPF_SYSCALL=y", "CONFIG_OWN=m", "CONFIG_VETH=m"} <= set(lines)
    assert "CONFIG_VETH=y" not in lines


def test_a_base_may_be_a_file(tmp_path: Path) -> None:
    (tmp_path / "base").write_text("CONFIG_OWN=y\n")
    build(tmp_path, make_tree(tmp_path / "tree"), base_config=tmp_path / "base")
    assert (tmp_path / f"root/boot/config-{RELEASE}").read_text().startswith("CONFIG_OWN=y\n")


def test_options_that_are_lost_are_named(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", unknown=["NETKIT", "FPROBE"], refused=["VETH"])
    built, _ = build(tmp_path, tree)
    assert built.notice == (
        "options that its configuration did not take, since something that they need is off: VETH=y; "
        "options that its sources do not have: NETKIT, FPROBE"
    )


@pytest.mark.parametrize("option", ["VIRTIO_NET", "BPF_SYSCALL", "BLK_DEV_INITRD", "SERIAL_8250_CONSOLE"])
def test_a_kernel_that_no_guest_can_be_made_of_is_not_even_compiled(option: str, tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", refused=[option])
    with pytest.raises(KernelBuildError, match=rf"kernel mine is not built, .*\(CONFIG_{option} is not set\)"):
        build(tmp_path, tree)
    assert not (tmp_path / "work/out/arguments").exists()
    assert not (tmp_path / "root").exists()


def test_a_kernel_without_btf_is_not_even_compiled_unless_that_is_wanted(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree", refused=["DEBUG_INFO_BTF"])
    with pytest.raises(KernelBuildError, match=r"it would have no BTF.*pahole.*config: CONFIG_DEBUG_INFO_BTF=n"):
        build(tmp_path, tree)
    assert not (tmp_path / "root").exists()
    (tmp_path / "again").mkdir()
    assert build(tmp_path / "again", tree, config="CONFIG_DEBUG_INFO_BTF=n")[0].notice == ""


def test_sources_from_before_btf_are_built_and_that_is_said(tmp_path: Path) -> None:
    built, _ = build(tmp_path, make_tree(tmp_path / "tree", unknown=["DEBUG_INFO_BTF"]))
    assert built.notice == "options that its sources do not have: DEBUG_INFO_BTF"


def test_a_kernel_without_modules_has_no_folder_of_them(tmp_path: Path) -> None:
    built, said = build(tmp_path, make_tree(tmp_path / "tree"), config="CONFIG_MODULES=n")
    assert not (tmp_path / "root/lib").exists()
    assert "installing its modules" not in said
    assert built.notice == ""


def test_sources_that_do_not_compile_are_an_error_with_the_line_that_decides(tmp_path: Path) -> None:
    tree = make_tree(tmp_path / "tree")
    (tree / "broken").write_text("  CC      kernel/x.o\n/src/kernel/x.c:3:1: error: unknown type name 'u128'\n")
    with pytest.raises(KernelBuildError) as caught:
        build(tmp_path, tree)
    assert str(caught.value) == (
        "kernel mine cannot be built (compiling): /src/kernel/x.c:3:1: error: unknown type name 'u128'\n"
        f"  The whole log: {tmp_path}/kept/mine.log"
    )
    assert "kernel/x.o" in (tmp_path / "kept/mine.log").read_text()
