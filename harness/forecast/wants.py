"""What an object wants of a kernel, as values: harness/supply/own/wants.py reads it from the object's file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.forecast.btf import Btf, Order
from harness.forecast.reaching import Code, Place
from harness.forecast.relocations import Relocation

CONFIGURATION = ".kconfig"
"""The section of what is asked of the kernel's configuration, and of libbpf beside it."""


@dataclass(frozen=True)
class Extern:
    """Something of the kernel that an object names: a function (kfunc), a variable, or an option of its configuration.

    `type` is its own type, 0 where it says none: then it is looked for in /proc/kallsyms alone. Of an option it is the
    type of its value. `weak` says that the object can do without it.
    """

    name: str
    section: str
    type: int
    function: bool = False
    weak: bool = False


@dataclass(frozen=True, kw_only=True)
class Operations:
    """A variable of struct_ops: its type, the programs by the members that they are set to, and its other values.

    `set` are the members, other than those, that are not zero.
    """

    name: str
    type: int
    programs: Mapping[str, str]
    set: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class WantedProgram:
    """A program: its section as libbpf knows it, and the functions that it comes to by calls, its own first.

    `target` is what it is attached to: what its section says, or the user in its place. `inside` says that it is a
    program of the same object. `on` says whether it is tried: not where its author means it to be asked for.
    """

    name: str
    section: str
    functions: Sequence[Place]
    target: str = ""
    inside: bool = False
    on: bool = True

    @property
    def place(self) -> Place:
        """Where its first instruction is."""
        return self.functions[0]


@dataclass(frozen=True, kw_only=True)
class Wants:
    """What an object wants. `relocations` are by function, each with the number of its instruction.

    `named` are the externs by the instructions that load or call them; `constants` the sections of data that nobody can
    change; `modules` those that are loaded before it.
    """

    name: str
    order: Order
    types: Btf | None
    programs: Mapping[str, WantedProgram]
    code: Mapping[Place, Code]
    relocations: Mapping[Place, Sequence[tuple[int, Relocation]]] = field(default_factory=dict)
    externs: Mapping[str, Extern] = field(default_factory=dict)
    named: Mapping[tuple[Place, int], str] = field(default_factory=dict)
    constants: Mapping[str, bytes] = field(default_factory=dict)
    operations: Sequence[Operations] = ()
    modules: Sequence[str] = ()
