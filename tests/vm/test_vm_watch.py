"""Watch mode with a real guest: a case is broken and fixed at the desk, and the grid follows."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest
from projects import KERNEL, TemporaryProject, alive, guests, start, until

pytestmark = pytest.mark.vm


class Desk:
    """A watch that runs, and what it has said so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line)

    def await_line(self, beginning: str) -> str:
        """Wait for a line and return it."""

        def found() -> list[str]:
            return [line for line in self.lines if line.startswith(beginning)]

        until(lambda: bool(found()) or self.process.poll() is not None, what=beginning)
        assert found(), "".join(self.lines)
        return found()[0]

    def ended(self) -> int:
        code = self.process.wait(timeout=60)
        self._reader.join(timeout=10)
        return code


def verdicts(project: TemporaryProject) -> dict[str, Any]:
    report = json.loads((project.folder / "results/latest/report.json").read_text())
    return {cell["case"]: cell["verdict"] for cell in report["cells"]}


def test_the_grid_follows_what_is_saved(tmp_path: Path, temporary: Path) -> None:
    project = TemporaryProject(tmp_path / "project")
    source = project.case("edited") / "target.bpf.c"
    project.case("other")
    whole = source.read_text()
    silent = whole.replace("\temit_connection(ctx, &events", "\tif (0)\n\t\temit_connection(ctx, &events", 1)
    assert silent != whole
    process = start(
        "watch", "--matrix-file", project.matrix_file, "--case", "*", "--jobs", "1", env={"TMPDIR": str(temporary)}
    )
    desk = Desk(process)
    try:
        assert ": 2 pass. Exit code 0" in desk.await_line("run 1:")
        assert verdicts(project) == {"edited": "pass", "other": "pass"}

        source.write_text(whole.replace("emit_connection", "no_such_function"))
        desk.await_line("waiting for a save that fixes this")
        assert any("does not compile" in line for line in desk.lines)
        assert process.poll() is None

        source.write_text(silent)
        assert ": 1 fail. Exit code 1" in desk.await_line("run 3:")
        assert any(line.startswith(KERNEL) and "edited: fail (was pass)" in line for line in desk.lines)
        assert verdicts(project) == {"edited": "fail"}

        source.write_text(whole)
        assert ": 1 pass. Exit code 0" in (line := desk.await_line("run 4:"))
        assert " s from save to grid" in line
        assert any(line.startswith(KERNEL) and "edited: pass (was fail)" in line for line in desk.lines)
        assert not guests(process.pid), "no guest waits for the next save"

        process.send_signal(signal.SIGINT)
        assert desk.ended() == 0, "".join(desk.lines)
    finally:
        process.kill()
        process.wait()
    assert desk.lines[-1].startswith("watch ended (Ctrl-C). Exit code 0")
    assert "Traceback" not in "".join(desk.lines)
    assert not list(temporary.iterdir()), "temporary folders were left"
    results = [path for path in (project.folder / "results").iterdir() if not path.is_symlink()]
    assert len(results) == 3, "what does not compile leaves no run"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_watch_that_is_ended_during_a_run_leaves_no_guest(tmp_path: Path, number: signal.Signals) -> None:
    project = TemporaryProject(tmp_path / "project")
    source = project.case("edited") / "target.bpf.c"
    process = start("watch", "--matrix-file", project.matrix_file, "--case", "edited")
    desk = Desk(process)
    try:
        desk.await_line("run 1:")
        source.write_text(source.read_text() + "\n")
        until(lambda: bool(guests(process.pid)) or process.poll() is not None, what="a QEMU is there")
        pids = guests(process.pid)
        process.send_signal(number)
        assert desk.ended() == 0, "".join(desk.lines)
        until(lambda: not any(map(alive, pids)), seconds=2, what=f"QEMU processes {pids} are gone")
    finally:
        process.kill()
        process.wait()
    name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    assert desk.lines[-1].startswith(f"watch ended ({name}). Exit code 0")
    report = json.loads((project.folder / "results/latest/report.json").read_text())
    cell = report["cells"][0]
    assert (report["run"]["complete"], cell["outcome"], cell["verdict"]) == (False, "lost", "error")
