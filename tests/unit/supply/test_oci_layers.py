"""Layers are read to their end and checked, whatever packed them; what is hostile or damaged is one sentence."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path
from typing import Any

import pytest
import zstandard
from oci_samples import PACKED, Layout, layer, link, member

from harness.errors import FetchError
from harness.supply.oci import layers
from harness.supply.oci.layers import Image, extract, read_tree

WHOLE = layer({"boot/vmlinuz": b"kernel" * 999, "etc/x": b"x"}, link("boot/again", "boot/vmlinuz", hard=True))


def image(folder: Path, *made: bytes, **more: Any) -> Image:
    layout = Layout(folder / "layout")
    layout.image(*made, **more)
    return layout.read()


@pytest.mark.parametrize("pack", PACKED)
def test_files_come_out_as_they_are(pack: str, tmp_path: Path) -> None:
    found = image(tmp_path, WHOLE, layer({"etc/x": b"newer"}), pack=PACKED[pack])
    below = read_tree(found).files_below("")
    assert list(below) == ["boot/again", "boot/vmlinuz", "etc/x"]
    extract(found, {tmp_path / "out" / name: file for name, file in below.items()})
    assert (tmp_path / "out/boot/vmlinuz").read_bytes() == (tmp_path / "out/boot/again").read_bytes() == b"kernel" * 999
    assert (tmp_path / "out/etc/x").read_bytes() == b"newer"
    extract(found, {})


@pytest.mark.parametrize("pack", PACKED)
def test_a_layer_that_was_pushed_incomplete_is_said(pack: str, tmp_path: Path) -> None:
    for number, cut in enumerate((0.3, 0.6)):
        packed = PACKED[pack](WHOLE)
        short = packed[: int(len(packed) * cut)]
        found = image(tmp_path / str(number), short, pack=lambda data: data)
        with pytest.raises(FetchError, match=r"^the image: layer 1 of 1 cannot be read to its end: "):
            read_tree(found)


def test_a_layer_that_is_cut_off_or_changed_since_is_said(tmp_path: Path) -> None:
    found = image(tmp_path, layer({"a": b"1"}), WHOLE)
    path = found.blob(found.manifest.layers[1].hex)
    data = path.read_bytes()
    path.write_bytes(data[:50])
    with pytest.raises(FetchError, match=rf"layer 2 of 2 is damaged: its digest is .*; it has 50 of {len(data)} bytes"):
        read_tree(found)
    path.write_bytes(data[:-1] + b"x")
    with pytest.raises(
        FetchError, match=r"layer 2 of 2 is damaged: its digest is sha256:\w{12}\.\.\., not sha256:\w{12}\.\.\.$"
    ):
        read_tree(found)
    path.unlink()
    with pytest.raises(FetchError, match=r"layer 2 of 2 \(sha256:\w{12}\) is not there: No such file"):
        read_tree(found)


def large_name() -> bytes:
    info = tarfile.TarInfo("x")
    info.pax_headers = {"path": "a" * (2 << 20)}
    return info.tobuf(tarfile.PAX_FORMAT)


@pytest.mark.parametrize(
    ("made", "complaint"),
    [
        (layer(member("../../etc/passwd", b"x")), r"\.\./\.\./etc/passwd leads out of the image"),
        (layer(link("boot/vmlinuz", "/../../etc/shadow", hard=True)), "leads out of the image"),
        (layer(link("boot/vmlinuz", "/etc/shadow", hard=True)), "a hard link to /etc/shadow, which is no file"),
        (large_name(), "a name in it has 2097.* bytes"),
    ],
)
def test_a_hostile_layer_is_refused_by_name(made: bytes, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=f"^the image: layer 1 of 1 is nothing to read: .*{complaint}"):
        read_tree(image(tmp_path, made))
    assert [path.name for path in tmp_path.iterdir()] == ["layout"]


def test_devices_and_links_are_seen_and_nothing_is_made_of_them(tmp_path: Path) -> None:
    devices = (member("dev/sda", kind=tarfile.BLKTYPE), member("run/pipe", kind=tarfile.FIFOTYPE))
    tree = read_tree(image(tmp_path, layer(*devices, link("boot/vmlinuz", "/etc/shadow"))))
    assert tree.files_below("") == {}
    assert (tree.what("dev/sda"), tree.what("run/pipe")) == ("a device", "a pipe")
    assert tree.what("boot/vmlinuz") == "a link to /etc/shadow, which is not in the image"


def test_an_image_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = image(tmp_path, WHOLE)
    tree = read_tree(found)
    for name, value, complaint in (
        ("MOST_MEMBERS", 2, "the image has more than 2 files"),
        ("MOST_UNPACKED", 2048, "it has more than 0 GiB, unpacked"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(layers, name, value)
            with pytest.raises(FetchError, match=complaint):
                read_tree(found)
    monkeypatch.setattr(layers, "MOST_KEPT", 10)
    with pytest.raises(FetchError, match="would be kept of it"):
        extract(found, {tmp_path / "x": tree.files_below("")["boot/vmlinuz"]})
    assert not (tmp_path / "x").exists()


def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    for number, data in enumerate((b"", b"a letter" * 200, gzip.compress(b"x"), zstandard.compress(b"y" * 600))):
        with pytest.raises(FetchError, match="layer 1 of 1 cannot be read to its end"):
            read_tree(image(tmp_path / str(number), data, pack=lambda data: data))
    assert read_tree(image(tmp_path / "empty", layer())).files_below("") == {}
    assert io.BytesIO(layer()).read(1) == b"\0"


@pytest.mark.parametrize("pack", PACKED)
def test_a_layer_may_end_with_its_last_file_and_not_before(pack: str, tmp_path: Path) -> None:
    whole = layer({"boot/vmlinuz": b"k" * 700})
    bare = whole[: 512 + 700]
    found = image(tmp_path / "bare", bare, pack=PACKED[pack])
    files = read_tree(found).files_below("")
    extract(found, {tmp_path / "out": files["boot/vmlinuz"]})
    assert (tmp_path / "out").read_bytes() == b"k" * 700
    with pytest.raises(FetchError, match="cannot be read to its end: it ends before its last file does"):
        read_tree(image(tmp_path / "cut", bare[:-1], pack=PACKED[pack]))
