from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from harness.errors import FetchError
from harness.supply.kernels.unpack import place, unpack_kernel_packages

R = "6.1.0-50-cloud-amd64"


@pytest.mark.parametrize(
    ("member", "target"),
    [
        (f"./boot/vmlinuz-{R}", f"boot/vmlinuz-{R}"),
        (f"boot/vmlinux-{R}", f"boot/vmlinux-{R}"),
        (f"./boot/config-{R}", f"boot/config-{R}"),
        (f"./boot/System.map-{R}", f"boot/System.map-{R}"),
        (f"./lib/modules/{R}/kernel/net/x.ko.xz", f"lib/modules/{R}/kernel/net/x.ko.xz"),
        (f"./usr/lib/modules/{R}/kernel/net/x.ko", f"lib/modules/{R}/kernel/net/x.ko"),
        (f"./usr/lib/modules/{R}/modules.builtin", f"lib/modules/{R}/modules.builtin"),
        (f"./usr/lib/modules/{R}/vmlinuz", f"boot/vmlinuz-{R}"),
        (f"./usr/lib/modules/{R}/config", f"boot/config-{R}"),
        (f"./usr/lib/modules/{R}/System.map", f"boot/System.map-{R}"),
        (f"./usr/lib/modules/{R}/vdso/vdso64.so", None),
        (f"./usr/lib/modules/{R}/build", None),
        (f"./boot/initrd.img-{R}", None),
        (f"./boot/grub/vmlinuz-{R}", None),
        ("./usr/share/doc/linux/copyright", None),
        ("./lib/modules", None),
        ("./etc/passwd", None),
        (f"/boot/vmlinuz-{R}", None),
        ("./boot/vmlinuz-../../etc/passwd", None),
        (f"./lib/modules/{R}/kernel/../../../../etc/passwd", None),
        ("./lib/modules/../kernel/x.ko", None),
        ("", None),
        (".", None),
        ("..", None),
    ],
)
def test_where_a_member_belongs(member: str, target: str | None) -> None:
    assert place(member) == target


PARTS = st.sampled_from(
    [
        "boot",
        "usr",
        "lib",
        "modules",
        "kernel",
        "..",
        ".",
        "",
        "/",
        "6.1",
        "vmlinuz",
        "vmlinuz-6.1",
        "vmlinuz-..",
        "a\n",
    ]
)


@given(st.one_of(st.text(max_size=40), st.lists(PARTS, max_size=9).map("/".join)))
@example("./boot/vmlinuz-..")
@example("lib/modules/./../../kernel/x")
def test_no_member_escapes(member: str) -> None:
    target = place(member)
    if target is None:
        return
    path = PurePosixPath(target)
    assert not path.is_absolute()
    assert ".." not in path.parts
    assert path.parts[0] in ("boot", "lib")
    inside = os.path.normpath(f"/root/{target}")
    assert inside.startswith(("/root/boot/", "/root/lib/modules/"))


@given(st.lists(PARTS, min_size=1, max_size=6).map("/".join))
def test_a_place_is_its_own_place(member: str) -> None:
    target = place(member)
    if target is not None:
        assert place(target) == target


# --- real packages ----------------------------------------------------------------------------------------------------


def build_deb(folder: Path, name: str, files: dict[str, bytes], *, links: dict[str, str] | None = None) -> Path:
    """Build a package with dpkg-deb."""
    tree = folder / f"{name}-tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: x\n"
    )
    for path, data in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(data)
    for path, target in (links or {}).items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).symlink_to(target)
    deb = folder / f"{name}.deb"
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(deb)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return deb


def handmade_deb(path: Path, data_tar: bytes) -> Path:
    """Put a package together member by member, as nobody's tools would."""
    control = io.BytesIO()
    with tarfile.open(fileobj=control, mode="w") as archive:
        add(archive, "./control", b"Package: x\nVersion: 1\nArchitecture: all\nMaintainer: n\nDescription: x\n")
    text = b"!<arch>\n"
    for name, data in (("debian-binary", b"2.0\n"), ("control.tar", control.getvalue()), ("data.tar", data_tar)):
        text += (
            f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
        )
    path.write_bytes(text)
    return path


def add(archive: tarfile.TarFile, name: str, data: bytes, *, kind: bytes = tarfile.REGTYPE, link: str = "") -> None:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, link, len(data)
    archive.addfile(member, io.BytesIO(data))


def everything(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_old_and_new_packages_come_out_in_the_same_places(tmp_path: Path) -> None:
    old = build_deb(
        tmp_path,
        "old",
        {f"boot/vmlinuz-{R}": b"kernel", f"lib/modules/{R}/kernel/a.ko": b"module", "usr/share/doc/x": b"no"},
        links={f"lib/modules/{R}/build": "/usr/src/linux", f"lib/modules/{R}/kernel/link.ko": "/etc/passwd"},
    )
    new = build_deb(
        tmp_path, "new", {"usr/lib/modules/7.3/vmlinuz": b"newer", "usr/lib/modules/7.3/kernel/b.ko": b"another"}
    )
    root = tmp_path / "root"
    root.mkdir()
    unpack_kernel_packages([old, new], root)
    assert everything(root) == {
        f"boot/vmlinuz-{R}": b"kernel",
        "boot/vmlinuz-7.3": b"newer",
        f"lib/modules/{R}/kernel/a.ko": b"module",
        "lib/modules/7.3/kernel/b.ko": b"another",
    }
    assert not [path for path in root.rglob("*") if path.is_symlink()]


def test_a_package_without_a_kernel_leaves_nothing(tmp_path: Path) -> None:
    deb = build_deb(tmp_path, "meta", {"usr/share/doc/meta/copyright": b"x"})
    (tmp_path / "root").mkdir()
    unpack_kernel_packages([deb], tmp_path / "root")
    assert everything(tmp_path / "root") == {}


def test_links_and_escapes_in_a_package_lead_nowhere(tmp_path: Path) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        add(archive, "./boot", b"", kind=tarfile.SYMTYPE, link=str(tmp_path / "outside"))
        add(archive, "./boot/vmlinuz-1", b"kernel")
        add(archive, "./boot/vmlinuz-2", b"", kind=tarfile.SYMTYPE, link="/etc/passwd")
        add(archive, "./boot/vmlinuz-3", b"", kind=tarfile.LNKTYPE, link="./boot/vmlinuz-1")
        add(archive, "./boot/vmlinuz-4", b"", kind=tarfile.FIFOTYPE)
        add(archive, "./lib/modules/6.1/kernel/../../../../../escaped", b"x")
        add(archive, "/boot/vmlinuz-5", b"x")
    (tmp_path / "outside").mkdir()
    root = tmp_path / "root"
    root.mkdir()
    unpack_kernel_packages([handmade_deb(tmp_path / "x.deb", data.getvalue())], root)
    assert everything(root) == {"boot/vmlinuz-1": b"kernel"}
    assert list((tmp_path / "outside").iterdir()) == []
    assert not (tmp_path / "escaped").exists()


def test_much_padding_behind_the_archive_does_no_harm(tmp_path: Path) -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        add(archive, "./boot/vmlinuz-1", b"kernel")
    root = tmp_path / "root"
    root.mkdir()
    unpack_kernel_packages([handmade_deb(tmp_path / "x.deb", data.getvalue() + bytes(1 << 20))], root)
    assert everything(root) == {"boot/vmlinuz-1": b"kernel"}


@pytest.mark.parametrize("kind", ["empty", "text", "truncated"])
def test_a_damaged_package_is_told(kind: str, tmp_path: Path) -> None:
    deb = build_deb(tmp_path, "linux", {f"boot/vmlinuz-{R}": os.urandom(200_000)})
    data = deb.read_bytes()
    deb.write_bytes({"empty": b"", "text": b"<html>404</html>", "truncated": data[:50_000]}[kind])
    (tmp_path / "root").mkdir()
    with pytest.raises(FetchError, match=r"linux\.deb cannot be unpacked"):
        unpack_kernel_packages([deb], tmp_path / "root")


def test_a_missing_package_is_told(tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=r"none\.deb cannot be unpacked"):
        unpack_kernel_packages([tmp_path / "none.deb"], tmp_path)
