from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.errors import EXIT_HARNESS, MissingToolError
from harness.host.process import end_all, find_tool, run, run_group


def script(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_tool_is_found_on_the_path_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = script(tmp_path, "sh", "")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert find_tool("sh", package="dash", purpose="test") == str(mine)


def test_the_sbin_folders_and_apts_own_are_searched_though_they_are_not_on_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_tool("ldconfig", package="libc-bin", purpose="test") in ("/usr/sbin/ldconfig", "/sbin/ldconfig")
    assert find_tool("apt-helper", package="apt", purpose="test") == "/usr/lib/apt/apt-helper"


def test_a_missing_tool_is_told_with_its_package_and_purpose() -> None:
    with pytest.raises(MissingToolError) as caught:
        find_tool("no-such-tool", package="no-such-package", purpose="try this")
    texts = str(caught.value)
    assert "no-such-tool is not installed" in texts
    assert "to try this" in texts
    assert "apt-get install no-such-package" in texts
    assert caught.value.exit_code == EXIT_HARNESS


def test_a_file_that_cannot_be_run_is_no_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script(tmp_path, "almost", "").chmod(0o644)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError):
        find_tool("almost", package="p", purpose="q")


@pytest.mark.parametrize("code", [0, 1, 100, 255])
def test_an_exit_code_is_given_back_and_never_raised(code: int) -> None:
    assert run(["sh", "-c", f"exit {code}"]).returncode == code


def test_both_outputs_are_kept_apart() -> None:
    done = run(["sh", "-c", "echo out; echo err >&2"])
    assert (done.stdout, done.stderr) == ("out\n", "err\n")


def test_a_signal_shows_as_a_negative_code() -> None:
    assert run(["sh", "-c", "kill -SEGV $$"]).returncode == -11


def test_a_program_never_reads_what_is_meant_for_the_harness() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"typed by the user")
    os.close(writing)
    kept = os.dup(0)
    os.dup2(reading, 0)
    try:
        assert run(["cat"]).stdout == ""
    finally:
        os.dup2(kept, 0)
        os.close(kept)
        os.close(reading)


def test_output_that_is_no_text_is_replaced() -> None:
    assert run(["printf", r"a\377b"]).stdout == "a\N{REPLACEMENT CHARACTER}b"


def test_the_environment_and_folder_are_those_that_are_given(tmp_path: Path) -> None:
    texts: list[str | Path] = [Path(sys.executable), "-c", "import os; print(os.getcwd(), os.environ.get('A'))"]
    assert run(texts, cwd=tmp_path, env={"A": "1"}).stdout == f"{tmp_path} 1\n"
    assert "None" in run(texts, env={}).stdout


def test_a_program_that_does_not_end_is_killed_and_says_so() -> None:
    done = run(["sleep", "60"], timeout=0.1)
    assert done.returncode == -9
    assert done.stderr == "sleep did not end within 0.1 s and was killed"


def test_what_goes_to_a_file_is_there_byte_for_byte(tmp_path: Path) -> None:
    done = run(["sh", "-c", r"printf 'a\r\nb\377'; echo oops >&2; exit 3"], output=tmp_path / "file")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "oops\n")
    assert (tmp_path / "file").read_bytes() == b"a\r\nb\xff"


# --- programs that start many others ----------------------------------------------------------------------------------


def group(script: str, log: Path, *, timeout: float = 60.0, line: Callable[[str], None] | None = None) -> int | None:
    return run_group(["sh", "-c", script], env=os.environ, log=log, line=line or (lambda _: None), timeout=timeout)


def test_what_a_group_writes_comes_line_by_line_and_is_added_to_a_log(tmp_path: Path) -> None:
    log, lines = tmp_path / "log", list[str]()
    log.write_text("before\n")
    assert group("echo one; echo two >&2; printf three; exit 3", log, line=lines.append) == 3
    assert lines == ["one", "two", "three"]
    assert log.read_text() == "before\none\ntwo\nthree"


def test_a_group_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    """Its output has an end only once nobody holds it any more."""
    assert group("sleep 600 & sleep 600", tmp_path / "log", timeout=0.01) is None


def test_whatever_its_reader_raises_ends_a_group(tmp_path: Path) -> None:
    def stop(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        group(f"echo $$ > {tmp_path}/pid; echo one; exec sleep 600", tmp_path / "log", line=stop)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_all_programs_are_ended_at_once_and_groups_as_a_whole(tmp_path: Path) -> None:
    def begun(_: str) -> None:
        end_all()

    assert group("sleep 600 & echo one; sleep 600", tmp_path / "log", line=begun) == -9


def test_what_a_program_left_running_ends_with_it(tmp_path: Path) -> None:
    """As a compiler would whose `make` was killed."""
    assert group(f"sleep 600 > /dev/null 2>&1 & echo $! > {tmp_path}/pid", tmp_path / "log") == 0
    left = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    with contextlib.suppress(FileNotFoundError):
        while left.read_text().rpartition(")")[2].split()[0] != "Z":
            time.sleep(0.01)
