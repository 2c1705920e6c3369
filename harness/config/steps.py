"""Steps of a case that spells out its own order, and the observations that all cases share (triggers.py: triggers)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Discriminator, Field, Strict, Tag, WithJsonSchema

from harness.config.base import Entries, ErrnoName, MapName, PinPath, Symbol
from harness.config.inspected import (
    FirstValue,
    HowMuch,
    MapContents,
    Place,
    Printed,
    Records,
    Runs,
    Value,
    VariablePath,
    form_of,
)
from harness.config.reading.models import CheckedModel, Expects, Model, OneOf, problem
from harness.config.reading.yaml_source import Loc
from harness.config.setup import ATTACH_TO, AttachPlace, GuestPath
from harness.config.triggers import Reference, Trigger
from harness.config.wishes import OF_EVENT, OF_LOOK, OF_OBJECT
from harness.model.results import KERNEL_STAGES, Origin, Stage

_ANY_INT = Annotated[int, Strict()]


def _check_regex(value: str) -> str:
    try:
        re.compile(value)
    except (re.error, OverflowError, RecursionError) as error:
        raise problem(f"not a regular expression that Python can read: {error}") from error
    return value


def as_list(value: object) -> object:
    """Return a single word as a list of one, anything else as it is."""
    return [value] if isinstance(value, str) else value


RODATA = (
    "Global variables and the values that they get before the load, by name or path, as the object's BTF types them; "
    "`$trigger-pid` is the process id of the trigger."
)
AUTOLOAD = "Programs that a loader turns on or off: program -> true or false."
MAP_SIZES = "Maps that get another number of entries: map -> entries."
PINS = "Where maps are pinned: map -> path."
ObjectName = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9-]*$"), Expects('a lower-case name of an object, such as "target"')
]
FunctionReference = Annotated[
    str,
    Field(pattern=r"^([a-z][a-z0-9-]*\.[A-Za-z_][A-Za-z0-9_]*)(:[A-Za-z_][A-Za-z0-9_]*)?$"),
    Expects('a program and, behind a colon, a function in it, such as "target.entry:stub_handler"'),
]
FieldReference = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9-]*\.[A-Za-z_][A-Za-z0-9_]*:[a-z_]+$"),
    Expects('a program and, behind a colon, a field of its info, such as "target.entry:jited_address"'),
]
Errnos = Annotated[
    tuple[ErrnoName, ...],
    BeforeValidator(as_list),
    Field(min_length=1),
    Expects('the name of an errno, such as "EINVAL", or a list of such names'),
]
KernelStage = Annotated[Stage, OneOf(KERNEL_STAGES)]
"""A stage in which the kernel has a part: none of them refuses what is only built."""
Origins = Annotated[
    tuple[Origin, ...],
    BeforeValidator(as_list),
    Field(min_length=1),
    Expects(f"who refuses ({', '.join(Origin)}), or a list of such words"),
    WithJsonSchema({"anyOf": [{"enum": [*Origin]}, {"type": "array", "minItems": 1, "items": {"enum": [*Origin]}}]}),
]
Times = Annotated[int, Strict(), Field(ge=1, le=64)]
Regex = Annotated[str, AfterValidator(_check_regex)]
EventKind = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_.-]*$"), Expects('a lower-case word, such as "fentry"')]


# --- observations --------------------------------------------------------------------------------------------


class EventPattern(Model):
    """One event that must be seen."""

    wishes = OF_EVENT

    kind: EventKind = Field(description="The event's kind: fentry, kprobe, fexit, ...")
    retval: _ANY_INT | None = Field(
        default=None, description="The return value that the event must carry; without it any."
    )
    value: _ANY_INT | FieldReference | None = Field(
        default=None,
        description="The value that the event must carry, or the field of a program's info that it must equal; "
        "without it any.",
    )
    times: Annotated[int, Strict(), Field(ge=1, le=1000)] = Field(
        default=1, description="How many such events follow each other."
    )


class TraceLook(HowMuch):
    """The records of the trace, and how much of them must come."""

    exactly: tuple[EventPattern, ...] | None = Field(default=None, description="All, in this order, and no others.")
    at_least: tuple[EventPattern, ...] | None = Field(
        default=None, description="These, in this order; others may come before, between and after them."
    )
    any_order: tuple[EventPattern, ...] | None = Field(default=None, description="All, in any order, and no others.")
    none: tuple[EventPattern, ...] | None = Field(default=None, description="None of these.")


def _form_of_trace(value: Any) -> str:
    return "mapping" if form_of(value) == "mapping" else "list"


class Observation(Model):
    """What must be seen: of lists of events and records all of them, in this order, and no others."""

    wishes = OF_LOOK

    client: tuple[EventPattern, ...] | None = Field(
        default=None, description="Events of the connecting side; [] for none, left out: not looked at."
    )
    listener: tuple[EventPattern, ...] | None = Field(
        default=None, description="Events of the accepting side; [] for none, left out: not looked at."
    )
    trace: (
        Annotated[
            Annotated[tuple[EventPattern, ...], Tag("list")] | Annotated[TraceLook, Tag("mapping")],
            Discriminator(_form_of_trace),
            Expects("a list of events, or a mapping with one of exactly, at-least, any-order, none"),
        ]
        | None
    ) = Field(
        default=None, description="Records of the trace map (bpf/include/trace.h); [] for none, left out: not read."
    )
    records: Mapping[Place, Records] = Field(
        default={},
        description="Records of ring buffers and perf event arrays, by map, with their members as the object's BTF "
        "names them.",
    )
    globals: Mapping[VariablePath, Value] = Field(
        default={}, description="Global variables, by name or path, and what they must be."
    )
    maps: Mapping[Place, MapContents] = Field(
        default={}, description="Maps, and how many entries they must have, or which values by key."
    )
    printk: Printed | None = Field(
        default=None, description="What bpf_printk() has written since the last look, as regular expressions."
    )
    runs: Mapping[Place, Runs] = Field(
        default={}, description="Programs, and how often they must have run since they were loaded."
    )

    def traced(self) -> tuple[EventPattern, ...] | None:
        """Return the patterns of the trace, None where it is not read."""
        if isinstance(self.trace, TraceLook):
            patterns: tuple[EventPattern, ...] = self.trace.compared()[1]
            return patterns
        return self.trace

    def sides(self) -> dict[str, tuple[EventPattern, ...]]:
        """Return the patterns of the sides of a connection that are looked at, by side."""
        both = {"client": self.client, "listener": self.listener}
        return {side: patterns for side, patterns in both.items() if patterns is not None}


# --- steps ---------------------------------------------------------------------------------------------------


class Opened(Model):
    """How an object is opened, before it is loaded: what its loader would say of it."""

    wishes = OF_OBJECT

    rodata: Mapping[VariablePath, FirstValue] = Field(default={}, description=RODATA)
    attach_to: Mapping[Symbol, AttachPlace] = Field(default={}, description=ATTACH_TO)
    autoload: Mapping[Symbol, Annotated[bool, Strict()]] = Field(default={}, description=AUTOLOAD)
    map_sizes: Mapping[MapName, Entries] = Field(default={}, description=MAP_SIZES)
    pins: Mapping[MapName, PinPath] = Field(default={}, description=PINS)


class _Refusable(CheckedModel):
    model_config = ConfigDict(json_schema_extra={"dependentRequired": {"message": ["refused"], "origin": ["refused"]}})

    refused: Errnos | None = Field(
        default=None, description="The kernel must refuse this step with this errno (or one of these); then go on."
    )
    message: Regex | None = Field(
        default=None, description="A regular expression that the log of this step's refusal must match."
    )
    origin: Origins | None = Field(
        default=None,
        description="Who must refuse it, as in a rule: system-call, libbpf-kernel, libbpf, unknown; without it one of "
        "the first two.",
    )
    stage: KernelStage | None = Field(
        default=None, description="The stage that the step belongs to, if not the usual one."
    )

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """Only a refusal has a log to match."""
        if "message" in data and "refused" not in data:
            yield ("message",), 'needs the key "refused": it is compared with the log of that refusal'
        if "origin" in data and "refused" not in data:
            yield ("origin",), 'needs the key "refused": it says who must refuse the step'


class LoadStep(_Refusable, Opened):
    """Open and load an object."""

    do: Literal["load"] = Field(description="Open and load an object.")
    object: ObjectName = Field(description="The object, one of `objects`.")
    tracing: Mapping[Symbol, FunctionReference] = Field(
        default={}, description="What its programs trace or replace: program -> object.program[:function]."
    )
    share: Mapping[MapName, Reference | Literal["own"]] = Field(
        default={},
        description="Maps that it takes from loaded objects: map -> object.map. Those of the trace "
        "(bpf/include/trace.h) it takes unasked from the object whose trace is read, once that is loaded; `own` keeps "
        "a map its own.",
    )
    only: tuple[Symbol, ...] | None = Field(default=None, description="Load only these of its programs.")
    unprivileged: Annotated[bool, Strict()] = Field(
        default=False, description="Load as a user without capabilities (all before the load is done by root)."
    )
    attach_types: Mapping[Symbol, Literal["fsession"]] = Field(
        default={}, description="Attach types that no section name of the compiler's libbpf gives: program -> type."
    )
    times: Times | None = Field(
        default=None, description="Its programs are numbered: a name in `tracing` stands for name_1, ... name_<times>."
    )


class LoadRawStep(_Refusable):
    """Ask the kernel to load one tracer for one type of the target's BTF."""

    do: Literal["load-raw"] = Field(
        description="Load one tracer by BPF_PROG_LOAD itself: libbpf refuses some targets before the kernel is asked. "
        "The program must do without maps; what the kernel takes is closed at once."
    )
    object: ObjectName = Field(description="The object that has the tracer, one of `objects`; it is only opened.")
    program: Symbol = Field(description="The tracer, a program of that object.")
    target: Reference = Field(description="The loaded program that it is for (attach_prog_fd), as object.program.")
    btf_id: Annotated[int, Strict(), Field(ge=0, le=0x7FFFFFFF)] | None = Field(
        default=None,
        description="The number of a type in that program's BTF (attach_btf_id); without it that of the target's own "
        "function, which libbpf would have looked up.",
    )


class AttachStep(_Refusable):
    """Attach a program."""

    do: Literal["attach"] = Field(description="Attach a program.")
    program: Reference = Field(
        description="The program, as object.program; or a variable in a section .struct_ops, for all its programs."
    )
    to: AttachPlace | None = Field(
        default=None, description="Where it is attached, in place of what its section or `attach-to` of the load says."
    )
    api: Literal["auto", "link-create", "raw-tracepoint-open"] = Field(
        default="auto", description="auto: as libbpf attaches a program of this section; else this command of bpf(2)."
    )
    cookie: Annotated[int, Strict(), Field(ge=0)] | None = Field(
        default=None, description="A cookie for the link (link-create)."
    )
    target: FunctionReference | None = Field(
        default=None, description="With link-create: name the target again, or another than at the load (freplace)."
    )
    link: Symbol | None = Field(default=None, description="The name of the link; without it the program's own name.")
    times: Times | None = Field(
        default=None, description="Attach that many numbered programs, program_<first> and those after it."
    )
    first: Annotated[int, Strict(), Field(ge=1)] = Field(default=1, description="With `times`: the first number.")


class DetachStep(_Refusable):
    """Close a link."""

    do: Literal["detach"] = Field(description="Detach: close the link.")
    link: Symbol = Field(description="The link's name: that of its program, or as `attach` named it.")


class UpdateLinkStep(_Refusable):
    """Put another program into the place of an attached one."""

    do: Literal["update-link"] = Field(description="Put another program into the place of a link's.")
    link: Symbol = Field(description="The link's name.")
    program: Reference = Field(
        description="The program, as object.program; or a variable in a section .struct_ops, for a link of such a one."
    )


class PinStep(_Refusable):
    """Pin a link, a program or a map."""

    model_config = ConfigDict(json_schema_extra={"oneOf": [{"required": [key]} for key in ("link", "program", "map")]})

    do: Literal["pin"] = Field(description="Pin a link, a program or a map in a bpffs; it is gone after the case.")
    link: Symbol | None = Field(default=None, description="A link, by its name.")
    program: Reference | None = Field(default=None, description="A program, as object.program.")
    map: Reference | None = Field(default=None, description="A map, as object.map.")
    path: GuestPath = Field(description="Where, such as /sys/fs/bpf/mine; its folders are made.")

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """One thing is pinned."""
        yield from super().problems(data)
        given = [key for key in ("link", "program", "map") if key in data]
        if len(given) != 1:
            yield (), 'needs one of the keys "link", "program", "map": what is pinned'


class UnpinStep(_Refusable):
    """Remove what is pinned."""

    do: Literal["unpin"] = Field(description="Remove what is pinned; what nobody else has is gone with it.")
    path: GuestPath = Field(description="Where it is pinned.")


class TailCallStep(_Refusable):
    """Fill or empty a slot of a program array."""

    do: Literal["tail-call"] = Field(description="Put a program into a program array.")
    map: Reference = Field(description="The program array, as object.map.")
    index: Annotated[int, Strict(), Field(ge=0, le=0xFFFFFFFF)] = Field(default=0, description="The slot.")
    program: Reference | None = Field(default=None, description="The program; without it the slot is emptied.")


class TriggerStep(_Refusable):
    """Make the target run."""

    do: Literal["trigger"] = Field(description="Make the target run.")
    trigger: Trigger = Field(description="How.")


class ObserveStep(Model):
    """Look at what came since the last look."""

    do: Literal["observe"] = Field(description="Hold what was emitted since the last look against this.")
    expect: Observation = Field(description="What must be seen.")


class InfoStep(Model):
    """Look at what the kernel says of a link or program."""

    do: Literal["info"] = Field(description="Hold bpf_link_info or bpf_prog_info against this.")
    link: Symbol | None = Field(default=None, description="A link by its name.")
    program: Reference | None = Field(default=None, description="A program, as object.program.")
    expect: Mapping[Symbol, Annotated[int, Strict()] | str] = Field(
        description="Fields and what they must be; a text names another program, whose id is meant, or its field "
        "behind a colon (target.entry:btf_id); after `=` a text is meant as it is."
    )


class WaitStep(Model):
    """Let time pass."""

    do: Literal["wait"] = Field(description="Let time pass, for what the kernel does later (RCU, workqueues).")
    seconds: Annotated[float, Field(gt=0, le=10)] = Field(description="How long.")


class StatsStep(Model):
    """Turn on run statistics of BPF programs."""

    do: Literal["enable-stats"] = Field(description="BPF_ENABLE_STATS until the case ends.")


Step: TypeAlias = Annotated[
    LoadStep
    | LoadRawStep
    | AttachStep
    | DetachStep
    | UpdateLinkStep
    | PinStep
    | UnpinStep
    | TailCallStep
    | TriggerStep
    | ObserveStep
    | InfoStep
    | WaitStep
    | StatsStep,
    Field(discriminator="do"),
]
