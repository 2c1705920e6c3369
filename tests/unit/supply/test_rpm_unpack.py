"""A kernel's files out of RPMs, as distributions pack them."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path

import pytest
from rpm_repositories import build_rpm, needs_rpm, tool
from rpm_samples import RELEASE, sample
from unit_samples import x86_image

from harness.errors import FetchError, MissingToolError
from harness.host.process import has_tool
from harness.supply.rpm import unpack
from harness.supply.rpm.unpack import decompress_unreadable, place, unpack_rpms


def tree(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("member", "target"),
    [
        ("./lib/modules/5.14.0-1.el9.x86_64/vmlinuz", "boot/vmlinuz-5.14.0-1.el9.x86_64"),
        ("./usr/lib/modules/6.4.0-1-default/Image", "boot/Image-6.4.0-1-default"),
        ("./lib/modules/5.14.0-1.el9.x86_64/config", "boot/config-5.14.0-1.el9.x86_64"),
        ("./lib/modules/5.14.0-1.el9.x86_64/System.map", "boot/System.map-5.14.0-1.el9.x86_64"),
        ("./boot/vmlinuz-6.1.112-122.189.amzn2023.x86_64", "boot/vmlinuz-6.1.112-122.189.amzn2023.x86_64"),
        ("/boot/config-6.1.112", "boot/config-6.1.112"),
        ("./boot/vmlinux-6.4.0-1-default.xz", None),
        ("./boot/.vmlinuz-5.14.0-1.el9.x86_64.hmac", None),
        ("./boot/vmlinuz-5.14.0-1.el9.x86_64.hmac", None),
        ("./boot/initramfs-5.14.0-1.el9.x86_64.img", None),
        ("./lib/modules/1/.vmlinuz.hmac", None),
        ("./lib/modules/1/kernel/net/veth.ko.xz", "lib/modules/1/kernel/net/veth.ko.xz"),
        ("./lib/modules/1/extra/net/sctp.ko.zst", "lib/modules/1/extra/net/sctp.ko.zst"),
        ("./lib/modules/1/internal/bpf_testmod.ko", "lib/modules/1/internal/bpf_testmod.ko"),
        ("./usr/lib/modules/1/kernel/net/veth.ko.zst", "lib/modules/1/kernel/net/veth.ko.zst"),
        ("./lib/modules/1/modules.builtin", "lib/modules/1/modules.builtin"),
        ("./lib/modules/1/modules.order", "lib/modules/1/modules.order"),
        ("./lib/modules/1/modules.dep", None),
        ("./lib/modules/1/modules.alias.bin", None),
        ("./lib/modules/1/build/a.ko", None),
        ("./lib/modules/1/vdso/vdso64.so", None),
        ("./lib/modules/1/../../../etc/a.ko", None),
        ("./lib/modules/../kernel/a.ko", None),
        ("../boot/vmlinuz-1", None),
        ("./etc/passwd", None),
    ],
)
def test_only_the_kernel_and_its_modules_are_taken(member: str, target: str | None) -> None:
    assert place(member) == target


@needs_rpm
def test_a_kernel_in_several_packages_comes_out_as_one_and_nothing_of_it_is_run(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    unpack_rpms([sample(tmp_path), sample(tmp_path, "kernel-modules")], root)
    assert tree(root) == [
        f"boot/System.map-{RELEASE}",
        f"boot/config-{RELEASE}",
        f"boot/vmlinuz-{RELEASE}",
        f"lib/modules/{RELEASE}/kernel/virtio_net.ko",
        f"lib/modules/{RELEASE}/kernel/virtio_pci.ko",
        f"lib/modules/{RELEASE}/modules.builtin",
    ]
    assert (root / f"boot/vmlinuz-{RELEASE}").read_bytes() == x86_image(RELEASE)
    assert not list(tmp_path.rglob("was-run"))


@needs_rpm
@pytest.mark.parametrize("payload", ["w9.gzdio", "w7.xzdio", "w19.zstdio", "w9.bzdio"])
def test_payloads_are_packed_in_several_ways(tmp_path: Path, payload: str) -> None:
    rpm = build_rpm(tmp_path, "kernel", {"boot/vmlinuz-1": b"image"}, payload=payload)
    unpack_rpms([rpm], tmp_path / "root")
    assert (tmp_path / "root/boot/vmlinuz-1").read_bytes() == b"image"


@needs_rpm
def test_the_image_has_one_name_whatever_the_distribution_calls_it(tmp_path: Path) -> None:
    files = {"boot/Image-6.4-default": b"image", "boot/vmlinux-6.4-default": b"for kdump", "boot/image-7": b"s390"}
    unpack_rpms([build_rpm(tmp_path, "kernel-default", files)], tmp_path / "root")
    assert tree(tmp_path / "root") == ["boot/vmlinuz-6.4-default", "boot/vmlinuz-7"]
    assert (tmp_path / "root/boot/vmlinuz-6.4-default").read_bytes() == b"image"


@needs_rpm
def test_a_file_with_several_names_has_its_data_under_each(tmp_path: Path) -> None:
    tree_of = tmp_path / "linked"
    folder = tree_of / "lib/modules/1/kernel"
    folder.mkdir(parents=True)
    (folder / "a.ko").write_bytes(b"module")
    (folder / "b.ko").hardlink_to(folder / "a.ko")
    (tree_of / "lib/modules/1/link.ko").symlink_to("/etc/passwd")
    spec = tmp_path / "kernel.spec"
    rpm = build_linked(tmp_path, spec, tree_of)
    unpack_rpms([rpm], tmp_path / "root")
    found = tmp_path / "root/lib/modules/1/kernel"
    assert tree(tmp_path / "root") == ["lib/modules/1/kernel/a.ko", "lib/modules/1/kernel/b.ko"]
    assert [(found / name).read_bytes() for name in ("a.ko", "b.ko")] == [b"module", b"module"]


def build_linked(folder: Path, spec: Path, tree_of: Path) -> Path:
    spec.write_text(
        "%global debug_package %{nil}\n%global __os_install_post %{nil}\n"
        "Name: kernel\nVersion: 1\nRelease: 1\nSummary: x\nLicense: x\nAutoReqProv: no\n%description\nx\n"
        f"%install\ncp -a {tree_of}/. %{{buildroot}}/\n%files\n/lib/modules/1\n"
    )
    tool("rpmbuild", "-bb", "--target", "x86_64", "--define", f"_topdir {folder}/top", spec, folder=folder)
    (built,) = folder.glob("top/RPMS/*/*.rpm")
    return built


@needs_rpm
def test_a_package_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    rpm = sample(tmp_path)
    for size in (3000, rpm.stat().st_size - 40):
        rpm.write_bytes(rpm.read_bytes()[:size])
        with pytest.raises(FetchError, match=rf"{rpm.name} cannot be unpacked: "):
            unpack_rpms([rpm], tmp_path / "root")


def test_what_no_program_takes_for_a_package_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kernel.rpm").write_text("a page of a proxy")
    monkeypatch.setattr(unpack, "READERS", (("cat", lambda tool, rpm: [tool, rpm]),))
    with pytest.raises(FetchError, match=r"kernel\.rpm cannot be unpacked: there is no member|ends before"):
        unpack_rpms([tmp_path / "kernel.rpm"], tmp_path / "root")


@pytest.mark.skipif(not has_tool("bsdtar"), reason="libarchive-tools is not installed")
@needs_rpm
def test_where_there_is_no_rpm2cpio_another_does_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "READERS", (("no-such-tool", unpack.READERS[0][1]), unpack.READERS[1]))
    unpack_rpms([sample(tmp_path)], tmp_path / "root")
    assert f"boot/vmlinuz-{RELEASE}" in tree(tmp_path / "root")


def test_where_there_is_none_the_package_that_brings_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpack, "READERS", (("no-such-tool", unpack.READERS[0][1]),))
    with pytest.raises(MissingToolError, match=r"needed to unpack RPM packages.*rpm2cpio"):
        unpack_rpms([tmp_path / "kernel.rpm"], tmp_path / "root")


@needs_rpm
def test_how_much_a_package_may_hold_is_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unpack, "MOST_UNPACKED", 1000)
    with pytest.raises(FetchError, match=r"\.rpm cannot be unpacked: .*it has more than 0 GiB"):
        unpack_rpms([sample(tmp_path)], tmp_path / "root")


def test_modules_that_the_hosts_kmod_cannot_read_are_decompressed(tmp_path: Path) -> None:
    folder = tmp_path / "lib/modules/1/kernel"
    folder.mkdir(parents=True)
    (folder / "a.ko.gz").write_bytes(gzip.compress(b"a"))
    (folder / "b.ko.xz").write_bytes(lzma.compress(b"b"))
    (folder / "c.ko").write_bytes(b"c")
    decompress_unreadable(tmp_path, kmod="kmod version 30\n+ZSTD +XZ -ZLIB +LIBCRYPTO")
    assert [path.name for path in sorted(folder.iterdir())] == ["a.ko", "b.ko.xz", "c.ko"]
    assert (folder / "a.ko").read_bytes() == b"a"
    decompress_unreadable(tmp_path, kmod="kmod version 5\n-XZ")
    assert (folder / "b.ko").read_bytes() == b"b"
