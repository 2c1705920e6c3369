"""A project of `path` kernels whose guests are played."""

# ruff: noqa: ARG002, ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from unit_samples import RELEASE, compiled, golden_lines, record_of, written_case, x86_image

from harness.config.case import WrittenCase
from harness.errors import (
    CompileError,
    FetchError,
)
from harness.facts.kernel import KernelFacts
from harness.facts.records import CaseRecord, Ending
from harness.guest.starting import Starter
from harness.host import emulators
from harness.host.cache import Cache
from harness.model.results import OutcomeKind, Report, Verdict
from harness.qemu.accel import Accel
from harness.run import prepared as prepared_run
from harness.run import rows
from harness.run.matrix import run_matrix
from harness.run.one_kernel import facts_of
from harness.run.options import Options
from harness.scenario.case import Case
from harness.supply.guest_plan import GuestPlan
from harness.supply.image.programs import GuestPrograms
from harness.supply.project import Project
from harness.supply.supplies import Built, Supplies

KERNELS = ("first", "second", "third")


Play = Callable[[GuestPlan, Sequence[Case]], KernelFacts]


class World:
    """A project of `path` kernels whose guests are played."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.play: dict[str, Play] = {}
        self.run: list[str] = []
        (folder / "bpf/case").mkdir(parents=True)
        (folder / "vmlinuz").write_bytes(x86_image())
        case = written_case().model_dump(mode="json", by_alias=True, exclude={"id", "folder"}, exclude_defaults=True)
        (folder / "bpf/case/case.yaml").write_text(json.dumps(case))
        for name in ("target", "tracer"):
            (folder / f"bpf/case/{name}.bpf.c").write_text("int value;\n")
        self.write_matrix()

    def write_matrix(self, **changes: Any) -> None:
        kernels = [{"name": name, "arch": "x86_64", "source": "path", "image": "vmlinuz"} for name in KERNELS]
        text = json.dumps({"defaults": {"jobs": 1}, "kernels": kernels, **changes})
        (self.folder / "matrix.yaml").write_text(text)

    @property
    def project(self) -> Project:
        return Project(matrix_file=self.folder / "matrix.yaml")

    def kernel(self, plan: GuestPlan, cases: Sequence[Case], *, boot: Starter, known: KernelFacts) -> KernelFacts:
        self.run.append(known.row.name)
        found = self.play.get(known.row.name, self.play.get(plan.kernel.name, good))(plan, cases)
        return replace(found, row=known.row, compiler=known.compiler)

    def start(self, **options: Any) -> tuple[Report, Path]:
        finished = run_matrix(Options(project=self.project, **options), cache=Cache(self.folder / "cache"))
        return finished.report, finished.folder


def good(plan: GuestPlan, cases: Sequence[Case]) -> KernelFacts:
    lines = [{**line, "case": "case"} if "case" in line else line for line in golden_lines()]
    environment: dict[str, object] = {"release": RELEASE, "version": "Debian 6.1.176-1 (x)", "libbpf": "v1.5"}
    return replace(facts_of(plan), records={"case": record_of(lines, "case")}, environment=environment, boots=1)


def crashed(plan: GuestPlan, cases: Sequence[Case]) -> KernelFacts:
    ending = Ending(kind=OutcomeKind.CRASHED, reason="the kernel died: Oops", console_tail=("Oops",), step=("case", 0))
    return replace(facts_of(plan), records={"case": CaseRecord(ending=ending)}, boots=1)


def make_world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a world in `folder`, and have all that runs guests play them."""
    world = World(folder)
    monkeypatch.setattr(rows, "qemu_version", lambda arch: "7.2.9")
    monkeypatch.setattr(prepared_run, "qemu_version", lambda arch: "7.2.9")
    monkeypatch.setattr(rows, "run_kernel", world.kernel)
    monkeypatch.setattr(prepared_run, "host_name", lambda: "x86_64")
    monkeypatch.setattr(emulators, "has_tool", lambda name: True)
    monkeypatch.setattr(Supplies, "base", lambda self, arch: folder / "base.cpio")
    monkeypatch.setattr(Supplies, "programs", lambda self, arch: GuestPrograms())
    monkeypatch.setattr(Supplies, "accel", lambda self, wanted, files: Accel("tcg", "the test says so"))
    monkeypatch.setattr(Supplies, "build", lambda self, cases, arch, clang=None: Built(cases=compiled(cases)))
    monkeypatch.setattr(rows, "STOP_SECONDS", 0.3)
    monkeypatch.delenv("BPFMATRIX_CACHE_GIB", raising=False)
    return world


def cells(report: Report) -> dict[str, Verdict]:
    return {cell.kernel: cell.verdict for cell in report.cells}


def written(folder: Path) -> dict[str, Any]:
    """The report.json of a run; all other reports must be there, too."""
    for name in ("report.json", "junit.xml", "report.md", "report.html"):
        assert (folder / name).stat().st_size > 0
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


BROKEN = CompileError(
    "x.bpf.c does not compile", log="x.bpf.c:6:6: error: unused variable 'x'\n  int x;\n1 error generated."
)


def with_a_broken_case(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside `case` there is one that does not compile."""
    shutil.copytree(world.folder / "bpf/case", world.folder / "bpf/broken")

    def build(self: Supplies, cases: Sequence[WrittenCase], arch: object, clang: object = None) -> Built:
        return Built(cases=compiled(cases), faults={case.id: BROKEN for case in cases if case.id == "broken"})

    monkeypatch.setattr(Supplies, "build", build)


def unreachable() -> KernelFacts:
    raise FetchError("the mirror is gone")
