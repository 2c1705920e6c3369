"""Which line of the repository a failure is about."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from answers_samples import EXPECTED, REFUSED, cell, report

from harness.answers.explain import explain
from harness.cli.spots import Spots, rule_line, source_line
from harness.config.reading.yaml_source import load
from harness.model.results import Outcome, OutcomeKind, Report, Stage
from harness.reports.github import Spot
from harness.supply.project import Project

MATRIX = "cases: [bpf/*]\nkernels:\n  - {name: k, arch: x86_64, source: path, image: vmlinuz}\n"
CASE = """\
title: one
expect:
  - use: shared-rule
  - outcome: works
    reason: >-
      it
      should
"""
SHARED = "shared-rule:\n  - outcome: refused\n    reason: old kernels refuse it\n"
UNBUILT = Outcome(
    kind=OutcomeKind.REFUSED,
    stage=Stage.BUILD,
    reason="it does not compile",
    log="In file included from x.h:1:\none.bpf.c:12:3: error: undeclared identifier 'x'\none.bpf.c:14:1: error: y",
)
VERIFIED = replace(
    REFUSED, log="; first @ one.bpf.c:3\n0: (b7) r0 = 0\n; second @ one.bpf.c:4\n1: (95) exit\nR1 invalid\n"
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    folder = tmp_path / "bpf/one"
    folder.mkdir(parents=True)
    (tmp_path / "matrix.yaml").write_text(MATRIX)
    (folder / "case.yaml").write_text(CASE)
    (folder / "one.bpf.c").write_text("int x;\n")
    (tmp_path / "bpf/expectations.yaml").write_text(SHARED)
    monkeypatch.chdir(tmp_path)
    return Project(matrix_file=tmp_path / "matrix.yaml")


def spot_of(of: Report, project: Project, *, top: Path | None = None) -> Spot | None:
    (cause,) = explain(of, program="bpfmatrix").causes
    return Spots(of, project=project, top=top or project.folder).of(cause)


def failing(**more: object) -> Report:
    return report({"k": {"one": cell("k", "one", "fail", **more)}})


def test_a_failure_is_about_the_rule_that_says_otherwise(project: Project) -> None:
    assert spot_of(failing(), project) == Spot(file="bpf/one/case.yaml", line=4)


def test_or_about_a_rule_that_cases_share(project: Project) -> None:
    rule = replace(EXPECTED, reason="old kernels refuse it")
    assert spot_of(failing(expectation=rule), project) == Spot(file="bpf/expectations.yaml", line=2)


def test_else_about_the_case(project: Project) -> None:
    assert spot_of(failing(expectation=replace(EXPECTED, reason="")), project) == Spot(file="bpf/one/case.yaml", line=1)


def test_a_source_that_does_not_compile_is_at_fault_itself(project: Project) -> None:
    assert spot_of(failing(outcome=UNBUILT), project) == Spot(file="bpf/one/one.bpf.c", line=12)


def test_a_verifier_says_which_line_it_was_at(project: Project) -> None:
    assert spot_of(failing(outcome=VERIFIED), project) == Spot(file="bpf/one/one.bpf.c", line=4)
    assert source_line(replace(REFUSED, log="no line")) is None


def test_paths_are_from_the_top_of_the_repository(project: Project) -> None:
    found = spot_of(failing(), project, top=project.folder.parent)
    assert found == Spot(file=f"{project.folder.name}/bpf/one/case.yaml", line=4)


def test_what_lies_elsewhere_has_no_place(project: Project, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    assert spot_of(failing(), project, top=tmp_path / "other") is None


def test_a_case_that_is_gone_has_no_place(project: Project) -> None:
    assert spot_of(report({"k": {"gone": "fail"}}), project) is None


def test_what_check_was_given_is_the_place(project: Project) -> None:
    (project.folder / "src").mkdir()
    (project.folder / "src/my_tool.bpf.c").write_text("")
    for given in ("src", "src/my_tool.bpf.c"):
        of = report({"k": {"my-tool": "fail"}}, command=f"bpfmatrix check {given} --kernel k")
        assert spot_of(of, project) == Spot(file="src/my_tool.bpf.c", line=0)
        at_line = report(
            {"k": {"my-tool": cell("k", "my-tool", "fail", outcome=replace(VERIFIED, log="; x @ my_tool.bpf.c:9"))}},
            command=f"bpfmatrix check {given}",
        )
        assert spot_of(at_line, project) == Spot(file="src/my_tool.bpf.c", line=9)


def test_without_a_matrix_nothing_is_found(tmp_path: Path) -> None:
    assert spot_of(failing(), Project(matrix_file=tmp_path / "none.yaml"), top=tmp_path) is None


def test_a_rule_is_found_in_any_list_of_a_file(project: Project) -> None:
    data, positions = load(project.folder / "bpf/expectations.yaml")
    assert rule_line(data, positions, replace(EXPECTED, reason="old  kernels\nrefuse it")) == 2
    assert rule_line(data, positions, replace(EXPECTED, reason="another")) == 0
    assert rule_line(data, positions, replace(EXPECTED, reason="")) == 0


def test_a_file_that_cannot_be_read_does_no_harm(project: Project) -> None:
    (project.folder / "bpf/one/case.yaml").write_text("{")
    assert spot_of(failing(), project) == Spot(file="bpf/one/case.yaml", line=1)
