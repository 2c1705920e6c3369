"""A run once more: judged again from its journal, and gone on with. Guests are played (see played_world.py)."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from played_world import KERNELS, World, cells, good, make_world
from unit_samples import sample_case, written_case

from harness.errors import JournalError, UsageError
from harness.facts.journal import END_FILE, FACTS_FILE, read_journal
from harness.facts.kernel import KernelFacts
from harness.model.budgets import Most
from harness.model.results import OutcomeKind, Verdict
from harness.reports.writer import write
from harness.run.again import going_on, judge_again, rules_of, with_current_rules
from harness.run.matrix import run_matrix
from harness.run.options import Options
from harness.scenario.case import Case
from harness.supply.guest_plan import GuestPlan
from harness.supply.unbuilt import yaml_cases

REPORTS = ("report.json", "junit.xml", "report.md", "report.html")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(tmp_path, monkeypatch)


def texts(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in REPORTS}


@pytest.fixture
def supplied(world: World) -> World:
    """What a guest is made of is there to be hashed."""
    (world.folder / "base.cpio").write_bytes(b"base")
    return world


def test_a_run_that_is_judged_again_has_the_same_reports_byte_for_byte(supplied: World) -> None:
    _, folder = supplied.start()
    before = texts(folder)
    for name in REPORTS:
        (folder / name).unlink()
    write(judge_again(read_journal(folder)), directory=folder)
    assert texts(folder) == before


def edited(world: World, change: Callable[[dict[str, Any]], object]) -> None:
    path = world.folder / "bpf/case/case.yaml"
    case = json.loads(path.read_text())
    change(case)
    path.write_text(json.dumps(case))


def expect(outcome: str) -> Callable[[dict[str, Any]], object]:
    rule = {"outcome": outcome, "reason": "r", "source": "s", "stage": "load-tracer"}
    return lambda case: case.update(expect=[rule])


def test_it_is_judged_by_its_own_rules_or_by_those_of_today(supplied: World) -> None:
    _, folder = supplied.start()
    edited(supplied, expect("refused"))
    recorded = read_journal(folder)
    assert cells(judge_again(recorded)) == dict.fromkeys(KERNELS, Verdict.PASS)
    today = judge_again(with_current_rules(recorded, supplied.project))
    assert cells(today) == dict.fromkeys(KERNELS, Verdict.XPASS)
    assert today.run.notices == ("judged by the expectations of today, not by those of the run",)


def test_a_case_whose_steps_have_changed_keeps_its_rules_and_that_is_said(supplied: World) -> None:
    _, folder = supplied.start()
    edited(supplied, expect("refused"))
    edited(supplied, lambda case: case.pop("control"))
    found = judge_again(with_current_rules(read_journal(folder), supplied.project))
    assert cells(found) == dict.fromkeys(KERNELS, Verdict.PASS)
    assert found.run.notices[-1] == (
        "case: its steps have changed since the run, whose rules judge it; run it again: ./run matrix --case case"
    )


def test_which_rules_judge_a_case() -> None:
    case, other = sample_case(id="a"), sample_case(id="b")
    now = replace(case, title="another", expect=(), budget={"peak-states": Most(number=9)})
    assert rules_of([case], {"a": now}) == ([now], [])
    assert rules_of([case, other], {"b": replace(other, cmdline="quiet")})[0] == [case, other]
    _, changed = rules_of([case, other], {"b": replace(other, cmdline="quiet")})
    assert [text.split(" since")[0] for text in changed] == ["a: it is gone", "b: its steps have changed"]


# --- going on ---------------------------------------------------------------------------------------------------------


def resumed(world: World, folder: Path, **options: Any) -> tuple[Any, Path]:
    world.run.clear()
    return world.start(resume=folder, **options)


def killed(folder: Path, *rows: str) -> None:
    """As if the run had been killed while these rows were under way."""
    for name in (END_FILE, *REPORTS):
        (folder / name).unlink()
    for row in rows:
        (folder / row / FACTS_FILE).unlink()


@pytest.mark.parametrize("lost", [(), ("third",), ("second", "third"), KERNELS])
def test_only_what_has_no_answer_runs_again(supplied: World, lost: tuple[str, ...]) -> None:
    whole, first = supplied.start()
    killed(first, *lost)
    report, folder = resumed(supplied, first)
    assert sorted(supplied.run) == sorted(lost)
    assert cells(report) == cells(whole) == dict.fromkeys(KERNELS, Verdict.PASS)
    assert folder != first, "what the earlier run has left stays as it is"
    kept = [name for name in KERNELS if name not in lost]
    assert {kernel.name: kernel.run for kernel in report.kernels} == {
        name: first.name if name in kept else "" for name in KERNELS
    }
    notes = [f"of the run {first.name}, with the same inputs: {', '.join(kept)}"] if kept else []
    assert [note for note in report.run.notices if note.startswith("of the run")] == notes
    assert report.run.complete
    assert judge_again(read_journal(folder)) == report, "it is a run of its own, and can be judged again"


def test_a_run_that_went_on_can_be_gone_on_with(supplied: World) -> None:
    _, first = supplied.start()
    killed(first, "third")
    _, second = resumed(supplied, first)
    killed(second, "second")
    report, _ = resumed(supplied, second)
    assert supplied.run == ["second"]
    assert {kernel.name: kernel.run for kernel in report.kernels} == {
        "first": first.name,
        "second": "",
        "third": second.name,
    }


def object_of(world: World) -> None:
    (world.folder / "base.cpio").write_bytes(b"another base")


def kernel_of(world: World) -> None:
    image = world.folder / "vmlinuz"
    image.write_bytes(image.read_bytes() + b"\0")


def steps_of(world: World) -> None:
    edited(world, lambda case: case.pop("control"))


def rules_alone(world: World) -> None:
    edited(world, expect("refused"))


@pytest.mark.parametrize(
    ("change", "again"), [(object_of, True), (kernel_of, True), (steps_of, True), (rules_alone, False)]
)
def test_a_row_runs_again_where_anything_that_went_into_it_has_changed(
    supplied: World, change: Callable[[World], None], again: bool
) -> None:
    _, first = supplied.start()
    change(supplied)
    report, _ = resumed(supplied, first)
    assert sorted(supplied.run) == (sorted(KERNELS) if again else [])
    if change is rules_alone:
        assert cells(report) == dict.fromkeys(KERNELS, Verdict.XPASS), "it is judged by the rules of today"


def test_a_row_that_could_not_be_run_is_no_answer(supplied: World) -> None:
    def gone(plan: GuestPlan, cases: Sequence[Case]) -> KernelFacts:
        raise OSError(28, "No space left on device")

    supplied.play["second"] = gone
    report, first = supplied.start()
    assert report.cell("second", "case").outcome.kind == OutcomeKind.LOST
    supplied.play["second"] = good
    report, _ = resumed(supplied, first)
    assert supplied.run == ["second"]
    assert cells(report) == dict.fromkeys(KERNELS, Verdict.PASS)


def test_it_has_the_kernels_and_cases_of_the_earlier_run(supplied: World) -> None:
    _, first = supplied.start(kernels=["first", "third"])
    report, _ = resumed(supplied, first)
    assert list(cells(report)) == ["first", "third"]
    with pytest.raises(UsageError, match=r"leave out --kernel, --arch, --case, --libbpf, --clang and --shard"):
        resumed(supplied, first, kernels=["first"])


def test_a_run_of_a_suite_is_gone_on_with_as_one(supplied: World) -> None:
    _, first = supplied.start()
    recorded = read_journal(first)
    assert recorded.plan.suite == ""
    of_tracing = replace(recorded, plan=replace(recorded.plan, suite="tracing"))
    own, tracing = supplied.project, replace(supplied.project, suite="tracing")
    assert going_on(Options(project=own), recorded).project == own
    for project in (own, tracing):
        assert going_on(Options(project=project), of_tracing).project == tracing
    with pytest.raises(UsageError, match="had no suite; leave out --suite"):
        going_on(Options(project=tracing), recorded)


def test_a_run_of_cases_of_its_own_command_says_how_it_goes_on(supplied: World) -> None:
    _, first = supplied.start()
    recorded = read_journal(first)
    own = replace(recorded, plan=replace(recorded.plan, own=True, command="bpfmatrix check a.o"))
    for ask in (
        lambda: going_on(Options(project=supplied.project), own),
        lambda: with_current_rules(own, supplied.project),
    ):
        with pytest.raises(UsageError, match=r"`bpfmatrix check a\.o`\), and .*same command with --resume"):
            ask()
    given = Options(project=supplied.project, own_cases=yaml_cases([written_case()]))
    assert going_on(given, own).own_cases == given.own_cases
    assert judge_again(own).cells == judge_again(recorded).cells


def test_where_there_is_no_run_to_go_on_with(supplied: World, tmp_path: Path) -> None:
    with pytest.raises(JournalError, match=r"plan\.json: there is no such file"):
        run_matrix(Options(project=supplied.project, resume=tmp_path / "nothing"))
    shutil.rmtree(supplied.folder / "results", ignore_errors=True)
