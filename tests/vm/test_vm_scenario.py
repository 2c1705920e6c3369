"""A scenario.py runs in guests: what it says is right, refused, wrong or broken is so in its cell."""

from __future__ import annotations

import shutil
import textwrap
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from projects import INPUTS, TemporaryProject

from harness.facts.journal import read_journal
from harness.model.results import CellResult, DifferenceKind, Origin, OutcomeKind, Stage, Verdict
from harness.run.again import judge_again, with_current_rules
from harness.run.matrix import run_matrix
from harness.run.options import Options
from harness.supply.project import Project

pytestmark = pytest.mark.vm

K, V = OutcomeKind, Verdict
OBJECTS = INPUTS / "scenarios"
HEAD = '''"""What the test tries."""

def scenario(guest):
    target = guest.open("target.bpf.c")
    target.load()
'''
HEAD_LINES = HEAD.count("\n")


@dataclass(frozen=True, kw_only=True)
class Tried:
    """A scenario's lines behind the load of its target, its case.yaml, and what must come of it."""

    lines: str
    outcome: OutcomeKind
    verdict: Verdict
    reason: str = ""
    """What must be in its reason."""
    stage: Stage | None = None
    keys: dict[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> str:
        return HEAD + textwrap.indent(textwrap.dedent(self.lines).strip("\n") + "\n", "    ")


def expects(outcome: str, **more: Any) -> dict[str, Any]:
    rule = {"outcome": outcome, "reason": "this test says so", "source": "tests/vm/test_vm_scenario.py", **more}
    return {"title": "t", "expect": [rule]}


TRIED = {
    "all-is-read": Tried(
        outcome=K.WORKS,
        verdict=V.PASS,
        reason="the scenario came to its end, and its 13 expectations hold",
        lines="""
            made = {"length": 64, "mood": "CALM", "who": "target", "bytes": [1, 2]}
            packets = guest.ring_buffer(target, "packets", record="struct packet")
            guest.expect_equal(guest.trigger.run(target, "target"), 3, "it returns what it was given")
            guest.expect_equal(packets.read(count=1), [made], "its record comes")
            guest.expect_equal(packets.read(), [], "no other record comes")
            guest.expect_equal(target.globals["runs"], 1, "it ran once")
            guest.expect_equal(target.globals["last"], made, "a structure is read whole")
            guest.expect_equal(target.globals["last.who"], "target", "and in part")
            target.globals["runs"] = 41
            guest.trigger.run(target, "target", data=100)
            guest.expect_equal(target.globals["runs"], 42, "a variable can be set")
            found = dict(target.map("by_length").items())
            guest.expect_equal(sorted(found), [64, 100], "the map has both lengths")
            guest.expect_equal(found[100]["mood"], "BUSY", "an enumeration's member is a name")
            guest.expect_equal(target.map("by_length").get(7), None, "a key that is not there has no value")
            guest.expect_equal(sum(target.map("per_cpu").get(0)), 2, "each CPU has a value")
            lengths = target.map("by_length")
            lengths.delete(64)
            lengths.put(9, {"length": 5, "who": "me"})
            given = {"length": 5, "mood": 0, "who": "me", "bytes": [0, 0]}
            guest.expect_equal(lengths.get(9), given, "what is put is got, and the rest is zero")
            again = guest.open("target", rodata={"answer": 7})
            again.globals["wanted"] = 50
            again.load()
            guest.expect_equal(guest.trigger.run(again, "target", data=50), 7, "constants are given before the load")
        """,
    ),
    "tracers": Tried(
        outcome=K.WORKS,
        verdict=V.PASS,
        lines="""
            tracer = guest.open("tracer.bpf.c")
            for program in tracer.programs:
                tracer.attach_to(program, target, "target")
            tracer.load()
            entries = guest.perf_buffer(tracer, "entries", record="entry")
            links = [tracer.attach(program) for program in tracer.programs]
            with guest.must_refuse("EBUSY", "EEXIST", "EINVAL", "ENOENT"):
                tracer.attach("before", link="again")
            guest.trigger.run(target, "target")
            guest.expect_equal([each["place"] for each in entries.read(count=2)], [1, 2], "both are seen, in order")
            for link in links:
                link.detach()
            guest.trigger.run(target, "target")
            guest.expect_equal(entries.read(), [], "nothing is seen without them")
        """,
    ),
    "caught": Tried(
        outcome=K.WORKS,
        verdict=V.PASS,
        lines="""
            from harness.guest_api import StepRefused
            tracer = guest.open("tracer.bpf.c")
            try:
                tracer.attach_to("before", target, "target", "no_such_function")
            except StepRefused as refused:
                guest.expect_equal(refused.errno, "ENOENT", "it says which errno")
        """,
    ),
    "refused": Tried(
        outcome=K.REFUSED,
        verdict=V.FAIL,
        stage=Stage.LOAD_TRACER,
        reason="no_such_function",
        lines="""
            tracer = guest.open("tracer.bpf.c")
            tracer.attach_to("before", target, "target", "no_such_function")
            guest.expect(False, "this is not reached")
        """,
    ),
    "refused-as-expected": Tried(
        outcome=K.REFUSED,
        verdict=V.XFAIL,
        stage=Stage.LOAD_TRACER,
        keys=expects("refused", stage="load-tracer", errno="ENOENT", origin="libbpf"),
        lines="""
            tracer = guest.open("tracer.bpf.c")
            tracer.attach_to("before", target, "target", "no_such_function")
        """,
    ),
    "accepted": Tried(
        outcome=K.MISBEHAVES,
        verdict=V.FAIL,
        reason="trigger run must be refused with EPERM, but was accepted",
        lines="""
            with guest.must_refuse("EPERM"):
                guest.trigger.run(target, "target")
        """,
    ),
    "missed": Tried(
        outcome=K.MISBEHAVES,
        verdict=V.FAIL,
        stage=Stage.OBSERVE,
        reason=f"bpf/missed/scenario.py:{HEAD_LINES + 1}: expected it ran: must be 1, but is 0; "
        f"bpf/missed/scenario.py:{HEAD_LINES + 2}: expected it is seen",
        lines="""
            guest.expect_equal(target.globals["runs"], 1, "it ran")
            guest.expect(target.map("by_length").items(), "it is seen")
        """,
    ),
    "missed-as-expected": Tried(
        outcome=K.MISBEHAVES,
        verdict=V.KNOWN_BUG,
        keys=expects("misbehaves", stage="observe", differences=[{"step": "expect it ran", "holds": False}]),
        lines="""
            guest.expect(target.globals["runs"], "it ran")
        """,
    ),
    "broken": Tried(
        outcome=K.LOST,
        verdict=V.ERROR,
        reason=f"bpf/broken/scenario.py:{HEAD_LINES + 2}: KeyError: 'nothing'",
        lines="""
            guest.trigger.run(target, "target")
            {}["nothing"]
        """,
    ),
    "broken-behind-what-it-missed": Tried(
        outcome=K.MISBEHAVES,
        verdict=V.FAIL,
        reason="expected it ran; bpf/broken-behind-what-it-missed/scenario.py:",
        lines="""
            print("what it prints is kept")
            guest.expect(target.globals["runs"], "it ran")
            [][0]
        """,
    ),
    "misspelled": Tried(
        outcome=K.LOST,
        verdict=V.ERROR,
        reason=f'bpf/misspelled/scenario.py:{HEAD_LINES + 1}: target has no program tagret; did you mean "target"? '
        "(there are: target)",
        lines="""
            guest.trigger.run(target, "tagret")
        """,
    ),
    "misfit": Tried(
        outcome=K.LOST,
        verdict=V.ERROR,
        reason=f"bpf/misfit/scenario.py:{HEAD_LINES + 1}: the key of by_length is a number, not 'long'",
        lines="""
            target.map("by_length").get("long")
        """,
    ),
    "gone": Tried(
        outcome=K.LOST,
        verdict=V.ERROR,
        reason="bpf/gone/scenario.py ended its process by itself, before its function was over",
        lines="""
            import os
            os._exit(0)
        """,
    ),
    "forked": Tried(
        outcome=K.WORKS,
        verdict=V.PASS,
        lines="""
            import os
            child = os.fork()
            if child == 0:
                raise ValueError("what a child does is its own affair")
            guest.expect_equal(os.waitpid(child, 0)[1], 0, "the child ends")
        """,
    ),
    "slow": Tried(
        outcome=K.LOST,
        verdict=V.ERROR,
        reason="the case deadline passed inside the guest, in the step wait 9 s",
        keys={"title": "t", "deadline": 3},
        lines="""
            guest.wait(9)
        """,
    ),
    "killing": Tried(
        outcome=K.CRASHED,
        verdict=V.KNOWN_BUG,
        reason="in the step wait 60 s",
        keys={
            **expects("crashed", stage="observe", step="wait 60 s", panic="sysrq"),
            "isolated": True,
            "sysctls": {"kernel.sysrq": 1},
            "deadline": 90,
        },
        lines="""
            import os, time
            guest.expect_equal(target.globals["runs"], 0, "nothing ran before")
            if os.fork() == 0:
                time.sleep(1)
                os.write(os.open("/proc/sysrq-trigger", os.O_WRONLY), b"c")
            guest.wait(60)
        """,
    ),
}


def write(folder: Path, name: str, tried: Tried) -> None:
    case = folder / "bpf" / name
    shutil.copytree(OBJECTS, case)
    (case / "scenario.py").write_text(tried.source)
    if tried.keys:
        (case / "case.yaml").write_text(yaml.safe_dump(tried.keys))


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], CellResult]:
    """Run all of them on two kernels; a cell by case and kernel."""
    folder = tmp_path_factory.mktemp("scenarios")
    project = TemporaryProject(folder / "project", kernels=("5.10-x86_64", "6.12-x86_64"))
    for name, tried in TRIED.items():
        write(project.folder, name, tried)
    finished = run_matrix(Options(project=Project(matrix_file=project.matrix_file), results=folder / "results"))
    assert judge_again(read_journal(finished.folder)).cells == finished.report.cells
    return {(cell.case, cell.kernel): cell for cell in finished.report.cells}


@pytest.mark.parametrize("kernel", ["5.10-x86_64", "6.12-x86_64"])
@pytest.mark.parametrize("name", TRIED)
def test_what_comes_of_it_is_its_cell(name: str, kernel: str, cells: dict[tuple[str, str], CellResult]) -> None:
    tried, cell = TRIED[name], cells[name, kernel]
    outcome = cell.outcome
    assert (outcome.kind, cell.verdict) == (tried.outcome, tried.verdict), (outcome.reason, cell.verdict_reason)
    assert tried.reason in outcome.reason
    assert tried.stage is None or outcome.stage == tried.stage


def test_a_step_that_was_under_way_when_the_guest_died_is_known_though_others_share_the_guest(
    tmp_path: Path,
) -> None:
    project = TemporaryProject(tmp_path / "project", kernels=("6.12-x86_64",))
    keys = {key: value for key, value in TRIED["killing"].keys.items() if key not in ("isolated", "expect")}
    write(project.folder, "killing", replace(TRIED["killing"], keys=keys))
    write(project.folder, "tracers", TRIED["tracers"])
    finished = run_matrix(Options(project=Project(matrix_file=project.matrix_file), results=tmp_path / "results"))
    cells = {cell.case: cell for cell in finished.report.cells}
    assert (cells["killing"].outcome.kind, cells["killing"].outcome.step) == (K.CRASHED, "wait 60 s")
    assert cells["tracers"].verdict == V.PASS, cells["tracers"].verdict_reason


def test_an_expectation_that_does_not_hold_is_shown_with_its_line_and_its_rule_is_known(
    cells: dict[tuple[str, str], CellResult],
) -> None:
    found = cells["missed", "6.12-x86_64"].outcome.differences
    assert [(each.step, each.kind) for each in found] == [
        ("expect it ran", DifferenceKind.EXPECTATION),
        ("expect it is seen", DifferenceKind.EXPECTATION),
    ]


def test_a_refusal_has_its_origin_and_class(cells: dict[tuple[str, str], CellResult]) -> None:
    outcome = cells["refused", "6.12-x86_64"].outcome
    assert (outcome.errno_name, outcome.origin) == ("ENOENT", Origin.LIBBPF)
    assert outcome.refusal


def test_what_it_prints_is_its_output(cells: dict[tuple[str, str], CellResult]) -> None:
    assert cells["broken-behind-what-it-missed", "6.12-x86_64"].outcome.output == "what it prints is kept\n"


def test_records_are_events_of_the_report(cells: dict[tuple[str, str], CellResult]) -> None:
    first = cells["all-is-read", "6.12-x86_64"].outcome.events[0]
    assert {key: first[key] for key in ("kind", "length", "mood", "who")} == {
        **{"kind": "packets", "length": 64, "mood": "CALM", "who": "target"}
    }


def test_a_run_of_it_is_judged_again_and_gone_on_with(tmp_path: Path) -> None:
    project = TemporaryProject(tmp_path / "project", kernels=("6.12-x86_64",))
    write(project.folder, "tracers", TRIED["tracers"])
    options = Options(project=Project(matrix_file=project.matrix_file), results=tmp_path / "results")
    first = run_matrix(options)
    recorded = with_current_rules(read_journal(first.folder), options.project)
    assert judge_again(recorded).cells == first.report.cells
    assert not [notice for notice in judge_again(recorded).run.notices if "have changed" in notice]
    (first.folder / "6.12-x86_64/facts.json").unlink()
    again = run_matrix(replace(options, resume=first.folder))
    assert [(cell.case, cell.verdict) for cell in again.report.cells] == [("tracers", V.PASS)]
