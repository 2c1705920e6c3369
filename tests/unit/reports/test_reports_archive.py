"""A .tar.gz of files: the same bytes each time, and nothing of one from elsewhere that leads out of its folder."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.reports.archive import packed, unpacked

FILES = {"report.json": b"{}", "a.txt": b"", "notes.md": bytes(range(256)) * 100}


def of_members(*members: tuple[str, bytes] | tarfile.TarInfo) -> bytes:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size = len(member[1])
            archive.addfile(info, io.BytesIO(member[1]))
    return raw.getvalue()


def link(name: str, to: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


def test_what_is_packed_comes_out_again_in_its_order() -> None:
    assert list(unpacked(packed(FILES, folder="r"), name="r.tar.gz").items()) == list(FILES.items())


def test_it_is_the_same_each_time_and_has_nothing_of_this_host() -> None:
    assert packed(FILES, folder="r") == packed(dict(FILES), folder="r")
    with tarfile.open(fileobj=io.BytesIO(packed(FILES, folder="r"))) as archive:
        of_host = {(each.mtime, each.uid, each.gid, each.uname, each.gname, each.mode) for each in archive}
    assert of_host == {(0, 0, 0, "", "", 0o644)}


def test_tar_unpacks_it(tmp_path: Path) -> None:
    (tmp_path / "r.tar.gz").write_bytes(packed(FILES, folder="r"))
    subprocess.run(["tar", "-xzf", "r.tar.gz"], cwd=tmp_path, check=True, timeout=30)
    assert {path.name: path.read_bytes() for path in (tmp_path / "r").iterdir()} == FILES


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"no archive", "cannot be unpacked"),
        (packed(FILES, folder="r")[:-40], "cannot be unpacked"),
        (packed(FILES, folder="r")[:20], "cannot be unpacked"),
        (of_members(("r/../../etc/passwd", b"x")), "which no bundle has"),
        (of_members(("/r/a", b"x")), "which no bundle has"),
        (of_members(("../a", b"x")), "which no bundle has"),
        (of_members(("a", b"x")), "which no bundle has"),
        (of_members(link("r/a", "/etc/passwd")), "which no bundle has"),
        (of_members(link("r/a", "r/b", tarfile.LNKTYPE)), "which no bundle has"),
        (of_members(link("r/a", "", tarfile.FIFOTYPE)), "which no bundle has"),
        (of_members(("r/a", b"x"), ("r/a", b"y")), "twice"),
        (of_members(("r/a", b"x"), ("s/b", b"y")), "several folders"),
    ],
)
def test_what_no_bundle_is(content: bytes, why: str) -> None:
    with pytest.raises(ConfigError, match=why) as caught:
        unpacked(content, name="r.tar.gz")
    assert "r.tar.gz" in str(caught.value)


def test_one_that_grows_without_end_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.reports.archive.MOST_BYTES", 1000)
    with pytest.raises(ConfigError, match="more than"):
        unpacked(packed({"zeros": bytes(1001)}, folder="r"), name="r.tar.gz")
