"""Foreign architectures for real: a refusal and a success on arm64, and a big-endian guest end to end."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.model.results import OutcomeKind, Stage, Verdict
from harness.reports.grid import exit_code
from harness.run.matrix import run_matrix
from harness.run.options import Options
from harness.supply.project import Project

MATRIX = Path(__file__).resolve().parent.parent.parent / "matrix.yaml"

pytestmark = pytest.mark.vm


def test_arm64_before_trampolines_loads_the_tracer_and_refuses_to_attach_it(tmp_path: Path) -> None:
    options = Options(
        project=Project(matrix_file=MATRIX),
        kernels=["5.10-arm64", "6.1-arm64"],
        cases=["kprobe-fentry-fexit", "kprobe-seed-literal"],
        results=tmp_path,
    )
    report = run_matrix(options).report

    refused = report.cell("5.10-arm64", "kprobe-fentry-fexit")
    assert refused.outcome.kind == OutcomeKind.REFUSED
    assert (refused.outcome.stage, refused.outcome.errno) == (Stage.ATTACH_TRACER, 524)
    assert refused.outcome.errno_name == "ENOTSUPP"
    assert refused.verdict == Verdict.XFAIL

    works = report.cell("6.1-arm64", "kprobe-fentry-fexit")
    assert works.outcome.kind == OutcomeKind.WORKS
    kinds = [event["kind"] for event in works.outcome.events if event["phase"] == "observe"]
    assert kinds == ["fentry", "kprobe", "fexit", "kprobe"]

    literal = report.cell("6.1-arm64", "kprobe-seed-literal")
    assert (literal.outcome.stage, literal.outcome.errno_name) == (Stage.LOAD_TRACER, "EACCES")
    assert "invalid mem access 'scalar'" in literal.outcome.log
    assert exit_code(report) == 0


def test_a_big_endian_guest_is_right_end_to_end(tmp_path: Path) -> None:
    options = Options(
        project=Project(matrix_file=MATRIX),
        kernels=["6.12-s390x"],
        cases=["kprobe-direct", "kprobe-fentry-fexit"],
        results=tmp_path,
    )
    report = run_matrix(options).report

    (kernel,) = report.kernels
    assert kernel.environment["byte_order"] == "big"
    direct = report.cell("6.12-s390x", "kprobe-direct")
    assert direct.outcome.kind == OutcomeKind.WORKS
    client, listener = direct.outcome.events
    assert (client["saddr"], client["daddr"]) == ("127.0.0.1", "127.0.0.1")
    assert client["dport"] == listener["sport"]
    assert listener["dport"] == 0

    interpreted = report.cell("6.12-s390x", "kprobe-fentry-fexit")
    assert interpreted.outcome.kind == OutcomeKind.REFUSED
    assert "Can attach to only JITed progs" in interpreted.outcome.log
    assert interpreted.verdict == Verdict.XFAIL
