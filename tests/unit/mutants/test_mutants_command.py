"""Which kernels the cases go to, and what is tried without guests."""

from __future__ import annotations

from typing import Any

import pytest
from unit_samples import ROOT

from harness.config.case_folders import load_cases
from harness.config.matrix import load_matrix
from harness.config.rules import Rule
from harness.config.signature import DifferenceRule
from harness.config.steps import EventPattern, Observation
from harness.errors import UsageError
from harness.facts.records import CaseRecord
from harness.model.results import Verdict
from harness.mutants.command import Wanted, assignments, chosen_records, mutants
from harness.mutants.transcripts import Recorded
from harness.run.options import Options
from harness.scenario.from_yaml import compile_case
from harness.supply.project import Project


def test_cases_go_where_they_work_on_as_few_kernels_as_possible() -> None:
    matrix = load_matrix(ROOT / "matrix.yaml")
    cases = load_cases(ROOT / "matrix.yaml", matrix.cases, only=["kprobe-fentry-fexit", "fsession*", "refuse-tp-btf"])
    kernels = [kernel for kernel in matrix.kernels if kernel.arch == "x86_64" and kernel.name != "experimental-x86_64"]
    versions = {kernel.name: f"{kernel.name.split('-')[0]}.9" for kernel in kernels}
    shares = assignments(cases, kernels, versions)
    (kernel, own), *_ = shares
    assert (kernel.name, own) == ("6.12-x86_64", cases)
    assert [[case.id for case in own] for _, own in shares[1:]] == [["fsession", "fsession-traced"]]


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


def test_without_guests_there_must_be_transcripts() -> None:
    with pytest.raises(UsageError, match="give --transcripts"):
        mutants(Wanted(options=Options(project=Project(matrix_file=ROOT / "matrix.yaml")), guests=False))
