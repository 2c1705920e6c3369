"""docs/start.md, followed to the letter in an empty folder: each step says what its text says that it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from projects import ROOT

pytestmark = pytest.mark.vm
START = ROOT / "docs/start.md"
BLOCK = re.compile(r"^```(sh|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VERSION = re.compile(r" \(\d[^)]*\)(?= hello:)")
"""The version of a kernel's package, which changes with the pinned packages and is not in the text."""
FAILS = "1 of 2 attached\n  on_connect: fail"
"""What the one step says that ends with exit code 1."""


def steps() -> Iterator[tuple[str, list[str]]]:
    """Yield each script, with the lines that it must write."""
    script = ""
    for kind, text in BLOCK.findall(START.read_text()):
        if kind == "sh":
            assert not script, "a script without the lines that it writes"
            script = text
        else:
            yield script, text.splitlines()
            script = ""
    assert not script


def test_each_step_does_what_it_says(tmp_path: Path) -> None:
    program = tmp_path / "bin/bpfmatrix"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m harness.cli "$@"\n')
    program.chmod(0o755)
    work = tmp_path / "work"
    work.mkdir()
    done = 0
    for script, lines in steps():
        ran = subprocess.run(
            ["bash", "-euc", script],
            cwd=work,
            env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "COLUMNS": "500"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=550,
            check=False,
        )
        output = VERSION.sub("", ran.stdout)
        assert [line for line in lines if line not in output] == [], ran.stdout
        assert ran.returncode == (1 if FAILS in "\n".join(lines) else 0), ran.stdout
        done += 1
    assert done == 4, "steps 2 to 5"
