"""What a guest has by its archives."""

from __future__ import annotations

from pathlib import Path

from harness.supply.image import cpio
from harness.supply.image.guest_files import GuestFiles


def archive(path: Path, *nodes: cpio.Node) -> Path:
    path.write_bytes(cpio.archive(nodes))
    return path


def guest(folder: Path) -> GuestFiles:
    base = archive(
        folder / "base",
        cpio.link("bin", "usr/bin"),
        cpio.link("lib", "usr/lib"),
        cpio.folder("usr/bin"),
        cpio.file("usr/bin/busybox", b"box"),
        cpio.link("usr/bin/sh", "busybox"),
        cpio.link("usr/bin/loop", "../bin/loop"),
        cpio.link("usr/bin/gone", "/no/where"),
        cpio.file("usr/lib/x/libc.so.6", b"GLIBC_2.41\0"),
        cpio.file("usr/lib/x/libz.so.1.3", b"zzz"),
        cpio.link("usr/lib/x/libz.so.1", "libz.so.1.3"),
    )
    more = archive(folder / "more", cpio.file("usr/bin/bash", b"bash"), cpio.file("usr/bin/busybox", b"another"))
    return GuestFiles([base, more])


def test_links_are_followed_in_every_part_of_a_path(tmp_path: Path) -> None:
    files = guest(tmp_path)
    node = files.find("/bin/sh")
    assert node is not None
    assert (node.path, node.data) == ("usr/bin/busybox", b"another"), "the later archive counts"
    assert files.has("/bin/bash")
    assert not files.has("/bin/zsh")
    assert not files.has("/usr/bin/loop")
    assert not files.has("/usr/bin/gone")


def test_libraries_are_known_by_their_names(tmp_path: Path) -> None:
    files = guest(tmp_path)
    assert files.glibc == (2, 41)
    assert (files.has("libz.so.1"), files.has("libq.so.1")) == (True, False)
    for name, content, same in (("same", b"zzz", True), ("other", b"zzy", False), ("longer", b"zzzz", False)):
        (tmp_path / name).write_bytes(content)
        assert files.same_library("libz.so.1", tmp_path / name) is same
    assert not files.same_library("libq.so.1", tmp_path / "same")


def test_nothing_is_read_before_something_is_asked(tmp_path: Path) -> None:
    files = GuestFiles([tmp_path / "missing"])
    (tmp_path / "missing").write_bytes(cpio.archive([]))
    assert files.glibc == ()
