"""Commands that the agent runs: real processes of this machine, their output, and how they end."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.agent import commands
from harness.agent.commands import Output, collect, interpreter_of, located, run_command


class Ran:
    """A command that was run: what the agent reports, and the output that it sent."""

    def __init__(self, folder: Path, *argv: str, deadline: float = 20, env: dict[str, str] | None = None) -> None:
        self.sent: list[tuple[str, int]] = []
        before = Path.cwd()
        step: dict[str, Any] = {"argv": list(argv), "cwd": str(folder), "deadline": deadline, "env": env or {}}
        try:
            self.report = run_command(step, send=lambda text, cut: self.sent.append((text, cut)))
        finally:
            os.chdir(before)

    @property
    def text(self) -> str:
        return "".join(text for text, _ in self.sent)

    @property
    def end(self) -> tuple[Any, ...]:
        return self.report["exit"], self.report["signal"], self.report["timed_out"]


def python(folder: Path, code: str, **more: Any) -> Ran:
    return Ran(folder, sys.executable, "-c", code, **more)


def test_the_exit_code_is_reported(tmp_path: Path) -> None:
    assert Ran(tmp_path, "true").end == (0, None, False)
    assert Ran(tmp_path, "sh", "-c", "exit 7").end == (7, None, False)


def test_a_signal_is_reported_by_its_name(tmp_path: Path) -> None:
    assert Ran(tmp_path, "sh", "-c", "kill -SEGV $$").end == (None, "SIGSEGV", False)


def test_output_and_errors_come_in_their_order_and_the_input_is_empty(tmp_path: Path) -> None:
    ran = Ran(tmp_path, "sh", "-c", "echo one; echo two >&2; cat; echo three; pwd; echo $NAME")
    assert ran.text.split() == ["one", "two", "three", str(tmp_path)]
    assert Ran(tmp_path, "sh", "-c", "echo $NAME; echo $HOME", env={"NAME": "a b"}).text == "a b\n/root\n"


def test_at_its_deadline_the_whole_group_is_killed(tmp_path: Path) -> None:
    """The child of the shell holds a lock that nobody else can have while it lives."""
    code = "import fcntl, time; file = open('lock', 'w'); fcntl.flock(file, fcntl.LOCK_EX); print('held', flush=True)"
    ran = Ran(tmp_path, "sh", "-c", f'"{sys.executable}" -c "{code}; time.sleep(600)"; true', deadline=1.5)
    assert (ran.report["timed_out"], ran.report["exit"]) == (True, None)
    import fcntl

    with (tmp_path / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # waits for ever where the child is still there


def test_what_a_command_leaves_running_is_not_waited_for(tmp_path: Path) -> None:
    """It still has the output, and waits for a line that comes only once the command's end was reported."""
    ran = Ran(tmp_path, "sh", "-c", "mkfifo gate; (read -r line <gate) & echo done")
    assert ran.end == (0, None, False)
    assert ran.text == "done\n"
    (tmp_path / "gate").write_text("go\n")


def test_a_long_output_keeps_its_head_and_its_tail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "HEAD_BYTES", 10)
    monkeypatch.setattr(commands, "TAIL_BYTES", 5)
    ran = python(tmp_path, "print('0123456789' + 'x' * 1000 + 'tail', end='!')")
    assert ran.text == "0123456789tail!"
    assert [cut for _, cut in ran.sent if cut] == [1000]
    assert (ran.report["bytes"], ran.report["cut"]) == (1015, 1000)


def test_what_just_fits_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "HEAD_BYTES", 3)
    monkeypatch.setattr(commands, "TAIL_BYTES", 3)
    sent: list[tuple[str, int]] = []
    output = Output(lambda text, cut: sent.append((text, cut)))
    for byte in "aé€".encode():  # a character is divided between head and tail
        output.take(bytes([byte]))
    output.end()
    assert ("".join(text for text, _ in sent), output.cut) == ("aé€", 0)


def test_what_is_no_text_is_shown_all_the_same(tmp_path: Path) -> None:
    assert Ran(tmp_path, "printf", r"a\377b").text == "a\N{REPLACEMENT CHARACTER}b"


def test_output_comes_while_the_command_runs(tmp_path: Path) -> None:
    """The command goes on only once its first line was sent."""
    sent: list[str] = []

    def send(text: str, _cut: int) -> None:
        sent.append(text)
        (tmp_path / "go").touch()

    code = (
        "import os, time; print('first', flush=True)\nwhile not os.path.exists('go'): time.sleep(0.01)\nprint('last')"
    )
    step = {"argv": [sys.executable, "-c", code], "cwd": str(tmp_path), "deadline": 20}
    before = Path.cwd()
    try:
        report = run_command(step, send=send)
    finally:
        os.chdir(before)
    assert report["exit"] == 0
    assert "".join(sent) == "first\nlast\n"


def script(path: Path, text: str, *, mode: int = 0o755) -> str:
    path.write_text(text)
    path.chmod(mode)
    return f"./{path.name}"


@pytest.mark.parametrize(
    ("text", "mode", "errno", "detail"),
    [
        ("#!/no/such/shell\n", 0o755, "ENOENT", "./it needs /no/such/shell, which is not in the guest"),
        ("echo hello\n", 0o755, "ENOEXEC", "./it is nothing that this kernel can run: no program of this architecture"),
        ("#!/bin/sh\n", 0o644, "EACCES", "./it may not be run: its file is not executable"),
    ],
)
def test_what_cannot_be_started_says_why(tmp_path: Path, text: str, mode: int, errno: str, detail: str) -> None:
    ran = Ran(tmp_path, script(tmp_path / "it", text, mode=mode))
    assert (ran.report["ok"], ran.report["errno_name"]) == (False, errno)
    assert ran.report["detail"].startswith(detail)


def test_a_command_that_is_not_there_is_named(tmp_path: Path) -> None:
    report = Ran(tmp_path, "no-such-command").report
    assert (report["ok"], report["errno_name"]) == (False, "ENOENT")
    assert report["detail"] == "no-such-command is not in the guest"


def test_in_a_guest_busybox_commands_are_at_the_end_of_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are made once; programs of the guest that have the same name come first."""
    busybox = tmp_path / "busybox"
    script(
        busybox,
        '#!/bin/sh\necho installed >>log\nprintf "#!/bin/sh\\necho applet" >"$3/own-command"\nchmod +x "$3"/*\n',
    )
    monkeypatch.setattr(commands, "BUSYBOX", str(busybox))
    monkeypatch.setattr(commands, "OWN_FOLDER", str(tmp_path / "own"))
    monkeypatch.chdir(tmp_path)
    assert commands.with_applets("/a:/b") == "/a:/b"
    (tmp_path / "own").mkdir()
    for _ in range(2):
        assert Ran(tmp_path, "own-command").text == "applet\n"
    assert commands.with_applets("/a:/b") == f"/a:/b:{tmp_path}/own/applets"
    assert (tmp_path / "log").read_text() == "installed\n"


def test_a_program_is_looked_for_in_the_path(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    script(tmp_path / "a/it", "", mode=0o644)
    script(tmp_path / "b/it", "")
    assert located("it", f"{tmp_path}/a:{tmp_path}/b") == f"{tmp_path}/b/it"
    assert (located("it", ""), located("./it", "")) == ("", "./it")


def test_the_loader_of_a_program_is_its_interpreter() -> None:
    assert "ld" in interpreter_of(os.path.realpath("/bin/sh"))
    assert interpreter_of("/no/such/file") == ""


def test_files_that_match_are_brought_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "PIECE", 4)
    (tmp_path / "sub").mkdir()
    for name, text in (("a.xml", "0123456"), ("sub/b.xml", ""), ("c.txt", "no")):
        (tmp_path / name).write_text(text)
    sent: list[tuple[str, str]] = []
    found = collect(f"{tmp_path}/**/*.xml", send=lambda path, text: sent.append((path, text)))
    assert found == {"files": 2, "left_out": []}
    a, b = str(tmp_path / "a.xml"), str(tmp_path / "sub/b.xml")
    assert sent == [(a, "0123"), (a, "456"), (b, "")]


def test_what_is_too_much_is_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "MOST_BYTES", 5)
    monkeypatch.setattr(commands, "MOST_FILES", 2)
    for name, text in (("a", "123456"), ("b", "12"), ("c", "1234"), ("d", "1"), ("e", "")):
        (tmp_path / name).write_text(text)
    found = collect(f"{tmp_path}/*", send=lambda *_: None)
    assert found == {"files": 2, "left_out": [str(tmp_path / name) for name in "ace"]}
