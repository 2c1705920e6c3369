"""What a run of the matrix loads before its guests start, and what a later part of it loads.

All of it is time in which nothing else happens. Each test looks into a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from unit_samples import ROOT

from harness.run.rows import LATER

NOT_BEFORE_GUESTS = {
    "paramiko": "only who connects needs it: harness/guest/connection.py",
    "tenacity": "only who connects needs it",
    "jinja2": "only reports need it, which are written when the guests are gone",
    "junit_xml": "only reports need it",
    "harness.reports.writer": "only reports need it; a run's folder is harness/reports/folder.py",
    "harness.reports.view": "only reports need it",
    "elftools": "only who builds an object needs it: what the object has is kept with it",
    "debian": "only who reads an index needs it; a run takes what matrix.lock names",
    "charset_normalizer": "python-debian loads it",
    "apt_pkg": "python-debian would load it",
    "harness.cli.doctor": "another command",
    "harness.run.changes": "another command",
    "harness.run.watch": "another command",
    "harness.screen.watch": "another command",
    "harness.bench": "another command",
    "harness.mutants": "another command",
    "harness.cli.shell": "another command",
    "harness.config.schema": "another command",
    "harness.agent": "runs in guests",
    "harness.guest_agent": "runs in guests",
    "harness.guest_service": "runs in guests",
    "requests": "nothing needs it",
    "setuptools": "nothing needs it",
    "pytest": "nothing but tests needs it",
}
"""Modules that `invoke matrix` must not load before its guests start, and why."""

PLAN = """
import sys
from pathlib import Path
import invoke.program, tasks
from harness.cli import commands
from harness.supply.project import Project
from harness.run.options import Options
from harness.run import matrix, rows, prepared as preparing
from harness.host.cache import Cache

options = Options(project=Project(matrix_file=Path("matrix.yaml")), cases=["kprobe-fentry-fexit"])
described, plan = preparing.load_plan(options)
"""
"""What a run does before it compiles its cases."""


def loaded(code: str, *arguments: str, modules: dict[str, str] = NOT_BEFORE_GUESTS) -> list[str]:
    """Return those of `modules` that a process has loaded which has run `code`."""
    code += f"\nimport json, sys\nprint(json.dumps([name for name in {list(modules)} if name in sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


def test_a_run_loads_nothing_dear_before_its_guests_start(tmp_path: Path) -> None:
    found = loaded(PLAN, str(tmp_path))
    assert not found, "; ".join(f"{name} was loaded: {NOT_BEFORE_GUESTS[name]}" for name in found)


def test_what_is_named_here_is_there_to_be_loaded() -> None:
    """A name that is misspelt, or that no longer exists, would pass for ever."""
    names = [name for name in NOT_BEFORE_GUESTS if name.startswith("harness.")]
    names += ["paramiko", "tenacity", "jinja2", "junit_xml", "debian", "charset_normalizer"]
    code = "import importlib\n" + "\n".join(f"importlib.import_module({name!r})" for name in names)
    assert set(loaded(f"import debian.deb822\n{code}")) >= set(names)


def test_the_commands_load_only_what_the_called_one_needs() -> None:
    modules = {"harness.run.matrix": "", "pydantic": "", "rich": "", **NOT_BEFORE_GUESTS}
    assert loaded("import invoke.program, tasks\nfrom harness.cli import commands", modules=modules) == []


def test_what_comes_later_has_all_that_connecting_and_reporting_take() -> None:
    """What is not in LATER is loaded where it is used, while a guest waits or after all have ended."""
    code = "\n".join(f"import {name}" for name in ("invoke.program", "harness.run.rows", *LATER))
    used = """
from harness.guest import connection
from harness.supply.image import keys
from harness.reports import writer
before = set(sys.modules)
made = keys.make_keys()
made.client, made.host
try:
    connection.connect(lambda seconds: 1 / 0, keys=made, seconds=1.0, alive=lambda: True)
except ZeroDivisionError:
    pass
print(sorted(name for name in set(sys.modules) - before))
"""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\n{used}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stdout + done.stderr


@pytest.mark.parametrize("flag", [[], ["-B"]])
def test_bytecode_is_kept_unless_the_user_forbids_it(flag: list[str]) -> None:
    """Invoke forbids it to all that it runs."""
    code = "import sys\nsys.dont_write_bytecode = True\nimport tasks\nprint(sys.dont_write_bytecode)"
    done = subprocess.run(
        [sys.executable, *flag, "-c", code], cwd=ROOT, env={}, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == str(bool(flag))
