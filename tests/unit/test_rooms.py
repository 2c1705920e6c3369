"""Which room of the house may use which: those below it, never those above."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from unit_samples import ROOT

HARNESS = ROOT / "harness"
FLOORS = (
    ("errors",),
    ("model",),
    ("host",),
    ("config",),
    ("scenario",),
    ("facts",),
    ("forecast", "judge", "qemu"),
    ("supply", "answers"),
    ("guest", "reports"),
    ("screen",),
    ("run",),
    ("bench", "mutants"),
    ("cli",),
    ("site",),
)
"""The rooms from the ground up (docs/architecture.md). A room uses what is on the floors below, and itself."""
FLOOR_OF = {room: number for number, floor in enumerate(FLOORS) for room in floor}
IN_GUEST = {"guest_agent", "guest_api", "guest_service", "agent"}
"""What runs in guests: it has nothing of the harness."""


def imported(path: Path) -> set[str]:
    """The modules of the harness that a file imports, wherever in it: `harness.` and the rest."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
    return {name for name in found if name.startswith("harness.")}


def room_of(module: str) -> str:
    return module.split(".")[1]


def uses(path: Path) -> set[str]:
    return {room for name in imported(path) if (room := room_of(name)) in FLOOR_OF or room in IN_GUEST}


SOURCES = sorted(HARNESS.rglob("*.py"))


@pytest.mark.parametrize("path", SOURCES, ids=[str(path.relative_to(HARNESS)) for path in SOURCES])
def test_a_room_uses_only_those_below_it(path: Path) -> None:
    own = path.relative_to(HARNESS).parts[0].removesuffix(".py")
    if own == "__init__":
        assert uses(path) == set()
    elif own in IN_GUEST:
        assert uses(path) - IN_GUEST == set()
    else:
        wrong = {room for room in uses(path) - {own} if room in IN_GUEST or FLOOR_OF[room] >= FLOOR_OF[own]}
        assert not wrong, f"{own} is not above {', '.join(sorted(wrong))}"


def test_every_room_is_on_a_floor() -> None:
    rooms = {path.relative_to(HARNESS).parts[0].removesuffix(".py") for path in SOURCES} - {"__init__"}
    assert rooms == set(FLOOR_OF) | (IN_GUEST & rooms)


@pytest.mark.parametrize("room", ["judge", "answers", "reports"])
def test_who_judges_and_reports_sees_no_guest(room: str) -> None:
    """So a finished run can be judged again, and reports can be made of it, on any machine."""
    used = set().union(*(uses(path) for path in (HARNESS / room).rglob("*.py")))
    assert not used & {"guest", "qemu", "supply", "run", *IN_GUEST}


@pytest.mark.parametrize("room", ["judge", "guest", "facts", "reports", "qemu"])
def test_who_judges_reports_and_runs_guests_knows_no_yaml(room: str) -> None:
    """A case is a value there (harness/scenario/case.py), in whatever form it was written."""
    found = set().union(*(imported(path) for path in (HARNESS / room).rglob("*.py")))
    assert not [name for name in found if name.startswith(("harness.config", "harness.scenario.from_yaml"))]


READS_FILES = ("harness.errors", "harness.host.paths", "harness.config.reading")


def test_what_reads_and_explains_yaml_knows_nothing_of_what_it_reads() -> None:
    found = set().union(*(imported(path) for path in (HARNESS / "config/reading").glob("*.py")))
    assert not [name for name in found if not name.startswith(READS_FILES)]


OURS = re.compile(r"kernel|\bcases?\b|bpf|errno|guest|\barch|release|matrix\.yaml|expect\b", re.IGNORECASE)


@pytest.mark.parametrize("path", sorted((HARNESS / "config/reading").glob("*.py")), ids=lambda path: path.name)
def test_what_reads_and_explains_yaml_has_no_word_of_ours(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert not [f"{number}: {line}" for number, line in enumerate(lines, start=1) if OURS.search(line)]


def test_a_room_that_is_above_is_found(tmp_path: Path) -> None:
    made = tmp_path / "one.py"
    made.write_text("def f():\n    from harness.guest import boot\n    import harness.qemu.argv\n")
    assert uses(made) == {"guest", "qemu"}
