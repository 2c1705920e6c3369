"""Temporary folders of processes that live, that were killed, and of other people."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.host.scratch import (
    HIDDEN,
    LONGEST_SOCKET,
    PREFIX,
    SHORT,
    abandoned,
    make_held,
    remove_abandoned,
    scratch_folder,
    temporary_folder,
)

MAKER = """
import sys, time
from pathlib import Path
from harness.host.scratch import scratch_folder
with scratch_folder(parent=Path(sys.argv[1])) as folder:
    (folder / "half").write_text("ha")
    print(folder, flush=True)
    sys.stdin.readline()
"""


@contextmanager
def maker(parent: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that has made a folder and holds it, until it is given a line."""
    argv = [sys.executable, "-c", MAKER, str(parent)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_a_folder_lasts_as_long_as_its_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch_folder() as one, scratch_folder(parent=tmp_path / ".") as other:
        assert (one.parent, other.parent) == (tmp_path, tmp_path)
        assert one.name.startswith(PREFIX)
        assert other.name.startswith(HIDDEN)
        assert remove_abandoned(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_a_folder_may_be_moved_away(tmp_path: Path) -> None:
    with scratch_folder(parent=tmp_path) as folder:
        folder.rename(tmp_path / "kept")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_the_folder_of_a_killed_process_is_removed_and_that_of_a_living_one_is_not(tmp_path: Path) -> None:
    with maker(tmp_path) as (living, kept), maker(tmp_path) as (killed, left):
        assert remove_abandoned(tmp_path) == []
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert left.exists()
        assert remove_abandoned(tmp_path) == [left]
        assert (kept.exists(), left.exists()) == (True, False)
        living.communicate("end\n")
        assert list(tmp_path.iterdir()) == []


def test_what_is_not_ours_stays(tmp_path: Path) -> None:
    """Folders of other names, files, links, and those of versions without locks (bpfmatrix-...)."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "bpfmatrix-abcdefgh").mkdir()
    (tmp_path / f"{PREFIX}file").write_text("")
    (tmp_path / f"{PREFIX}link").symlink_to(tmp_path / "elsewhere")
    os.mkfifo(tmp_path / f"{PREFIX}pipe")
    assert remove_abandoned(tmp_path) == []
    assert len(list(tmp_path.iterdir())) == 5


def test_what_belongs_to_another_user_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / f"{PREFIX}theirs").mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert remove_abandoned(tmp_path) == []
    monkeypatch.undo()
    assert remove_abandoned(tmp_path) == [tmp_path / f"{PREFIX}theirs"]


def test_what_is_taken_for_abandoned_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock = fcntl.flock
    gone: list[Path] = []

    def late(lock: int, how: int) -> None:
        if not gone:
            monkeypatch.setattr(fcntl, "flock", flock)
            gone.extend(remove_abandoned(tmp_path))
        flock(lock, how)

    monkeypatch.setattr(fcntl, "flock", late)
    path, lock = make_held(lambda: Path(tempfile.mkdtemp(prefix=HIDDEN, dir=tmp_path)))
    try:
        assert len(gone) == 1
        assert path.is_dir()
        assert remove_abandoned(tmp_path) == []
    finally:
        os.close(lock)


def test_two_may_look_at_once_whether_something_is_abandoned(tmp_path: Path) -> None:
    with abandoned(tmp_path) as one, abandoned(tmp_path) as other:
        assert (one, other) == (True, True)
    with abandoned(tmp_path / "gone") as missing:
        assert not missing


@pytest.mark.parametrize("length", [20, 60, 81, 82, 83, 120, 300])
def test_a_socket_fits_into_a_temporary_folder_however_long_its_parents_path_is(
    length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = Path("/" + "d" * (length - 1))
    monkeypatch.setattr(tempfile, "tempdir", str(wanted))
    assert len(str(temporary_folder() / f"{PREFIX}12345678/tty")) <= LONGEST_SOCKET
    assert temporary_folder() == (wanted if length <= 82 else SHORT)


def test_a_socket_can_be_made_where_the_path_is_too_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("d" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with scratch_folder() as folder, socket.socket(socket.AF_UNIX) as made:
        made.bind(str(folder / "tty"))
