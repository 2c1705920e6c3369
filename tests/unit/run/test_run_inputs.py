"""What went into a row, by hash: whatever may change an answer changes one of them, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from unit_samples import guest_plan, kernel_files, sample_case

from harness.model.results import Expectation, OutcomeKind
from harness.model.settings import Deadlines
from harness.run.inputs import inputs_of
from harness.scenario.case import Case
from harness.supply.guest_plan import GuestPlan
from harness.supply.image import cpio
from harness.supply.image.keys import make_keys
from harness.supply.image.programs import GuestPrograms
from harness.supply.kernels.modules import CaseModule

CASE = sample_case()
PROGRAMS = GuestPrograms(nodes=(cpio.file("service", b"the service"),), agent=b"the agent")


@pytest.fixture
def plan(tmp_path: Path) -> GuestPlan:
    for name in ("vmlinuz", "base.cpio", "0-virtio.ko", "dummy.ko", "target.o"):
        (tmp_path / name).write_text(name)
    kernel = kernel_files(
        tmp_path,
        modules=(tmp_path / "0-virtio.ko",),
        case_modules={"dummy": CaseModule(files=(tmp_path / "dummy.ko",))},
    )
    objects = {CASE.id: dict.fromkeys(CASE.objects.values(), tmp_path / "target.o")}
    return guest_plan(tmp_path, kernel=kernel, objects=objects, programs=PROGRAMS)


def inputs(plan: GuestPlan, cases: tuple[Case, ...] = (CASE,), qemu: str = "7.2.9") -> dict[str, str]:
    return inputs_of(plan, cases, qemu_version=qemu)


def rewritten(name: str) -> Callable[[GuestPlan], GuestPlan]:
    def change(plan: GuestPlan) -> GuestPlan:
        (plan.base.parent / name).write_text("other bytes than before")
        return plan

    return change


def kernel(**changes: Any) -> Callable[[GuestPlan], GuestPlan]:
    return lambda plan: replace(plan, kernel=replace(plan.kernel, **changes))


def settings(**changes: Any) -> Callable[[GuestPlan], GuestPlan]:
    return lambda plan: replace(plan, settings=replace(plan.settings, **changes))


CHANGES: dict[str, tuple[Callable[[GuestPlan], GuestPlan], str]] = {
    "another image": (rewritten("vmlinuz"), "kernel"),
    "another release": (kernel(release="6.1.0-51"), "kernel"),
    "another module of a case": (rewritten("dummy.ko"), "kernel"),
    "a module is built in": (kernel(case_modules={"dummy": CaseModule(built_in=True)}), "kernel"),
    "another userland": (rewritten("base.cpio"), "image"),
    "another module of the guest": (rewritten("0-virtio.ko"), "image"),
    "another service": (lambda plan: replace(plan, programs=replace(PROGRAMS, nodes=())), "image"),
    "another agent": (lambda plan: replace(plan, programs=replace(PROGRAMS, agent=b"new")), "agent"),
    "another object": (rewritten("target.o"), "objects"),
    "more memory": (settings(memory=512), "guest"),
    "more processors": (settings(cpus=2), "guest"),
    "another command line": (lambda plan: replace(plan, cmdline="mitigations=off"), "guest"),
    "another accelerator": (lambda plan: replace(plan, accel="kvm"), "accelerator"),
    "another deadline of the case": (settings(deadlines=Deadlines(case=7)), "cases"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_may_change_an_answer_changes_its_hash_and_no_other(plan: GuestPlan, what: str) -> None:
    change, name = CHANGES[what]
    before = inputs(plan)
    after = inputs(change(plan))
    assert {key for key in before if before[key] != after[key]} == {name}
    assert before.keys() == after.keys()


def test_the_version_of_qemu_and_the_accelerator_are_named(plan: GuestPlan) -> None:
    assert (inputs(plan, qemu="9.0.0")["qemu"], inputs(plan)["accelerator"]) == ("9.0.0", "tcg")


@pytest.mark.parametrize("change", [{"deadline": 7.0}, {"cmdline": "lockdown=integrity"}, {"modules": ("dummy",)}])
def test_a_case_that_asks_for_something_else_is_another(plan: GuestPlan, change: dict[str, Any]) -> None:
    assert inputs(plan, (replace(CASE, **change),))["cases"] != inputs(plan)["cases"]


def test_another_kernel_parameter_of_a_case_is_another_case(plan: GuestPlan) -> None:
    alone = [replace(CASE, cmdline=f"lockdown={how}") for how in ("integrity", "confidentiality")]
    assert inputs(plan, (alone[0],))["cases"] != inputs(plan, (alone[1],))["cases"]


def test_what_a_case_expects_and_says_of_itself_is_no_input(plan: GuestPlan) -> None:
    """A row is judged by the expectations of the day."""
    rule = Expectation(outcome=OutcomeKind.REFUSED, reason="r")
    assert inputs(plan, (replace(CASE, title="new", description="new", expect=(rule,)),)) == inputs(plan)


@pytest.mark.parametrize(
    "change",
    [
        lambda plan: replace(plan, keys=make_keys()),
        lambda plan: replace(plan, folder=plan.folder / "another"),
        settings(deadlines=Deadlines(boot=7, shutdown=7)),
    ],
    ids=["keys", "folder", "deadlines of the guest"],
)
def test_what_is_a_runs_own_is_no_input(plan: GuestPlan, change: Callable[[GuestPlan], GuestPlan]) -> None:
    assert inputs(change(plan)) == inputs(plan)


def test_a_file_that_is_gone_is_raised(plan: GuestPlan, tmp_path: Path) -> None:
    (tmp_path / "target.o").unlink()
    with pytest.raises(FileNotFoundError):
        inputs(plan)


def test_the_libbpf_of_a_row_is_named_only_where_it_has_one(plan: GuestPlan, tmp_path: Path) -> None:
    assert "libbpf" not in inputs(plan)
    archive = tmp_path / "libbpf.cpio"
    archive.write_text("1.1")
    first = inputs(replace(plan, archives=(archive,)))
    assert {key: first[key] for key in first if key != "libbpf"} == inputs(plan)
    archive.write_text("1.7, at the same place")
    assert inputs(replace(plan, archives=(archive,)))["libbpf"] != first["libbpf"]
