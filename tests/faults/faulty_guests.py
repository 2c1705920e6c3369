"""Guests for tests of faults: plans for real kernels, and agents with a few lines more than the real one."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from projects import ROOT

from harness.config.case import WrittenCase
from harness.config.matrix import load_matrix
from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES
from harness.scenario.case import Case
from harness.supply.guest_plan import GuestPlan
from harness.supply.image.guest_compiler import SERVICE
from harness.supply.image.keys import make_keys
from harness.supply.image.programs import guest_programs, harness_programs
from harness.supply.project import Project
from harness.supply.supplies import Supplies
from harness.supply.unbuilt import yaml_cases

__all__ = ["AGENT", "SERVICE", "faulty", "prepare", "with_deadlines", "with_program"]

AGENT, STEPS = "guest_agent.py", "agent/steps.py"


def prepare(name: str, written: Sequence[WrittenCase], *, folder: Path) -> tuple[GuestPlan, tuple[Case, ...]]:
    """Return a plan for a kernel of the committed matrix, ready to boot, and the cases as its guests get them.

    Its deadlines are far away, however busy the host is: a test of a deadline sets it.
    """
    matrix = load_matrix(ROOT / "matrix.yaml")
    supplies = Supplies(Project(matrix_file=ROOT / "matrix.yaml"), matrix, cache=Cache())
    kernel = next(kernel for kernel in matrix.kernels if kernel.name == name)
    built = supplies.build_all(yaml_cases(written), ARCHITECTURES[kernel.arch])
    plan = supplies.guest(kernel, written, keys=make_keys(), folder=folder, objects=built.files)
    return with_deadlines(plan, boot=600.0, case=600.0), tuple(built.cases[case.id] for case in written)


def with_deadlines(plan: GuestPlan, **seconds: float) -> GuestPlan:
    settings = plan.settings
    deadlines = dataclasses.replace(settings.deadlines, **seconds)
    return dataclasses.replace(plan, settings=dataclasses.replace(settings, deadlines=deadlines))


def with_program(plan: GuestPlan, name: str, *, old: str, new: str) -> GuestPlan:
    """Return the plan with one of the guest's own programs changed; `old` must be in it just once."""
    sources = harness_programs()
    text = sources[name].decode()
    assert text.count(old) == 1, f"{name} has no single {old!r} any more; adapt this test"
    changed = {**sources, name: text.replace(old, new).encode()}
    return dataclasses.replace(plan, programs=guest_programs(changed, cache=Cache(), base=None))


def faulty(plan: GuestPlan, lines: str) -> GuestPlan:
    """Return the plan with an agent that runs some lines at the trigger of the case `second`, in its own process."""
    entry = "    def do_observe(self"
    body = "".join(f"            {line}\n" for line in lines.splitlines())
    wrapped = (
        "    real_trigger = do_trigger\n\n    def do_trigger(self, step):\n"
        f'        if self.case["id"] == "second":\n{body}        return self.real_trigger(step)\n\n'
    )
    return with_program(plan, STEPS, old=entry, new=wrapped + entry)
