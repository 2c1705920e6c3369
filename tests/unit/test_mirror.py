"""Each module that does something has a test file of its own, which says what it promises."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from unit_samples import ROOT

HARNESS, UNIT = ROOT / "harness", ROOT / "tests/unit"
ELSEWHERE = {
    "agent/btf": "the types of real objects, for their variables: tests/unit/agent/test_agent_openings.py",
    **dict.fromkeys(
        ("agent/pieces", "agent/pieces_attached", "agent/pieces_network"),
        "what a guest is asked for, which its programs must see: tests/vm/test_vm_workload.py",
    ),
    **dict.fromkeys(
        ("cli/tasks_answers", "cli/tasks_project", "cli/tasks_running"),
        "the tasks of one command line: tests/unit/cli/test_tasks.py",
    ),
    "guest_agent": "the entry of the agent alone: tests/unit/agent/test_agent_played.py runs what it loads",
    "cli/program": "the entry of an installed bpfmatrix, which tests/vm/test_vm_package.py installs and calls",
    "cli/shell": "a terminal and a guest that is talked with: tests/vm/test_vm_shell.py",
}
"""Modules without a test file here, and what says in its place what they promise."""


def modules() -> list[str]:
    """Return the names of the modules that do something, such as `qemu/argv`; others only hold tables and types."""
    paths = [path for path in HARNESS.rglob("*.py") if not path.stem.startswith("__")]
    does = [path.relative_to(HARNESS) for path in paths if does_something(ast.parse(path.read_text()))]
    return sorted(path.with_suffix("").as_posix() for path in does)


def does_something(module: ast.Module) -> bool:
    """Say whether a function of a module has more than a docstring and `...`, as one of a protocol has."""
    functions = (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return any(
        not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        for function in functions
        for node in function.body
    )


def files_of(module: str) -> list[Path]:
    """Return the test files of a module: test_MODULE.py in its room's folder, or test_MODULE_WHAT.py for a part.

    Since no two test files can have one name, MODULE may have the name of a folder before it: test_qemu_process.py.
    """
    *folders, name = module.split("/")
    names = [name, *(f"{folder}_{name}" for folder in folders)]
    room = UNIT / folders[0] if folders else UNIT
    places = [*room.rglob("test_*.py")] if folders else [*UNIT.glob("test_*.py"), *UNIT.glob("agent/test_*.py")]
    return [path for path in places if any(f"{path.stem}_".startswith(f"test_{each}_") for each in names)]


def test_each_module_has_a_test_file_here_or_is_known_to_be_tested_elsewhere() -> None:
    assert [module for module in modules() if not files_of(module)] == sorted(ELSEWHERE)


@pytest.mark.parametrize(
    ("code", "does"),
    [
        ("SIZE = 1\nclass Row:\n    size: int", False),
        ("class Source(Protocol):\n    def look(self) -> int:\n        'Look.'\n        ...", False),
        ("class Row:\n    def size(self) -> int:\n        'Its size.'\n        return 1", True),
    ],
)
def test_a_module_of_tables_and_types_needs_none(code: str, does: bool) -> None:
    assert does_something(ast.parse(code)) is does
