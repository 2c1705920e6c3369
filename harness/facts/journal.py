"""The journal: a run's facts on disk. What judges a run again, or goes on with it, reads it and needs no guest.

    results/<run>/plan.json         when the run starts: what it set out to do
    results/<run>/<row>/facts.json  as each row finishes
    results/<run>/run.json          when it ends

Each file is written under another name and renamed, so that none is ever half there; each has the number of its schema.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from harness.errors import JournalError, JournalWriteError
from harness.facts.kernel import KernelFacts
from harness.facts.run import RunEnd, RunPlan
from harness.host.files import write_atomically

Value = TypeVar("Value")

SCHEMA = 1
PLAN_FILE, FACTS_FILE, END_FILE = "plan.json", "facts.json", "run.json"
MOST_BYTES = 512 * 1024 * 1024
"""The largest file of a journal that is read; those of the flagship suite have a few MB."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A run as its journal has it.

    `facts` are those of the rows that finished, by the row's name; `end` is None for a run that was killed, or that is
    still under way; `started` names the rows whose guest had started.
    """

    folder: Path
    plan: RunPlan
    facts: Mapping[str, KernelFacts]
    end: RunEnd | None
    started: frozenset[str]


_ADAPTERS: dict[Any, TypeAdapter[Any]] = {}
"""What reads a type, made when it is first needed: each takes 10 ms, which no run has to spend."""


def _adapter(kind: Any) -> TypeAdapter[Any]:
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


class Journal:
    """Writes the journal of a run into its folder. Safe to use from several threads, a file each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.begun = False
        """Whether the plan is written."""

    def begin(self, plan: RunPlan) -> None:
        """Write what the run sets out to do; raise JournalWriteError."""
        _write(self._folder / PLAN_FILE, plan)
        self.begun = True

    def keep(self, facts: KernelFacts) -> None:
        """Write the facts of a row that is over; raise JournalWriteError."""
        _write(self._folder / facts.row.name / FACTS_FILE, facts)

    def end(self, end: RunEnd) -> None:
        """Write how the run ended; raise JournalWriteError."""
        _write(self._folder / END_FILE, end)


def read_journal(folder: Path) -> Recorded:
    """Return a run by its journal; raise JournalError where there is none, or where it is not what it should be.

    What is there is validated: types, known enumerations, the number of the schema, the size.
    """
    plan = _read(folder / PLAN_FILE, RunPlan)
    names = [planned.row.name for planned in plan.rows]
    if any(Path(name).name != name for name in names):
        raise JournalError(f"{folder / PLAN_FILE}: the name of a row is that of no folder")
    facts = {name: _read(folder / name / FACTS_FILE, KernelFacts) for name in names if _there(folder, name)}
    for name, known in facts.items():
        if known.row.name != name:
            raise JournalError(f"{folder / name / FACTS_FILE}: these are the facts of {known.row.name}")
    end = _read(folder / END_FILE, RunEnd) if (folder / END_FILE).exists() else None
    started = frozenset(name for name in names if (folder / name).is_dir())
    return Recorded(folder=folder, plan=plan, facts=facts, end=end, started=started)


def _there(folder: Path, name: str) -> bool:
    return (folder / name / FACTS_FILE).exists()


def _write(path: Path, value: RunPlan | KernelFacts | RunEnd) -> None:
    content = to_json(value)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, b'{"schema": %d, "content": %s}\n' % (SCHEMA, content))
    except OSError as error:
        raise JournalWriteError(f"{path} could not be written: {error.strerror or error}") from error


def _read(path: Path, kind: type[Value]) -> Value:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise JournalError(f"{path}: larger than {MOST_BYTES >> 20} MiB, which no run writes")
        document = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise JournalError(f"{path}: there is no such file, so there is no run to read there") from error
    except OSError as error:
        raise JournalError(f"{path} could not be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise JournalError(f"{path}: this is no JSON: {error}") from error
    schema = document.get("schema") if isinstance(document, dict) else None
    if schema != SCHEMA:
        raise JournalError(f"{path}: written with schema {schema!r}, and this bpfmatrix reads {SCHEMA}")
    try:
        found: Value = _adapter(kind).validate_python(document.get("content"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise JournalError(f"{path}: {where}: {first['msg']}") from error
    return found
