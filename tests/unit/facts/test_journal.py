"""A run's journal: what is written is read back equal, and nothing else is read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from unit_samples import golden_lines, kernel_facts, record_of

from harness.errors import EXIT_HARNESS, EXIT_USAGE, JournalError, JournalWriteError
from harness.facts import journal as module
from harness.facts.journal import END_FILE, FACTS_FILE, PLAN_FILE, Journal, read_journal
from harness.facts.kernel import BuildFault, Failure, KernelFacts
from harness.facts.records import CaseRecord, Ending, KernelLog
from harness.facts.run import PlannedRow, RunEnd, RunPlan
from harness.model.results import OutcomeKind, Start
from harness.model.rows import Row

FULL = kernel_facts(
    records={
        "a": record_of(golden_lines()),
        "b": CaseRecord(ending=Ending(kind=OutcomeKind.CRASHED, reason="died", step=("b", 3), earlier=("WARNING: x",))),
        "parts": CaseRecord(parts={"one": record_of(golden_lines()), "two": CaseRecord(errors=("why",))}),
    },
    starts={"a": Start.WARM, "b": Start.COLD},
    boot_logs=(KernelLog(lines=("one",), lost=2),),
    environment={"release": "x", "nested": [1, 2**70, {"none": None}]},
    faults={"c": BuildFault(reason="why", log="text\N{REPLACEMENT CHARACTER}")},
    notices=("a notice",),
    problems=("a problem",),
    seconds={"boot": 0.1 + 0.2, "cases": 1e-9},
    boots=2,
)
LOST = KernelFacts(
    row=Row(kernel="k", userland="libbpf-1.4", compiler="clang-19"),
    arch="arm64",
    failure=Failure(kind=OutcomeKind.LOST, reason="the mirror is gone", wrong_input=True),
)
PLAN = RunPlan(
    id="20260131T235959Z",
    started="2026-01-31T23:59:59Z",
    version="0.1",
    command="bpfmatrix matrix",
    host={"cpus": "2"},
    jobs=2,
    accel="auto",
    rows=tuple(PlannedRow(row=each.row, arch=each.arch) for each in (FULL, LOST)),
    faults={"x86_64": FULL.faults},
)
END = RunEnd(seconds=1.1, accel="tcg", accel_reason="why", notices=("one",), interrupted="Ctrl-C")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run that is over."""
    journal = Journal(tmp_path)
    journal.begin(PLAN)
    for facts in (FULL, LOST):
        journal.keep(facts)
    journal.end(END)
    return tmp_path


def test_what_is_written_is_read_back_equal(folder: Path) -> None:
    found = read_journal(folder)
    assert (found.plan, found.end) == (PLAN, END)
    assert found.facts == {"6.1-x86_64": FULL, "k+libbpf-1.4+clang-19": LOST}
    assert found.started == set(found.facts)
    failure = found.facts["k+libbpf-1.4+clang-19"].failure
    assert failure is not None and failure.kind is OutcomeKind.LOST
    assert not [path for path in folder.rglob("*") if path.name.startswith(".")], "nothing else is left there"


def test_each_file_has_the_number_of_its_schema(folder: Path) -> None:
    files = [folder / PLAN_FILE, folder / END_FILE, folder / "6.1-x86_64" / FACTS_FILE]
    assert [json.loads(path.read_text())["schema"] for path in files] == [module.SCHEMA] * 3


def test_a_run_that_was_killed_has_no_end_and_not_all_rows(folder: Path) -> None:
    (folder / END_FILE).unlink()
    (folder / "6.1-x86_64" / FACTS_FILE).unlink()
    found = read_journal(folder)
    assert found.end is None
    assert list(found.facts) == ["k+libbpf-1.4+clang-19"]
    assert "6.1-x86_64" in found.started, "its guest has left its folder"
    (folder / "6.1-x86_64").rmdir()
    assert "6.1-x86_64" not in read_journal(folder).started


def changed(path: Path, **content: Any) -> None:
    document = json.loads(path.read_text())
    document["content"] |= content
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        (PLAN_FILE, {"jobs": "many"}, "jobs: "),
        (PLAN_FILE, {"rows": [{"row": {"kernel": "../up"}, "arch": "x"}]}, "the name of a row is that of no folder"),
        (END_FILE, {"seconds": None}, "seconds: "),
        (f"6.1-x86_64/{FACTS_FILE}", {"row": {"kernel": "other"}}, "these are the facts of other"),
        (f"6.1-x86_64/{FACTS_FILE}", {"starts": {"a": "tepid"}}, "starts.a: "),
        (f"6.1-x86_64/{FACTS_FILE}", {"failure": {"kind": "works", "reason": "x"}}, "failure.kind: "),
    ],
)
def test_what_is_not_what_a_run_writes_is_refused(
    folder: Path, file: str, content: dict[str, Any], complaint: str
) -> None:
    changed(folder / file, **content)
    with pytest.raises(JournalError) as caught:
        read_journal(folder)
    assert complaint in str(caught.value)
    assert str(folder / file) in str(caught.value)
    assert caught.value.exit_code == EXIT_USAGE


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "this is no JSON"),
        (b"\xff\xfe", "this is no JSON"),
        (b"[" * 100_000, "this is no JSON"),
        (b"[]", "written with schema None, and this bpfmatrix reads 1"),
        (b'{"schema": 2, "content": {}}', "written with schema 2"),
        (b'{"schema": 1}', "instance"),
    ],
)
def test_junk_is_refused(folder: Path, data: bytes, complaint: str) -> None:
    (folder / PLAN_FILE).write_bytes(data)
    with pytest.raises(JournalError, match=complaint):
        read_journal(folder)


def test_a_file_that_no_run_writes_is_not_even_read(folder: Path) -> None:
    os.truncate(folder / PLAN_FILE, module.MOST_BYTES + 1)  # a hole: it takes no space
    with pytest.raises(JournalError, match="larger than 512 MiB"):
        read_journal(folder)


def test_where_there_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"plan\.json: there is no such file"):
        read_journal(tmp_path)


def test_what_cannot_be_written_is_the_hosts(tmp_path: Path) -> None:
    (tmp_path / "6.1-x86_64").write_text("a file is in the way")
    with pytest.raises(JournalWriteError) as caught:
        Journal(tmp_path).keep(FULL)
    assert caught.value.exit_code == EXIT_HARNESS
