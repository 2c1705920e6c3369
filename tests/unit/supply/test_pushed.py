"""Files of the host that go into a guest."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import ConfigError
from harness.supply.pushed import (
    ASIDE,
    PARCEL_BYTES,
    SERIAL_PARCEL_BYTES,
    Push,
    Pushed,
    PushedFile,
    divided,
    files_of,
    hidden,
    parse_push,
    place_of,
    without_doubles,
)


@pytest.mark.parametrize(
    ("text", "file", "to"),
    [
        ("data", "data", ""),
        ("data:/etc/x", "data", "/etc/x"),
        ("a:b", "a:b", ""),  # there is such a file
        ("a:b:c/", "a:b", "c/"),
    ],
)
def test_a_file_and_its_place(tmp_path: Path, text: str, file: str, to: str) -> None:
    (tmp_path / "a:b").touch()
    assert parse_push(text, folder=tmp_path) == Push(file=file, folder=tmp_path, to=to)


@pytest.mark.parametrize(
    ("file", "to", "place"),
    [
        ("data/x", "", "/srv/data/x"),
        ("./data/../x", "", "/srv/x"),
        ("../x", "", "/srv/x"),
        ("/etc/./x", "", "/etc/x"),
        ("x", "y", "/srv/y"),
        ("x", "/etc/", "/etc/x"),
        ("x", "y/", "/srv/y/x"),
        ("~/x", "", "/srv/x"),
    ],
)
def test_where_a_file_goes(tmp_path: Path, file: str, to: str, place: str) -> None:
    assert place_of(Push(file=file, folder=tmp_path, to=to), cwd="/srv") == place


def test_a_folder_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "sub/empty").mkdir(parents=True)
    (top / "sub/run").write_text("#!/bin/sh\n")
    (top / "sub/run").chmod(0o750)
    (top / "link").symlink_to("sub/run")
    (tmp_path / "outside").write_text("out")
    (top / "followed").symlink_to("../outside")
    (top / "whole").symlink_to(top / "sub/run")
    found = {file.path: file for file in files_of(Push(file="top", folder=tmp_path), cwd="/root")}
    assert list(found) == [
        "/root/top",
        *(f"/root/top/{name}" for name in ("followed", "link", "sub", "sub/empty", "sub/run", "whole")),
    ]
    assert (found["/root/top/link"].target, found["/root/top/link"].source) == ("sub/run", None)
    assert found["/root/top/followed"].source == top / "followed"
    assert found["/root/top/followed"].size == 3
    assert found["/root/top/whole"].source == top / "whole", "an absolute link leads nowhere in a guest"
    assert stat.S_IMODE(found["/root/top/sub/run"].mode) == 0o750
    assert stat.S_ISDIR(found["/root/top/sub/empty"].mode)


def test_what_cannot_be_pushed_says_why(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, words in (("none", "there is no such file or folder"), ("pipe", "it is neither a file nor a folder")):
        with pytest.raises(ConfigError, match=words):
            list(files_of(Push(file=name, folder=tmp_path), cwd="/root"))


def test_of_two_files_for_one_place_the_last_counts() -> None:
    first, second = PushedFile(path="/a", mode=1), PushedFile(path="/b", mode=1)
    assert without_doubles([first, second, replace(first, mode=2)]) == (second, replace(first, mode=2))


def test_large_files_travel_in_the_initramfs_and_memory_follows(tmp_path: Path) -> None:
    small = Pushed(files=(PushedFile(path="/a", mode=1, size=PARCEL_BYTES),))
    large = Pushed(files=(PushedFile(path="/a", mode=1, size=PARCEL_BYTES), PushedFile(path="/b", mode=1, size=1)))
    assert (small.in_parcel(serial=False), large.in_parcel(serial=False)) == (True, False)
    assert (small.memory(serial=False), large.memory(serial=False)) == (0, 13)
    serial = Pushed(files=(PushedFile(path="/a", mode=1, size=SERIAL_PARCEL_BYTES + 1),))
    assert (serial.in_parcel(serial=False), serial.in_parcel(serial=True)) == (True, False)
    (tmp_path / "archive").write_bytes(bytes(2**20))
    assert replace(small, archives=(tmp_path / "archive",)).memory(serial=False) == 3


def test_what_a_guest_mounts_hides_what_is_below() -> None:
    covered = ["/tmp/x", "/run/a/b", "/dev", "/sys/x", "/proc/1"]
    assert [path for path in (*covered, "/root/x", "/tmpx", "/usr/tmp/x") if hidden(path)] == covered


def test_what_would_be_hidden_in_the_initramfs_lies_aside_with_a_link_to_it(tmp_path: Path) -> None:
    seen = PushedFile(path="/root/x", mode=stat.S_IFREG | 0o755, size=3, source=tmp_path / "x")
    covered = replace(seen, path="/tmp/deep/x")
    folder = PushedFile(path="/tmp/deep", mode=stat.S_IFDIR | 0o755)
    link = PushedFile(path="/run/link", mode=stat.S_IFLNK | 0o777, target="x")
    packed, sent = divided([seen, folder, covered, link])
    assert packed == (seen, replace(covered, path=f"{ASIDE}/2/x"))
    assert sent == (folder, PushedFile(path="/tmp/deep/x", mode=stat.S_IFLNK | 0o777, target=f"{ASIDE}/2/x"), link)
