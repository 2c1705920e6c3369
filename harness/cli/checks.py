"""What developers run: the linters, and the tests beside them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.host import process

LINTERS = ("ruff check .", "ruff format --check .", "mypy")
"""What `lint` runs, in the folder of the project (.pre-commit-config.yaml has them, too)."""
UNIT_TESTS = "tests/unit"
NIGHTLY = "nightly"
"""The marker of the tests that are left to the nightly workflow, and hypothesis' profile there (tests/conftest.py)."""
NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
BYTECODE = ".pytest_cache/bytecode"
"""Where the tests' bytecode is kept, in the folder of the project, if it may not be beside the sources."""


def linter_argv(linter: str) -> list[str]:
    """Return the command of one of LINTERS, as it is installed beside this Python."""
    name, *arguments = linter.split()
    return [str(Path(sys.executable).parent / name), *arguments]


def complaints(root: Path) -> list[str]:
    """Run all linters and return what each has found that has found something, with its name."""
    found = []
    for linter in LINTERS:
        done = process.run(linter_argv(linter), cwd=root)
        if done.returncode != 0:
            found.append(f"{linter}:\n{done.stdout}{done.stderr}".rstrip())
    return found


def lint(*, root: Path) -> int:
    """Run all linters and return the exit code: 1 where one has found something."""
    codes = [subprocess.run(linter_argv(linter), cwd=root, check=False).returncode for linter in LINTERS]
    return 1 if any(codes) else 0


def pytest_arguments(*, vm: bool, nightly: bool, only: str, cores: int) -> list[str]:
    """Return the arguments of pytest: a process for each core, but a few tests are over before the processes are there.

    A module's tests with guests share what is expensive, such as a run of the matrix, and stay in one process. These
    come first, one after the other (tests/conftest.py).
    """
    spread = ["--dist", "loadfile", "--no-loadscope-reorder"] if vm else ["--dist", "worksteal"]
    marks = ([] if vm else ["not vm"]) + ([] if nightly else [f"not {NIGHTLY}"])
    return [
        *([] if vm else [UNIT_TESTS]),
        "-q",
        "--durations=10",
        *(["-m", " and ".join(marks)] if marks else []),
        *(["--hypothesis-profile", NIGHTLY] if nightly else []),
        *(["-k", only] if only else []),
        *(["-n", str(cores), *spread] if cores > 1 and not only else []),
    ]


def pytest_environment(environment: Mapping[str, str], *, root: Path) -> dict[str, str]:
    """Return the environment of pytest: who forbids bytecode beside the sources has it in a folder of its own.

    Without any, each of pytest's processes, and each command that a test starts, compiles all that it imports.
    """
    kept = {key: value for key, value in environment.items() if key != NO_BYTECODE}
    if environment.get(NO_BYTECODE):
        kept.setdefault("PYTHONPYCACHEPREFIX", str(root / BYTECODE))
    return kept


def test(*, root: Path, vm: bool, nightly: bool, only: str) -> int:
    """Run the tests, and the linters beside them; return the exit code: pytest's, or 1 where a linter complains."""
    arguments = pytest_arguments(vm=vm, nightly=nightly, only=only, cores=len(os.sched_getaffinity(0)))
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="lint") as beside:
        linted = beside.submit(complaints, root)
        argv, env = [sys.executable, "-m", "pytest", *arguments], pytest_environment(os.environ, root=root)
        code = subprocess.run(argv, cwd=root, env=env, check=False).returncode
        found = linted.result()
    for complaint in found:
        print(complaint)
    return code or (1 if found else 0)
