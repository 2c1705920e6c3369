"""Red is proven as well as green: kernels that refuse, misbehave and die, and expectations that do not hold."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from projects import ROOT, Done, TemporaryProject
from projects import run as run_command

from harness.model.results import CellResult, OutcomeKind, Report, Stage, Verdict
from harness.reports.grid import exit_code
from harness.reports.json_report import parse
from harness.run.matrix import run_matrix
from harness.run.options import Options
from harness.supply.project import Project

pytestmark = pytest.mark.vm

OLDEST, NEWEST = "5.10-x86_64", "7.3-x86_64"
both = pytest.mark.parametrize("kernel", [OLDEST, NEWEST])

Change = Callable[[dict[str, Any]], object]

READS_A_BARE_POINTER = {
    "target.bpf.c": (
        "\temit_connection(ctx, &events",
        "\tif (*(volatile int *)PT_REGS_PARM1(ctx))\n\t\treturn 1;\n\temit_connection(ctx, &events",
    )
}
"""What a verifier must not let pass: a register of the traced function, followed without a helper."""


def expecting(outcome: str, **more: Any) -> Change:
    """Return a change of case.yaml: the case expects this everywhere, whatever it did before."""
    if outcome != "works":
        more.setdefault("source", "tests/vm/test_vm_red.py")
    return lambda case: case.update(expect=[{"outcome": outcome, "reason": "this test says so", **more}])


def changes(*each: Change) -> Change:
    def change(case: dict[str, Any]) -> None:
        for one in each:
            one(case)

    return change


def sysctls(**values: int) -> Change:
    return lambda case: case.update(sysctls={name.replace("__", "."): value for name, value in values.items()})


def no_such_function(case: dict[str, Any]) -> None:
    case["tracer"]["attach"][1]["function"] = "no_such_function"
    case["missing"] = ["target.k_tcp_connect:no_such_function"]


def another_retval(case: dict[str, Any]) -> None:
    case["observe"]["client"][2]["retval"] = 7


ANOTHER_RETVAL = {
    "step": "observe",
    "client": [{"kind": "fentry"}, {"kind": "kprobe"}, {"kind": "fexit", "retval": 0}],
}


def an_event_that_cannot_come(case: dict[str, Any]) -> None:
    case["observe"]["client"].append({"kind": "fexit"})


def a_tracer_after_its_detachment(case: dict[str, Any]) -> None:
    case["control"]["client"].insert(0, {"kind": "fentry"})


# --- all comes as it is expected: the exit code is 0 ----------------------------------------------------------


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Done, Report, Path]:
    """A run from the command line in which most is refused, each as its case says."""
    project = TemporaryProject(tmp_path_factory.mktemp("expected") / "project", kernels=[OLDEST, NEWEST])
    project.case(
        "jit-off",
        changes(
            sysctls(net__core__bpf_jit_enable=0),
            expecting("refused", stage="load-tracer", errno="EINVAL", message="Can attach to only JITed progs"),
        ),
    )
    project.case(
        "known-bug", changes(another_retval, expecting("misbehaves", stage="observe", differences=[ANOTHER_RETVAL]))
    )
    project.case(
        "no-such-function",
        changes(no_such_function, expecting("refused", stage="load-tracer", errno="ENOENT", origin="libbpf")),
    )
    project.case(
        "refused-sysctl",
        changes(
            sysctls(net__core__bpf_jit_enable=3),
            expecting("not-applicable", sysctl="net.core.bpf_jit_enable", errno="EINVAL"),
        ),
    )
    project.case(
        "rejected-target",
        expecting("refused", stage="load-target", errno=["EACCES", "EINVAL"], message="invalid mem access"),
        replace=READS_A_BARE_POINTER,
    )
    project.case("works")
    done = run_command("matrix", "--matrix-file", project.matrix_file, "--jobs", "2")
    folder = project.folder / "results/latest"
    return done, parse((folder / "report.json").read_text()), folder


def test_a_run_of_right_refusals_ends_with_0(expected: tuple[Done, Report, Path]) -> None:
    done, report, _ = expected
    assert done.code == 0, done.output
    assert (report.run.exit_code, report.run.complete) == (0, True)
    assert len(report.cells) == 12
    assert [kernel.boots for kernel in report.kernels] == [1, 1]


@both
def test_a_tracer_of_a_function_that_is_not_there_is_refused(expected: tuple[Done, Report, Path], kernel: str) -> None:
    cell = expected[1].cell(kernel, "no-such-function")
    assert (cell.outcome.kind, cell.verdict) == (OutcomeKind.REFUSED, Verdict.XFAIL)
    assert (cell.outcome.stage, cell.outcome.errno, cell.outcome.errno_name) == (Stage.LOAD_TRACER, 2, "ENOENT")
    assert "no_such_function" in cell.outcome.reason
    assert not cell.outcome.events


@both
def test_without_the_jit_a_tracer_is_refused(expected: tuple[Done, Report, Path], kernel: str) -> None:
    cell = expected[1].cell(kernel, "jit-off")
    assert (cell.outcome.kind, cell.verdict) == (OutcomeKind.REFUSED, Verdict.XFAIL)
    assert (cell.outcome.stage, cell.outcome.errno_name) == (Stage.LOAD_TRACER, "EINVAL")
    assert "Can attach to only JITed progs" in cell.outcome.log.splitlines()


@both
def test_a_sysctl_holds_for_its_own_case_only(expected: tuple[Done, Report, Path], kernel: str) -> None:
    """`works` comes after `jit-off` in the same guest."""
    assert expected[1].cell(kernel, "works").verdict == Verdict.PASS


@both
def test_where_the_kernel_refuses_a_sysctl_as_the_case_says_the_case_does_not_apply(
    expected: tuple[Done, Report, Path], kernel: str
) -> None:
    """No kernel of the matrix refuses 0 (CONFIG_BPF_JIT_ALWAYS_ON); 3 is refused by all of them in the same way."""
    cell = expected[1].cell(kernel, "refused-sysctl")
    assert (cell.outcome.kind, cell.verdict) == (OutcomeKind.NOT_APPLICABLE, Verdict.NOT_APPLICABLE)
    assert "net.core.bpf_jit_enable could not be set to 3" in cell.outcome.reason
    assert "refuses it (EINVAL)" in cell.outcome.reason


@both
def test_a_target_that_the_verifier_rejects_is_refused_in_its_words(
    expected: tuple[Done, Report, Path], kernel: str
) -> None:
    cell = expected[1].cell(kernel, "rejected-target")
    assert (cell.outcome.kind, cell.verdict) == (OutcomeKind.REFUSED, Verdict.XFAIL)
    assert (cell.outcome.stage, cell.outcome.errno_name) == (Stage.LOAD_TARGET, "EACCES")
    # 5.10 calls the type "inv", 7.3 "scalar".
    assert re.search(r"^R\d invalid mem access '(inv|scalar)'$", cell.outcome.log, re.MULTILINE), cell.outcome.log


@both
def test_a_known_bug_is_told_as_one(expected: tuple[Done, Report, Path], kernel: str) -> None:
    cell = expected[1].cell(kernel, "known-bug")
    assert (cell.outcome.kind, cell.verdict) == (OutcomeKind.MISBEHAVES, Verdict.KNOWN_BUG)


@both
def test_junit_skips_what_was_refused_as_expected(expected: tuple[Done, Report, Path], kernel: str) -> None:
    suites = ET.parse(expected[2] / "junit.xml").getroot()
    cases = next(suite for suite in suites if suite.get("name") == kernel).findall("testcase")
    found = {case.get("name"): [child.tag for child in case if not child.tag.startswith("system-")] for case in cases}
    skipped = ("jit-off", "known-bug", "no-such-function", "refused-sysctl", "rejected-target")
    assert found == {"works": [], "(kernel)": [], **{name: ["skipped"] for name in skipped}}
    text = (expected[2] / "junit.xml").read_text()
    assert "Can attach to only JITed progs" in text


# --- all comes otherwise than expected: the exit code is 1 ----------------------------------------------------

UNEXPECTED = {
    "another-errno": Verdict.FAIL,
    "another-retval": Verdict.FAIL,
    "another-stage": Verdict.FAIL,
    "impossible-event": Verdict.FAIL,
    "kills-the-kernel": Verdict.FAIL,
    "mistyped-sysctl": Verdict.FAIL,
    "other-words": Verdict.FAIL,
    "refused": Verdict.FAIL,
    "refused-sysctl": Verdict.FAIL,
    "seen-in-control": Verdict.FAIL,
    "works": Verdict.XPASS,
}


@pytest.fixture(scope="module")
def unexpected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Report, Path]:
    """A run in which nothing is as its case says, one case kills its kernel, and all of it is real."""
    project = TemporaryProject(tmp_path_factory.mktemp("unexpected") / "project")
    refused = {"stage": "load-tracer", "errno": "ENOENT", "origin": "libbpf"}
    project.case("another-errno", changes(no_such_function, expecting("refused", **{**refused, "errno": "EPERM"})))
    project.case("another-retval", another_retval)
    project.case("another-stage", changes(no_such_function, expecting("refused", **{**refused, "stage": "observe"})))
    project.case("impossible-event", an_event_that_cannot_come)
    # What its last step does to 6.1 is a known bug; here the case says that it works.
    project.case("kills-the-kernel", lambda case: case.pop("expect"), base=ROOT / "bpf/freplace-loop")
    project.case("mistyped-sysctl", sysctls(net__core__bpf_jit_enabled=1))
    project.case("other-words", changes(no_such_function, expecting("refused", **refused, message="no such words")))
    project.case("refused", no_such_function)
    project.case("refused-sysctl", sysctls(net__core__bpf_jit_enable=3))
    project.case("seen-in-control", a_tracer_after_its_detachment)
    project.case("works", expecting("refused", **refused))
    finished = run_matrix(Options(project=Project(matrix_file=project.matrix_file)))
    return finished.report, finished.folder


def the_cell(report: Report, case: str) -> CellResult:
    return report.cell(report.kernels[0].name, case)


@pytest.mark.parametrize("case", UNEXPECTED)
def test_each_unexpected_cell_alone_makes_the_exit_code_1(unexpected: tuple[Report, Path], case: str) -> None:
    report, _ = unexpected
    cell = the_cell(report, case)
    assert cell.verdict == UNEXPECTED[case], cell
    alone = replace(report, cases=((case, cell.title),), cells=(cell,))
    assert exit_code(alone) == 1


def test_the_run_ends_with_1_and_every_cell_is_there(unexpected: tuple[Report, Path]) -> None:
    report, folder = unexpected
    assert report.run.exit_code == 1
    assert [cell.case for cell in report.cells] == sorted(UNEXPECTED)
    written = json.loads((folder / "report.json").read_text())
    assert (written["run"]["exit_code"], len(written["cells"])) == (1, len(UNEXPECTED))
    suites = ET.parse(folder / "junit.xml").getroot()
    assert len(suites.findall("testsuite/testcase/failure")) == len(UNEXPECTED)


def test_a_refusal_must_be_the_one_that_was_expected(unexpected: tuple[Report, Path]) -> None:
    report, _ = unexpected
    reasons = {
        case: the_cell(report, case).verdict_reason for case in ("another-stage", "another-errno", "other-words")
    }
    assert "at stage load-tracer, expected observe" in reasons["another-stage"]
    assert "with ENOENT, expected EPERM" in reasons["another-errno"]
    assert "nothing in its log matches /no such words/" in reasons["other-words"]


def test_a_refusal_that_nobody_expected_fails(unexpected: tuple[Report, Path]) -> None:
    cell = the_cell(unexpected[0], "refused")
    assert (cell.outcome.kind, cell.outcome.stage) == (OutcomeKind.REFUSED, Stage.LOAD_TRACER)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        (
            "mistyped-sysctl",
            "bpf_jit_enabled could not be set to 1, which the case needs: this kernel has no such sysctl",
        ),
        (
            "refused-sysctl",
            "bpf_jit_enable could not be set to 3, which the case needs: this kernel refuses it (EINVAL)",
        ),
    ],
)
def test_a_sysctl_that_cannot_be_set_fails_where_nobody_expected_it(
    unexpected: tuple[Report, Path], case: str, reason: str
) -> None:
    cell = the_cell(unexpected[0], case)
    assert cell.outcome.kind == OutcomeKind.NOT_APPLICABLE
    assert reason in cell.verdict_reason


def test_what_was_not_seen_is_misbehaviour(unexpected: tuple[Report, Path]) -> None:
    cell = the_cell(unexpected[0], "impossible-event")
    assert cell.outcome.kind == OutcomeKind.MISBEHAVES
    assert "fentry, kprobe, fexit x 2 must be seen, but fentry, kprobe, fexit came" in cell.outcome.reason


def test_another_retval_is_misbehaviour(unexpected: tuple[Report, Path]) -> None:
    cell = the_cell(unexpected[0], "another-retval")
    assert cell.outcome.kind == OutcomeKind.MISBEHAVES
    assert "must carry retval 7, but carries 0" in cell.outcome.reason


def test_the_negative_control_counts(unexpected: tuple[Report, Path]) -> None:
    cell = the_cell(unexpected[0], "seen-in-control")
    assert cell.outcome.kind == OutcomeKind.MISBEHAVES
    assert "with the tracers detached, on the client side fentry, callee must be seen, but callee came" in (
        cell.outcome.reason
    )


def test_a_case_that_kills_its_kernel_costs_a_boot_and_no_other_case(unexpected: tuple[Report, Path]) -> None:
    report, folder = unexpected
    kernel = report.kernels[0]
    cell = the_cell(report, "kills-the-kernel")
    assert cell.outcome.kind == OutcomeKind.CRASHED
    assert "BUG: TASK stack guard page was hit" in cell.outcome.reason
    assert cell.outcome.step == "trigger run #4"
    assert cell.outcome.console_tail
    assert kernel.boots == 2
    others = [each for each in report.cells if each.case != "kills-the-kernel"]
    assert OutcomeKind.LOST not in {each.outcome.kind for each in others}
    assert OutcomeKind.NOT_RUN not in {each.outcome.kind for each in others}
    console = (folder / kernel.name / "console.log").read_text()
    assert "BUG: TASK stack guard page was hit" in console
    crashed = next(case for case in ET.parse(folder / "junit.xml").iter("testcase") if case.get("name") == cell.case)
    assert cell.outcome.console_tail[-1] in (crashed.findtext("system-err") or "")
