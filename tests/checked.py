"""Cases whose steps a test gives, with objects of tests/inputs/programs: what `check` makes of an object, by hand."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from projects import INPUTS, TemporaryProject

from harness.model.architectures import Architecture
from harness.model.results import Report, Stage
from harness.run.matrix import run_matrix
from harness.run.options import Options
from harness.scenario.case import AgentStep, Case, Part
from harness.supply.dependencies import Sight
from harness.supply.objects import ObjectBuilder, compile_flags, compile_object
from harness.supply.project import Project
from harness.supply.unbuilt import BuiltCase

PROGRAMS = INPUTS / "programs"
STAGES = {
    **{"open": Stage.OPEN, "load": Stage.LOAD_TARGET, "attach": Stage.ATTACH_TARGET, "attach-map": Stage.ATTACH_TARGET},
    **{"set-attach-target": Stage.LOAD_TRACER, "workload": Stage.TRIGGER, "trigger": Stage.TRIGGER},
    **{"measure": Stage.OBSERVE, "detach": Stage.DETACH},
}


def step(op: str, what: str = "", **args: Any) -> AgentStep:
    """Return a step at the stage where it belongs; `retval` and `refused` are what must come of it."""
    retval, refused = args.pop("retval", None), args.pop("refused", ())
    return AgentStep(stage=STAGES[op], op=op, what=what, args=args, retval=retval, refused=refused)


def opened(name: str, **args: Any) -> AgentStep:
    """Return the step that opens the object of a source, by the source's name."""
    return step("open", name, object=name, path=f"{name}.bpf.c", **args)


@dataclass(frozen=True)
class HandmadeCase:
    """A case as a plan has it: sources of `folder` by their names, and parts by theirs."""

    id: str
    sources: Sequence[str]
    parts: Mapping[str, Sequence[AgentStep]]
    folder: Path
    keys: Mapping[str, Any] = field(default_factory=dict)
    uncounted: Mapping[str, str] = field(default_factory=dict)
    attachers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """Its id."""
        return self.id

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that it names."""
        own = [*self.keys.get("modules", ()), *(name for names in self.attachers.values() for name in names)]
        return tuple(dict.fromkeys(own))

    @property
    def has_sources(self) -> bool:
        """It compiles them by itself."""
        return True

    def compiled(self) -> Case:
        """Return the case."""
        parts = tuple(
            Part(
                name=name,
                steps=tuple(steps),
                uncounted=self.uncounted.get(name, ""),
                attachers=self.attachers.get(name, ()),
            )
            for name, steps in self.parts.items()
        )
        objects = {name: f"{name}.bpf.c" for name in self.sources}
        return Case(id=self.id, title=self.id, objects=objects, parts=parts, **self.keys)

    def build(self, objects: ObjectBuilder, arch: Architecture, *, sight: Sight) -> BuiltCase:
        """Compile its sources."""
        files = {}
        for name in self.sources:
            made = files[f"{name}.bpf.c"] = self.folder / f"{name}.{arch.name}.o"
            if not made.exists():
                compile_object(PROGRAMS / f"{name}.bpf.c", made, clang="clang", flags=compile_flags(arch, include=()))
        return BuiltCase(case=self.compiled(), files=files)


def checked(folder: Path, cases: Sequence[HandmadeCase], kernels: Sequence[str], **options: Any) -> Report:
    """Run cases on kernels of the committed matrix; return the report."""
    project = TemporaryProject(folder / "project", kernels=kernels)
    chosen = Options(
        project=Project(matrix_file=project.matrix_file),
        kernels=list(kernels),
        results=folder / "results",
        own_cases=list(cases),
        **options,
    )
    return run_matrix(chosen).report
