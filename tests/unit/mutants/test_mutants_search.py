"""What became of mutants, what is said of survivors, and what the command makes of both."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from unit_samples import ROOT, kernel_facts, sample_case

from harness.config.case import load_cases
from harness.config.matrix import load_matrix
from harness.config.rules import Rule
from harness.config.signature import DifferenceRule
from harness.config.steps import EventPattern, Observation
from harness.errors import ConfigError, QemuError, UsageError
from harness.facts.kernel import KernelFacts
from harness.facts.records import CaseRecord, Ending
from harness.model.results import OutcomeKind, Verdict
from harness.mutants.command import Wanted, assignments, chosen_records, equivalents_of, mutants
from harness.mutants.guests import Trial, as_they_end
from harness.mutants.known import FILE, load_equivalents, stale
from harness.mutants.model import Fate, Judged, Kind, Mutant, fate_of
from harness.mutants.report import Found, as_json, exit_code, headline, markdown
from harness.mutants.search import explained, own_record
from harness.mutants.transcripts import Recorded, read_run, records_of
from harness.scenario.from_yaml import compile_case
from harness.supply.project import Project

CASE = sample_case()


def mutant(name: str = "attach fexit: left out", kind: Kind = Kind.STEPS) -> Mutant:
    return Mutant(case=CASE, kind=kind, name=name)


def judged(fate: Fate, *, name: str = "attach fexit: left out", kind: Kind = Kind.STEPS) -> Judged:
    verdict = {Fate.KILLED: Verdict.FAIL, Fate.NOT_RUN: Verdict.NOT_RUN}.get(fate, Verdict.PASS)
    return Judged(
        mutant=mutant(name, kind), kernel="6.12-x86_64", expected=Verdict.PASS, fate=fate, verdict=verdict, why="so"
    )


def step(op: str, *, ok: bool) -> dict[str, Any]:
    return {"op": op, "ok": ok, "stage": "load-tracer"}


@pytest.mark.parametrize(
    ("kind", "verdict", "record", "fate"),
    [
        (Kind.STEPS, Verdict.FAIL, CaseRecord(steps=(step("load", ok=False),)), Fate.KILLED),
        (Kind.STEPS, Verdict.XPASS, CaseRecord(), Fate.KILLED),
        (Kind.PROGRAMS, Verdict.PASS, CaseRecord(), Fate.SURVIVED),
        (Kind.PROGRAMS, Verdict.XFAIL, CaseRecord(), Fate.SURVIVED),
        (Kind.PROGRAMS, Verdict.KNOWN_BUG, CaseRecord(), Fate.SURVIVED),
        # A program that the verifier does not take was not tried ...
        (Kind.PROGRAMS, Verdict.FAIL, CaseRecord(steps=(step("load", ok=False),)), Fate.VOID),
        # ... unless the case by itself comes no further.
        (
            Kind.PROGRAMS,
            Verdict.FAIL,
            CaseRecord(steps=(*[step("open", ok=True)] * 9, step("load", ok=False))),
            Fate.KILLED,
        ),
        # A guest that died in another step is an answer; one that fell silent is none.
        (Kind.STEPS, Verdict.FAIL, CaseRecord(ending=Ending(kind=OutcomeKind.CRASHED, reason="")), Fate.KILLED),
        (Kind.STEPS, Verdict.ERROR, CaseRecord(ending=Ending(kind=OutcomeKind.LOST, reason="")), Fate.NOT_RUN),
        (Kind.STEPS, Verdict.NOT_RUN, CaseRecord(), Fate.NOT_RUN),
    ],
)
def test_what_became_of_a_mutant(kind: Kind, verdict: Verdict, record: CaseRecord, fate: Fate) -> None:
    assert fate_of(mutant(kind=kind), verdict=verdict, record=record, steps=10) == fate


def entries(folder: Path, text: str) -> tuple[Any, ...]:
    (folder / FILE).write_text(f"equivalent:\n{text}")
    return load_equivalents(folder)


ENTRY = '- {cases: ["*"], mutants: ["attach *: left out"], reason: "nothing could tell"}\n'


def test_a_survivor_that_is_explained_is_equivalent_and_no_other(tmp_path: Path) -> None:
    known = entries(tmp_path, ENTRY)
    found = explained(
        [judged(Fate.SURVIVED), judged(Fate.KILLED), judged(Fate.SURVIVED, name="detach fexit: left out")], known
    )
    assert [each.fate for each in found] == [Fate.EQUIVALENT, Fate.KILLED, Fate.SURVIVED]
    assert found[0].why == "nothing could tell"


def test_what_is_said_of_no_survivor_is_stale_unless_its_case_was_not_tried_there(tmp_path: Path) -> None:
    known = entries(tmp_path, ENTRY)
    assert stale(known, [judged(Fate.EQUIVALENT)]) == []
    assert stale(known, [judged(Fate.KILLED)]) == ["*: attach *: left out"]
    other = entries(tmp_path, ENTRY.replace('"*"', '"another-case"', 1))
    assert stale(other, [judged(Fate.KILLED)]) == []
    elsewhere = entries(tmp_path, ENTRY.replace("mutants:", 'kernels: ["6.1-*"], mutants:'))
    assert stale(elsewhere, [judged(Fate.KILLED)]) == []


def test_each_pattern_of_an_entry_must_mean_a_survivor(tmp_path: Path) -> None:
    known = entries(tmp_path, ENTRY.replace('["attach *: left out"]', '["attach *: left out", "load *"]'))
    assert stale(known, [judged(Fate.EQUIVALENT)]) == ["*: load *"]


@pytest.mark.parametrize("text", ["- {cases: [x], mutants: [y]}\n", "- {case: x, mutants: [y], reason: z}\n", "x: 1\n"])
def test_a_mistake_in_the_file_is_told_with_its_place(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigError, match=FILE):
        entries(tmp_path, text)


def test_the_committed_file_can_be_read() -> None:
    matrix = load_matrix(ROOT / "matrix.yaml")
    cases = load_cases(ROOT / "matrix.yaml", matrix.cases)
    ids = {case.id for case in cases}
    for entry in equivalents_of(cases):
        assert all(name in ids or set(name) & set("*?[") for name in entry.cases), f"{entry.cases}: no such case"


@pytest.mark.parametrize(
    ("fates", "stale_ones", "code"),
    [
        ([Fate.KILLED, Fate.EQUIVALENT, Fate.VOID], (), 0),
        ([Fate.KILLED, Fate.SURVIVED], (), 1),
        ([Fate.KILLED], ("*: load *",), 1),
        ([Fate.SURVIVED, Fate.NOT_RUN], (), 3),
    ],
)
def test_the_exit_code(fates: Sequence[Fate], stale_ones: Sequence[str], code: int) -> None:
    found = Found(judged=[judged(fate) for fate in fates], stale=stale_ones)
    assert exit_code(found) == code == json.loads(as_json(found))["exit_code"]


def test_the_report_counts_mutants_in_guests_and_on_transcripts_apart() -> None:
    found = Found(
        judged=[
            judged(Fate.KILLED),
            judged(Fate.VOID, kind=Kind.PROGRAMS),
            judged(Fate.SURVIVED, kind=Kind.PROGRAMS, name="target.target: emits nothing"),
            judged(Fate.KILLED, kind=Kind.EXPECTATIONS),
        ]
    )
    assert headline(found) == (
        "2 mutants in guests: 1 killed, 1 survived (1 more could not be loaded); 1 mutants on transcripts: 1 killed"
    )
    assert "target.target: emits nothing" in markdown(found)
    assert len(json.loads(as_json(found))["mutants"]) == 4


def test_cases_go_where_they_work_on_as_few_kernels_as_possible() -> None:
    matrix = load_matrix(ROOT / "matrix.yaml")
    cases = load_cases(ROOT / "matrix.yaml", matrix.cases, only=["kprobe-fentry-fexit", "fsession*", "refuse-tp-btf"])
    kernels = [kernel for kernel in matrix.kernels if kernel.arch == "x86_64" and kernel.name != "experimental-x86_64"]
    versions = {kernel.name: f"{kernel.name.split('-')[0]}.9" for kernel in kernels}
    shares = assignments(cases, kernels, versions)
    (kernel, own), *_ = shares
    assert (kernel.name, own) == ("6.12-x86_64", cases)
    assert [[case.id for case in own] for _, own in shares[1:]] == [["fsession", "fsession-traced"]]


def test_trials_share_a_guest_where_the_kernel_survives_and_the_command_line_is_the_same() -> None:
    other = replace(CASE, cmdline="lsm=bpf")
    assert Trial(case=CASE).group == Trial(case=sample_case(id="other")).group
    assert Trial(case=other).group != Trial(case=CASE).group
    assert Trial(case=other, mutant=replace(mutant(), cmdline="")).group == Trial(case=CASE).group
    assert Trial(case=CASE, survives=False).group != Trial(case=CASE).group


class Stuck:
    """Work for two guests, of which one fails and the other would never end by itself."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping

    def groups(self, jobs: int) -> list[list[int]]:
        return [[number] for number in range(jobs)]

    def run_group(self, indexes: Sequence[int]) -> tuple[Sequence[int], KernelFacts]:
        if indexes == [0]:
            raise QemuError("this one does not start")
        assert self._stopping.wait(30), "nobody has stopped the other guest"
        return indexes, kernel_facts()


def test_where_one_guest_fails_the_others_end_at_once() -> None:
    stopping = threading.Event()
    with pytest.raises(QemuError, match="does not start"):
        list(as_they_end(Stuck(stopping), jobs=2, stopping=stopping))
    assert stopping.is_set()


def test_a_record_of_another_id_names_the_step_of_the_case() -> None:
    ending = Ending(kind=OutcomeKind.CRASHED, reason="", step=("case~7", 3))
    assert own_record(CaseRecord(ending=ending), "case") == CaseRecord(ending=replace(ending, step=("case", 3)))


def test_of_a_known_bug_with_differences_one_record_is_chosen() -> None:
    """The differences of a signature hold dictionaries."""
    (written,) = load_cases(ROOT / "matrix.yaml", load_matrix(ROOT / "matrix.yaml").cases, only=["kprobe-fentry-fexit"])
    difference = DifferenceRule(step="observe", client=(EventPattern(kind="kprobe"),))
    rule = Rule(outcome="misbehaves", stage="observe", differences=(difference,), reason="so", source="here")
    changes = {"expect": (rule,), "observe": Observation(client=()), "control": None, "again": None}
    case = compile_case(written.model_copy(update=changes))
    ends = {"client": ["127.0.0.1", 1], "server": ["127.0.0.1", 2]}
    seen = {"kind": "kprobe", "time_ns": 1, "saddr": "127.0.0.1", "sport": 1, "daddr": "127.0.0.1", "dport": 2}
    found: dict[str, dict[str, Any]] = {"trigger": {"ends": ends}, "observe": {"events": 1, "lost": 0}}
    steps = [
        {"stage": one.stage, "op": one.op, "what": one.what, "phase": one.phase, "ok": True, **found.get(one.op, {})}
        for one in case.steps
    ]
    record = CaseRecord(
        steps=tuple(steps),
        events=({"phase": "observe", "ours": True, "event": seen},),
        end={"complete": True, "kernel_log": [], "timed_out": False, "signal": None},
    )
    on = [Recorded(kernel=name, arch="x86_64", version="6.12", records={case.id: record}, cells={}) for name in "ab"]
    assert [(each.on.kernel, each.cell.verdict) for each in chosen_records({"x86_64": {case.id: case}}, on)] == [
        ("a", Verdict.KNOWN_BUG)
    ]


# --- recorded runs -------------------------------------------------------------------------------------------

GOLDEN = (ROOT / "tests/unit/golden/agent-6.1.jsonl").read_bytes().splitlines()


def test_transcripts_of_several_guests_follow_each_other_in_one_file() -> None:
    (case,) = records_of(GOLDEN, "")
    renamed = [line.replace(case.encode(), b"another") for line in GOLDEN]
    assert list(records_of([*GOLDEN, *renamed], "")) == [case, "another"]


def test_a_guest_that_died_has_the_end_that_its_console_tells() -> None:
    (case,) = records_of(GOLDEN, "")
    end = next(index for index, line in enumerate(GOLDEN) if b'"case-end"' in line)
    console = "\n".join(
        [
            "bpfmatrix: greeted",
            f"bpfmatrix: step {case} 0",
            f"bpfmatrix: step {case} 5",
            "Kernel panic - not syncing: in this one",
            "bpfmatrix: greeted",
            "Kernel panic - not syncing: in the next",
        ]
    )
    ending = records_of(GOLDEN[:end], console)[case].ending
    assert ending is not None
    assert (ending.kind, ending.step) == (OutcomeKind.CRASHED, (case, 5))
    assert "in this one" in ending.reason


def test_a_folder_that_is_no_run_is_the_users_mistake(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--transcripts takes the folder of a run"):
        read_run(tmp_path)


def test_without_guests_there_must_be_transcripts() -> None:
    with pytest.raises(UsageError, match="give --transcripts"):
        mutants(Wanted(project=Project(matrix_file=ROOT / "matrix.yaml"), guests=False))
