"""The step of release.yml that puts the grid into the notes of a release: it replaces only its own part."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from answers_samples import report
from unit_samples import ROOT

from harness.answers.support import support
from harness.reports.notes import BEGIN, END, LONGEST, render

RELEASE = ROOT / ".github/workflows/release.yml"
STEP = "Put the grid and the support statement into the notes"
GRID = report({"6.1-x86_64": {"seed": "pass", "late": "fail"}})
NOTES = render(GRID, support([GRID]))
GH = """\
#!/bin/bash
# The notes of a release in a file, as `gh release` reads and writes them.
set -eu
[ "$1" = release ] && [ "$3" = v1.0 ]
case "$2" in
view) cat notes-of-release; echo ;;
edit) [ "$4" = --notes-file ]; cp "$5" notes-of-release; touch edited ;;
*) exit 9 ;;
esac
"""


def script() -> str:
    jobs = yaml.safe_load(RELEASE.read_text())["jobs"]
    (found,) = [step for step in jobs["attach"]["steps"] if step["name"] == STEP]
    return str(found["run"])


def after(folder: Path, *, own: str, times: int = 1, made: str = NOTES) -> tuple[str, str]:
    """Run the step on a release with notes of its own; return what they are then, and what the step said."""
    (folder / "bin").mkdir()
    (folder / "bin/gh").write_text(GH)
    (folder / "bin/gh").chmod(0o755)
    (folder / "bundle/bpfmatrix-report").mkdir(parents=True)
    (folder / "bundle/bpfmatrix-report/notes.md").write_text(made)
    (folder / "notes-of-release").write_bytes(own.encode())
    said = ""
    for _ in range(times):
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script()],
            cwd=folder,
            env={"PATH": f"{folder}/bin:{os.environ['PATH']}", "TAG": "v1.0"},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        said = done.stdout
    return (folder / "notes-of-release").read_text(), said


@pytest.mark.parametrize("own", ["", "What is new:\n\n- all of it", "What is new:\r\n\r\n- all of it\r\n"])
def test_they_come_behind_what_the_author_wrote(tmp_path: Path, own: str) -> None:
    found, _ = after(tmp_path, own=own)
    assert found == own.replace("\r", "").rstrip("\n") + "\n\n" + NOTES


def test_a_second_run_replaces_the_first_and_adds_nothing(tmp_path: Path) -> None:
    found, _ = after(tmp_path, own=f"New\n\n{BEGIN}\nof an earlier run\n{END}\n\nThanks to all", times=3)
    assert found == f"New\n\n\nThanks to all\n\n{NOTES}"


def test_a_mark_without_its_end_costs_the_author_nothing(tmp_path: Path) -> None:
    found, _ = after(tmp_path, own=f"New\n{BEGIN}\nmine")
    assert found == f"New\n{BEGIN}\nmine\n\n{NOTES}"


def test_notes_that_github_would_not_take_stay_as_they_are(tmp_path: Path) -> None:
    found, said = after(tmp_path, own="x" * 120_000, made=NOTES + "y" * 10_000)
    assert found == "x" * 120_000
    assert said.startswith("::warning::The notes of v1.0 stay as they are")
    assert not (tmp_path / "edited").exists()


def test_the_longest_notes_leave_the_author_as_much_again() -> None:
    assert LONGEST * 2 <= 125_000
