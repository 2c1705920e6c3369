"""check.yaml: what the user says beside an object of his own that is checked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, Strict, WithJsonSchema

from harness.config.base import (
    Arch,
    Cpus,
    Entries,
    KernelOption,
    KernelParameters,
    Line,
    MapName,
    MemoryMib,
    ModuleName,
    PinPath,
    Seconds,
    Symbol,
    Sysctl,
)
from harness.config.budget import BUDGET, BudgetKeys
from harness.config.case import OptionValues, SysctlValue, TailCall
from harness.config.compiler import BTF, CFLAGS, Flags, flag_problems
from harness.config.reading.explain import read
from harness.config.reading.models import CheckedModel, Expects
from harness.config.reading.yaml_source import Loc, Positions
from harness.config.rules import RELEASES, Rule
from harness.config.steps import AUTOLOAD, MAP_SIZES, PINS, as_list
from harness.config.wishes import OF_CHECK

CHECK_FILE = "check.yaml"
"""Beside an object: it holds for all objects of its folder. NAME.check.yaml holds for the object NAME alone."""
FILL_IN = "FILL IN"
"""What a drafted rule has where its author must say something."""
PART = r"^([A-Za-z_][A-Za-z0-9_]*|all-together)$"
_PART = {"type": "string", "pattern": PART}
_PATTERN = {"type": "string", "pattern": r"\S"}

VariablePath = Annotated[
    str,
    Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*|\[[0-9]+\])*$"),
    Expects("a global variable of the object, or a part of one, such as limits.ports[2]"),
]
ProgramPatterns = Annotated[
    tuple[Line, ...],
    BeforeValidator(as_list),
    Field(min_length=1),
    Expects("the name of a program, or a list of names or patterns"),
    WithJsonSchema({"anyOf": [_PATTERN, {"type": "array", "minItems": 1, "items": _PATTERN}]}),
]
PartNames = Annotated[
    tuple[Annotated[str, Field(pattern=PART)], ...],
    BeforeValidator(as_list),
    Field(min_length=1),
    Expects('the name of a program, "all-together", or a list of such names'),
    WithJsonSchema({"anyOf": [_PART, {"type": "array", "minItems": 1, "items": _PART}]}),
]


class CheckRule(Rule):
    """What should happen on some kernels. Of the rules for a program, the first that covers a kernel counts."""

    program: PartNames | None = Field(
        default=None,
        description="The programs that the rule is for, or `all-together`; without it, it is for each. Where a program "
        "should be refused, so should be all of them together.",
    )

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """Which keys go with which outcome; and what is drafted must be filled in."""
        yield from super().problems(data)
        for key in ("reason", "source"):
            if isinstance(data.get(key), str) and data[key].strip().upper().startswith(FILL_IN):
                yield (key,), f'still says "{FILL_IN}": a rule counts once somebody has said why this is so'


class CheckFile(CheckedModel):
    """What is said beside objects that `bpfmatrix check` tries: as a loader would, and what is expected of kernels."""

    wishes = OF_CHECK

    programs: ProgramPatterns | None = Field(
        default=None,
        description="Try only these programs, by name or pattern. Without it all that are on: not those whose section "
        "begins with `?`.",
    )
    autoload: Mapping[Symbol, Annotated[bool, Strict()]] = Field(default={}, description=AUTOLOAD)
    attach_to: Mapping[Symbol, Line] = Field(
        default={},
        description="Targets that a loader chooses at run time: program -> function, tracepoint, hook, ... as it would "
        "be written in the program's section.",
    )
    tail_calls: tuple[TailCall, ...] = Field(
        default=(), description="Slots of program arrays that a loader fills: `{map: jumps, index: 0, program: leaf}`."
    )
    rodata: Mapping[VariablePath, Annotated[Any, Expects("a number, true, false, text, a list or a mapping")]] = Field(
        default={},
        description="Values of global variables, set before the load: variable -> value, typed by the object's BTF.",
    )
    map_sizes: Mapping[MapName, Entries] = Field(default={}, description=MAP_SIZES)
    pins: Mapping[MapName, PinPath] = Field(default={}, description=PINS)
    modules: tuple[ModuleName, ...] = Field(
        default=(), description="Kernel modules that are loaded before, and removed after it."
    )
    sysctls: Mapping[Sysctl, SysctlValue] = Field(
        default={},
        description="Settings of the guest's kernel, made before anything is loaded.",
        json_schema_extra={"additionalProperties": False},
    )
    kconfig: Mapping[KernelOption, OptionValues] = Field(
        default={},
        description="What the kernel's configuration must say. Where it says otherwise, a rule says not-applicable.",
        json_schema_extra={"additionalProperties": False},
    )
    memory: MemoryMib | None = Field(default=None, description="Memory of the guests in MiB, in place of the matrix's.")
    cpus: Cpus | None = Field(default=None, description="Processors of the guests, in place of the matrix's.")
    cmdline: KernelParameters = Field(
        default="", description="More kernel parameters; the objects then have guests of their own."
    )
    deadline: Seconds | None = Field(default=None, description="Seconds that each program may take.")
    run: Annotated[bool, Strict()] = Field(
        default=True, description="Whether the built-in workload is run once a program is attached."
    )
    require_run: Annotated[bool, Strict()] = Field(
        default=False, description="Whether a program that was attached and did not run is a failure."
    )
    budget: BudgetKeys = Field(default=BudgetKeys(), description=f"{BUDGET} It overrides the matrix's, key by key.")
    cflags: Flags = Field(default=(), description=CFLAGS)
    btf: Line | Annotated[Mapping[Arch, Line], Field(min_length=1)] | None = Field(
        default=None, description=f"{BTF} Relative ones start here."
    )
    include: tuple[Line, ...] = Field(
        default=(), description="Folders of headers, where a source is checked; relative ones start here."
    )
    expect: tuple[CheckRule, ...] = Field(
        default=(), description="What should happen on which kernels; where no rule covers one, it works."
    )

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """A program that must run is made to run; and some flags of clang bpfmatrix cannot do with."""
        yield from flag_problems(("cflags",), data.get("cflags"))
        if data.get("run") is False and data.get("require-run") is True:
            yield ("require-run",), 'not allowed beside "run: false": nothing would make a program run'


def load_check(path: Path) -> tuple[CheckFile, Positions]:
    """Read and validate a check.yaml; raise ConfigError with one line per error."""
    return read(path, CheckFile, spelled=RELEASES)
