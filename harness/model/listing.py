"""What a BPF object has, as a value: harness/supply/listing.py reads it; cases are compared with it or made of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

ARRAY, PROG_ARRAY, STRUCT_OPS, ARENA = 2, 3, 26, 33
"""Members of enum bpf_map_type (include/uapi/linux/bpf.h). libbpf makes a STRUCT_OPS of each variable in a section
.struct_ops, an ARRAY of each section of data."""
PERF_EVENT_ARRAY, RINGBUF, USER_RINGBUF = 4, 27, 31
RECORD_MAPS = (PERF_EVENT_ARRAY, RINGBUF, USER_RINGBUF)
"""The members of maps whose records are read in their order; the kernel says which keys and values they have."""
TRIGGER_PID = "$trigger-pid"
"""Stands in a case for the process id of its trigger: for a value before the load, and for one that must be seen."""
CHILD_PID = "$child-pid"
"""Stands in a case for the process that its last trigger has started; nobody knows it before."""
AT_LEAST, AT_MOST = "at-least", "at-most"
"""What a case says of a number that may be larger, or smaller."""


@dataclass(frozen=True, kw_only=True)
class Listing:
    """The names that an object has.

    `programs` maps each program to its section's name, `functions` to the functions in it: its own, and all that it
    calls. `maps` maps each map to its type (enum bpf_map_type), None where the object does not say. `registers` are
    the members of its `struct pt_regs`, if it has one.

    `uses` maps each program to the maps that its functions name, with those inside them; a section of data by the
    section's name. `slots` maps each program array that the object fills by itself to the programs in it, `struct_ops`
    each variable of that kind to the programs that it names; `optional` are those that are made only where user space
    asks for it (in a section that begins with ?). `variables` maps each global variable to its section of data, and
    `license` is the object's.
    """

    programs: Mapping[str, str] = field(default_factory=dict)
    functions: Mapping[str, Sequence[str]] = field(default_factory=dict)
    maps: Mapping[str, int | None] = field(default_factory=dict)
    registers: Sequence[str] = ()
    uses: Mapping[str, Sequence[str]] = field(default_factory=dict)
    slots: Mapping[str, Sequence[str]] = field(default_factory=dict)
    struct_ops: Mapping[str, Sequence[str]] = field(default_factory=dict)
    optional: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    license: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the listing as values of JSON, mappings as pairs: their order is the object's."""
        return {
            name: list(value.items()) if isinstance(value, Mapping) else value for name, value in asdict(self).items()
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Listing:
        """Return the listing that `to_json` wrote; raise KeyError or TypeError where it is none."""
        made = cls()
        found: dict[str, Any] = {}
        for name in cls.__dataclass_fields__:
            kept = value[name]
            found[name] = dict(kept) if isinstance(getattr(made, name), Mapping) else kept
        return cls(**found)
