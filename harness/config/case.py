"""case.yaml: one thing tried on every kernel, and what should come of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, Strict, WithJsonSchema
from pydantic.config import JsonDict

from harness.config.base import Arch, KernelOption, KernelParameters, Line, MapName, ModuleName, Seconds, Symbol, Sysctl
from harness.config.budget import BUDGET, BudgetKeys
from harness.config.command import ONLY_WITH_COMMAND, CommandKeys, command_problems
from harness.config.compiler import (
    BTF,
    CFLAGS,
    CompilerFlags,
    KernelTypes,
    compiler_problems,
    first_of,
    flags_for,
    placed,
)
from harness.config.reading.models import Expects, Model, frozen_copy, unexpected
from harness.config.reading.yaml_source import Loc
from harness.config.rules import Rule, RuleOrUse
from harness.config.scenario_file import SCENARIO_FILE, WrittenScenario
from harness.config.setup import SETUP, Thing
from harness.config.steps import FunctionReference, ObjectName, Observation, Opened, Step
from harness.config.triggers import Trigger
from harness.config.wishes import OF_CASE
from harness.errors import ObjectFileError

CASE_FILE = "case.yaml"
SHARED_FOLDER = "shared"
"""The folder beside those of the cases with the files that several of them name, as `shared/NAME`."""


ObjectFile = Annotated[
    str,
    Field(pattern=r"^(shared/)?[A-Za-z0-9_][A-Za-z0-9._+-]*(\.bpf\.c|\.o)$"),
    Expects('the name of a file in this folder that ends in ".bpf.c" or ".o", or shared/ and the name of a shared one'),
]
ObjectFiles = Annotated[
    ObjectFile | Annotated[Mapping[Arch, ObjectFile], Field(min_length=1)],
    Expects(
        'the name of a file in this folder that ends in ".bpf.c" or ".o", or shared/ and the name of a shared one; '
        "or such names by architecture"
    ),
]
"""An object: one file for all architectures, or one for each that has a name here."""
_OBJECT = (
    "File in this folder, or, as shared/NAME, in the folder `shared` beside it, for files that several cases have: "
    "*.bpf.c is compiled, *.o is taken as it is. Or files by architecture."
)
SysctlValue = Annotated[Annotated[int, Strict()] | str, Expects("an integer or text")]
_OPTION_VALUE = {"type": ["integer", "string"]}


def _as_values(value: object) -> object:
    """Return a single value as a list of one, anything else as it is."""
    return [value] if isinstance(value, int | str) and not isinstance(value, bool) else value


OptionValues = Annotated[
    tuple[Annotated[Annotated[int, Strict()] | str, Expects("y, m, n, an integer or text")], ...],
    BeforeValidator(_as_values),
    Field(min_length=1),
    Expects("y, m, n, an integer or text, or a list of these"),
    WithJsonSchema({"anyOf": [_OPTION_VALUE, {"type": "array", "minItems": 1, "items": _OPTION_VALUE}]}),
]
"""What an option of the kernel's configuration may be: one of these."""


class TailCall(Model):
    """One slot of a program array."""

    map: MapName = Field(description="The program array in the target object.")
    index: Annotated[int, Strict(), Field(ge=0, le=0xFFFFFFFF)] = Field(description="The slot to fill.")
    program: Symbol = Field(description="The program that goes into the slot.")


class Target(Opened):
    """The BPF object whose programs are traced or replaced."""

    object: ObjectFiles = Field(description=_OBJECT)
    attach: tuple[Symbol, ...] = Field(
        default=(),
        description="Programs to attach, in this order; or variables in a section .struct_ops, for all their programs.",
    )
    tail_calls: tuple[TailCall, ...] = Field(
        default=(), description="Slots of program arrays to fill before the programs are attached."
    )


class Again(Model):
    """A second look, with other programs in the slots of program arrays."""

    tail_calls: Annotated[tuple[TailCall, ...], Field(min_length=1)] = Field(
        description="The slots to fill again, with other programs."
    )
    observe: Observation = Field(description="What must be seen then; {} for nothing.")


class TracerAttach(Model):
    """One tracer: which program it is, and what it is attached to."""

    program: Symbol = Field(description="The program in the tracer object.")
    target: Symbol | None = Field(
        default=None,
        description="The program of the target object that it is attached to; without it, where its section or "
        "`attach-to` says.",
    )
    function: Symbol | None = Field(
        default=None,
        description="The function (by its BTF name) inside the target; without it the target's own name.",
    )

    @property
    def function_name(self) -> str:
        """The BTF function to attach to: `function`, or the target program's own name."""
        return self.function or self.target or ""


def _as_tracer(value: object) -> object:
    """Return a tracer that is given by its name alone as what it is short for, anything else as it is."""
    if not isinstance(value, str):
        return value
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
        raise unexpected("the name of a program, or a mapping with the key `program`")
    return {"program": value}


class Tracer(Opened):
    """The BPF object with the fentry, fexit, freplace, ... programs."""

    object: ObjectFiles = Field(description=_OBJECT)
    shared_maps: tuple[MapName, ...] = Field(
        default=(),
        description="Maps of the target object that the tracer uses under the same name. Those of the trace "
        "(bpf/include/trace.h) are shared without being named.",
    )
    attach: Annotated[tuple[Annotated[TracerAttach, BeforeValidator(_as_tracer)], ...], Field(min_length=1)] = Field(
        description="The tracers, in the order in which they are attached."
    )


_SIMPLE = ("target", "tracer", "trigger", "observe", "again", "control")
NOT_BESIDE_SCENARIO = (*_SIMPLE, "events", "steps", "missing", "command")
"""What a case.yaml beside a scenario.py does not have."""
_FORMS: JsonDict = {
    "oneOf": [
        {"required": ["target", "trigger", "observe"], "not": {"anyOf": [{"required": ["steps"]}]}},
        {
            "required": ["objects", "steps"],
            "not": {"anyOf": [{"required": [key]} for key in _SIMPLE]},
        },
        {
            "required": ["command"],
            "not": {"anyOf": [{"required": [key]} for key in (*_SIMPLE, "objects", "steps", "events")]},
        },
        {"not": {"anyOf": [{"required": [key]} for key in NOT_BESIDE_SCENARIO]}},
    ],
    "dependentRequired": {"control": ["tracer"], **{key: ["command"] for key in ONLY_WITH_COMMAND}},
}


class CaseFile(CommandKeys):
    """One case: programs, what makes them run, what must be seen, and where that is expected.

    Most cases name a target, tracers, a trigger and what must be seen; the order of the steps is then always the
    same. A case whose point is another order spells out `objects` and `steps` instead. A case may also be a command;
    one whose folder has a scenario.py says none of this here.
    """

    model_config = ConfigDict(json_schema_extra=_FORMS)
    wishes = OF_CASE

    title: Line = Field(description="The case in one line, as the reports show it.")
    description: str = Field(default="", description="What the case is about, in as many lines as it needs.")
    target: Target | None = Field(default=None, description="The program that is traced or replaced.")
    tracer: Tracer | None = Field(default=None, description="The programs attached to the target.")
    events: MapName | None = Field(
        default=None,
        description="The perf event array that connection events come through: the target object's, or, where that has "
        "none of this name, another object's.",
    )
    trigger: Trigger | None = Field(default=None, description="What makes the target run.")
    observe: Observation | None = Field(
        default=None, description="What must be seen while all is attached; {} for nothing."
    )
    again: Again | None = Field(
        default=None,
        description="Between `observe` and `control`: other programs in the slots, the trigger once more, and what "
        "must be seen then. It distinguishes a tracer that sees the return value from one that always says the same.",
    )
    control: Observation | None = Field(default=None, description="What must be seen after the tracers are detached.")
    objects: Mapping[ObjectName, ObjectFiles] = Field(
        default={},
        description="With `steps`, or beside a scenario.py: the objects by name. With `steps`, the events and the "
        "trace are read from the maps of the one named `target`, or, where that has none, from those of the first "
        "that has.",
    )
    cflags: CompilerFlags = Field(
        default=(), description=f"{CFLAGS} A list is for all sources of the case; a mapping gives each object its own."
    )
    btf: KernelTypes | None = Field(default=None, description=BTF)
    steps: tuple[Step, ...] = Field(
        default=(), description="The steps in their order, where the usual one will not do."
    )
    isolated: Annotated[bool, Strict()] = Field(
        default=False, description="Give the case a guest of its own, so that a kernel it kills loses nothing else."
    )
    cmdline: KernelParameters = Field(
        default="", description="More kernel parameters; the case then has a guest of its own."
    )
    sysctls: Mapping[Sysctl, SysctlValue] = Field(
        default={},
        description="Settings of the guest's kernel, made before anything is loaded.",
        json_schema_extra={"additionalProperties": False},
    )
    setup: tuple[Thing, ...] = Field(default=(), description=SETUP)
    kconfig: Mapping[KernelOption, OptionValues] = Field(
        default={},
        description="What the kernel's configuration must say, such as `{CONFIG_BPF_LSM: y, CONFIG_VETH: [y, m]}`; an "
        "option that is not set is `n`.",
        json_schema_extra={"additionalProperties": False},
    )
    modules: tuple[ModuleName, ...] = Field(
        default=(), description="Kernel modules that are loaded for this case and removed after it."
    )
    deadline: Seconds | None = Field(
        default=None, description="Seconds that this case may take, in place of the matrix's."
    )
    budget: BudgetKeys = Field(default=BudgetKeys(), description=f"{BUDGET} It overrides the matrix's, key by key.")
    missing: tuple[FunctionReference, ...] = Field(
        default=(),
        description="Names that the case gives though its objects do not have them, on purpose: object.program, "
        "object.map, or object.program:function. Every other name must be there.",
    )
    expect: tuple[RuleOrUse, ...] = Field(
        default=(), description="What should happen on which kernels; where no rule covers one, it works."
    )

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """Which parts need which."""
        yield from _form_problems(data)
        yield from compiler_problems(data)
        if "control" in data and "tracer" not in data:
            yield ("control",), "allowed only with a tracer: it says what is seen once the tracers are detached"
        again = data.get("again")
        for key in ("observe", "control", "again"):
            looks = again.get("observe") if key == "again" and isinstance(again, Mapping) else data.get(key)
            if isinstance(looks, Mapping) and {"client", "listener"} & looks.keys() and "events" not in data:
                yield (key,), 'needs the key "events": the name of the map that the events come through'
        target = data.get("target")
        slots = target.get("tail-calls") if isinstance(target, Mapping) else None
        seen: set[tuple[Any, Any]] = set()
        for index, slot in enumerate(slots if isinstance(slots, list) else []):
            name, number = (slot.get("map"), slot.get("index")) if isinstance(slot, Mapping) else (None, None)
            if not isinstance(name, str) or not isinstance(number, int):
                continue
            if (name, number) in seen:
                yield ("target", "tail-calls", index), f"slot {number} of {name} is filled twice"
            seen.add((name, number))

    @property
    def alone(self) -> bool:
        """Whether the case has a guest of its own."""
        return self.isolated or bool(self.cmdline or self.command or self.memory or self.cpus)

    @property
    def files(self) -> dict[str, str]:
        """The object files by the object's name, `target` and `tracer` for those of the simple form.

        Of an object that has a file for each of several architectures, the first.
        """
        named = self._named()
        return {name: file if isinstance(file, str) else next(iter(file.values())) for name, file in named.items()}

    def _named(self) -> dict[str, str | Mapping[str, str]]:
        """Return what the file says of each object: a file, or one by architecture."""
        found: dict[str, str | Mapping[str, str]] = dict(self.objects)
        if self.target is not None:
            found["target"] = self.target.object
        if self.tracer is not None:
            found["tracer"] = self.tracer.object
        return found


def _form_problems(data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
    """A case has the simple form, or steps, or is a command."""
    yield from command_problems(data)
    if "command" in data:
        for key in (*_SIMPLE, "objects", "steps", "events", "missing"):
            if key in data:
                yield (key,), 'not allowed beside "command": the command is all that the case does'
        if "budget" in data:
            yield ("budget",), 'not allowed beside "command": what a command loads is not measured'
        return
    if "steps" in data:
        for key in _SIMPLE:
            if key in data:
                yield (key,), 'not allowed beside "steps": the steps say it all'
        if "objects" not in data:
            yield (), 'the key "steps" needs the key "objects"'
        return
    if "objects" in data:
        yield ("objects",), 'allowed only with "steps"; otherwise give "target" and "tracer"'
    for key in ("target", "trigger", "observe"):
        if key not in data:
            yield (), f'the key "{key}" is missing; give it, or "objects" and "steps" instead, or a "command"'


class CaseBesideScenario(CaseFile):
    """The case.yaml of a case that is a scenario.py: all but what is done, and what must be seen."""

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """What is done, the scenario says alone."""
        yield from command_problems(data)
        yield from compiler_problems(data)
        for key in NOT_BESIDE_SCENARIO:
            if key in data:
                yield (key,), f"not allowed beside {SCENARIO_FILE}: what is done and must be seen is said there"


class WrittenCase(CaseFile):
    """A case as its folder has it. `id` is the folder's name, `folder` its absolute path.

    Of a case that is a `scenario`, `objects` are those that its case.yaml names, or else all of its folder.
    The rules of the lists that it uses are in their places in `expect`. harness/scenario/from_yaml.py makes of it the
    case that is run and judged.
    """

    id: str
    folder: Path
    expect: tuple[Rule, ...] = ()
    scenario: WrittenScenario | None = None

    def __hash__(self) -> int:
        return hash((self.id, self.folder))

    def path_of(self, file: str) -> Path:
        """Return where a file lies that the case names: in its own folder, or in the one that cases share."""
        return (self.folder.parent if file.startswith(f"{SHARED_FOLDER}/") else self.folder) / file

    @property
    def btf_file(self) -> str:
        """The file with the types of the kernel, "" for those of the kernel that runs; of several the first."""
        return first_of(self.btf)

    def flags_of(self, file: str) -> tuple[str, ...]:
        """Return the flags of clang that the case gives for one of its sources."""
        return placed(flags_for(file, self.cflags, self.files), self.folder)

    def for_arch(self, arch: str) -> WrittenCase:
        """Return the case with the files of an architecture; raise ObjectFileError where it has none for it."""
        named = self._named()
        btf = None if self.btf is None else self._file_for(arch, "btf", self.btf, what="file")
        if all(isinstance(file, str) for file in named.values()):
            return self if btf == self.btf else frozen_copy(WrittenCase, self, btf=btf)
        files = {name: self._file_for(arch, name, file, what="object") for name, file in named.items()}
        target = self.target and frozen_copy(Target, self.target, object=files["target"])
        tracer = self.tracer and frozen_copy(Tracer, self.tracer, object=files["tracer"])
        objects = {name: files[name] for name in self.objects}
        return frozen_copy(WrittenCase, self, target=target, tracer=tracer, objects=objects, btf=btf)

    def _file_for(self, arch: str, name: str, file: str | Mapping[str, str], *, what: str) -> str:
        if isinstance(file, str):
            return file
        if arch not in file:
            there = ", ".join(file)
            raise ObjectFileError(f"{self.folder / CASE_FILE}: {name} has no {what} for {arch} (it has: {there})")
        return file[arch]
