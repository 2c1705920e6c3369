"""Runs whose rows have a userland and a compiler beside their kernels."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from played_world import BROKEN, World, cells, crashed, make_world, written
from unit_samples import compiled

from harness.config.axes import ClangChoice
from harness.config.case import WrittenCase
from harness.errors import ConfigError, UsageError
from harness.facts.journal import read_journal
from harness.facts.kernel import KernelFacts
from harness.guest.starting import Starter
from harness.model.results import Axis, OutcomeKind, Stage, Verdict
from harness.run.again import going_on, judge_again, with_current_rules
from harness.run.options import Options
from harness.run.prepared import load_plan
from harness.scenario.case import Case
from harness.scenario.from_command import Command
from harness.supply.axes import Axes
from harness.supply.command_case import CommandCase
from harness.supply.guest_plan import GuestPlan
from harness.supply.supplies import Built, Supplies
from harness.supply.wanted import Wanted

ROWS = [
    f"{kernel}+libbpf-{libbpf}+clang-{clang}"
    for kernel in ("first", "second", "third")
    for libbpf in ("default", "bookworm")
    for clang in ("14", "19")
]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Kernels with two userlands and two compilers, the objects of which differ in their compiler alone."""
    made = make_world(tmp_path, monkeypatch)
    made.write_matrix(libbpf=["default", "bookworm"], clang=[14, 19])

    def build(self: Supplies, cases: Sequence[WrittenCase], arch: object, clang: ClangChoice | None = None) -> Built:
        return Built(cases=compiled(cases), compiler=f"{clang.version}.0.6" if clang else "")

    def archive(self: Axes, choice: Any, arch: object) -> Path | None:
        path = tmp_path / f"{choice.label}.cpio"
        path.write_text(choice.label)
        return None if choice.default else path

    monkeypatch.setattr(Supplies, "build", build)
    monkeypatch.setattr(Axes, "libbpf", archive)
    return made


def test_a_row_is_a_kernel_with_each_of_its_userlands_and_compilers(world: World) -> None:
    report, folder = world.start()
    assert [kernel.name for kernel in report.kernels] == ROWS
    assert list(cells(report)) == ROWS
    assert {kernel.name: (kernel.kernel_name, kernel.clang_version) for kernel in report.kernels}[ROWS[2]] == (
        "first",
        "14.0.6",
    )
    assert [cell["kernel"] for cell in written(folder)["cells"]] == ROWS
    assert {path.name for path in folder.iterdir() if path.is_dir()} == set(ROWS)
    junit = (folder / "junit.xml").read_text()
    assert all(f'name="{name}"' in junit or f'classname="{name}"' in junit for name in ROWS)


def test_without_an_axis_nothing_is_called_otherwise(world: World) -> None:
    world.write_matrix()
    report, _ = world.start()
    assert [(kernel.name, kernel.userland, kernel.compiler, kernel.clang_version) for kernel in report.kernels] == [
        (name, "", "", "") for name in ("first", "second", "third")
    ]
    assert report.attributions == ()


@pytest.mark.parametrize(
    ("globs", "kept"),
    [
        (["first"], ROWS[:4]),
        (["*+clang-14"], ROWS[::2]),
        (["second+libbpf-bookworm+*"], ROWS[6:8]),
        (["first+*-14", "third"], [*ROWS[:4:2], *ROWS[8:]]),
    ],
)
def test_patterns_mean_kernels_or_rows(world: World, globs: list[str], kept: list[str]) -> None:
    assert list(cells(world.start(kernels=globs)[0])) == kept


def test_a_command_line_names_axes_in_place_of_the_matrixs(world: World) -> None:
    report, _ = world.start(kernels=["first"], libbpf=["bookworm"], clang=["default"])
    assert list(cells(report)) == ["first+libbpf-bookworm+clang-default"]
    with pytest.raises(UsageError, match=r'--clang takes default, .*; got "gcc"'):
        world.start(clang=["gcc"])


def test_a_kernel_may_have_axes_of_its_own(world: World) -> None:
    kernel = {"arch": "x86_64", "source": "path", "image": "vmlinuz"}
    kernels = [{"name": "a", **kernel, "clang": 16}, {"name": "b", **kernel}]
    world.write_matrix(libbpf="bookworm", kernels=kernels)
    assert list(cells(world.start()[0])) == ["a+libbpf-bookworm+clang-16", "b+libbpf-bookworm"]


def test_the_report_says_which_axis_has_decided(world: World) -> None:
    world.play = {name: crashed for name in ROWS if name.endswith("clang-14")}
    report, folder = world.start()
    (found,) = report.attributions
    assert (found.axis, found.answers[0].values, found.answers[0].outcome) == (
        Axis.CLANG,
        ("clang-14",),
        OutcomeKind.CRASHED,
    )
    said = "crashes the kernel with clang-14, works with clang-19, on every kernel and with every libbpf"
    assert f"{said}: the compiler decides" in (folder / "report.md").read_text().replace("\\_", "_")
    assert judge_again(read_journal(folder)).attributions == report.attributions
    world.play[ROWS[1]] = crashed
    assert world.start()[0].attributions == ()


def test_what_one_compiler_refuses_and_another_compiles_is_an_answer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(self: Supplies, cases: Sequence[WrittenCase], arch: object, clang: ClangChoice | None = None) -> Built:
        faults = {case.id: BROKEN for case in cases} if clang is not None and clang.version == "14" else {}
        return Built(cases=compiled(cases), faults=faults)

    monkeypatch.setattr(Supplies, "build", build)
    report, _ = world.start()
    found = {cell.kernel: cell for cell in report.cells}
    assert {name: cell.verdict for name, cell in found.items()} == {
        name: Verdict.FAIL if name.endswith("14") else Verdict.PASS for name in ROWS
    }
    outcome = found[ROWS[0]].outcome
    assert (outcome.kind, outcome.stage, outcome.wrong_input) == (OutcomeKind.REFUSED, Stage.BUILD, False)
    assert "unused variable 'x'" in outcome.reason
    assert report.run.exit_code == 1
    assert [each.axis for each in report.attributions] == [Axis.CLANG]
    # Where no compiler takes it, the source is wrong, as without an axis.
    report, _ = world.start(clang=["14"])
    assert set(cells(report).values()) == {Verdict.ERROR}
    assert report.run.exit_code == 2


def test_guests_have_the_libbpf_of_their_row_and_the_rest_is_shared(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans: dict[str, GuestPlan] = {}
    real = world.kernel

    def kernel(plan: GuestPlan, cases: Sequence[Case], *, boot: Starter, known: KernelFacts) -> KernelFacts:
        plans[known.row.name] = plan
        return real(plan, cases, boot=boot, known=known)

    monkeypatch.setattr("harness.run.rows.run_kernel", kernel)
    world.start(kernels=["first"])
    assert {name: [path.name for path in plan.archives] for name, plan in plans.items()} == {
        name: ["bookworm.cpio"] if "bookworm" in name else [] for name in ROWS[:4]
    }
    assert len({plan.kernel.image for plan in plans.values()}) == 1
    assert {plan.folder.name for plan in plans.values()} == set(ROWS[:4])


def test_a_run_with_axes_of_its_command_line_is_gone_on_with(world: World) -> None:
    _, folder = world.start(kernels=["first"], libbpf=["bookworm"], clang=["19", "default"])
    recorded = read_journal(folder)
    assert (recorded.plan.libbpf, recorded.plan.clang) == (("bookworm",), ("19", "default"))
    options = going_on(Options(project=world.project), recorded)
    assert list(options.kernels) == ["first+libbpf-bookworm+clang-19", "first+libbpf-bookworm+clang-default"]
    with pytest.raises(UsageError, match="leave out --kernel"):
        going_on(Options(project=world.project, clang=["19"]), recorded)
    facts = json.loads((folder / "first+libbpf-bookworm+clang-19/facts.json").read_text())["content"]
    assert facts["row"] == {"kernel": "first", "userland": "libbpf-bookworm", "compiler": "clang-19"}
    assert facts["compiler"] == "19.0.6"


def test_paths_of_a_command_line_are_kept_whole(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.folder)
    own = world.folder / "clang"
    own.write_text("")
    _, folder = world.start(kernels=["first"], clang=["./clang"])
    assert read_journal(folder).plan.clang == (str(own),)
    with pytest.raises(ConfigError, match="there is no library"):
        world.start(libbpf=["./libbpf.so"])


def test_facts_with_a_compiler_are_read_as_they_were_written(world: World) -> None:
    _, folder = world.start(kernels=[ROWS[0]])
    recorded = read_journal(folder)
    assert recorded.facts[ROWS[0]].compiler == "14.0.6"
    assert recorded.plan.cases_on("x86_64+clang-14") == recorded.plan.cases_on(recorded.plan.rows[0].objects)
    assert replace(recorded.facts[ROWS[0]], compiler="") != recorded.facts[ROWS[0]]


def test_only_rows_whose_own_inputs_have_changed_run_again(world: World) -> None:
    (world.folder / "base.cpio").write_bytes(b"base")
    _, folder = world.start(kernels=["first"])
    assert world.run == ROWS[:4]
    world.run.clear()
    report, _ = world.start(resume=folder)
    assert (world.run, list(cells(report))) == ([], ROWS[:4])
    assert {kernel.clang_version for kernel in report.kernels} == {"14.0.6", "19.0.6"}


def test_todays_rules_judge_rows_with_compilers(world: World) -> None:
    _, folder = world.start(kernels=["first"])
    path = world.folder / "bpf/case/case.yaml"
    case = json.loads(path.read_text())
    case["expect"] = [{"outcome": "refused", "stage": "load-tracer", "reason": "r", "source": "https://a.example/"}]
    path.write_text(json.dumps(case))
    assert set(cells(judge_again(read_journal(folder))).values()) == {Verdict.PASS}
    found = judge_again(with_current_rules(read_journal(folder), world.project))
    assert cells(found) == dict.fromkeys(ROWS[:4], Verdict.XPASS)


def test_where_nothing_is_compiled_compilers_are_no_axis(world: World) -> None:
    command = CommandCase(wanted=Wanted(command=Command(argv=("true",)), folder=world.folder), id="true", title="true")
    options = Options(project=world.project, own_cases=[command])
    assert [row.name for row in load_plan(options)[1].rows] == [
        f"{kernel}+libbpf-{libbpf}" for kernel in ("first", "second", "third") for libbpf in ("default", "bookworm")
    ]
    with pytest.raises(UsageError, match="--clang makes no difference"):
        load_plan(replace(options, clang=["14"]))
