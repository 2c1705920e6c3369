"""The event that BPF programs emit (bpf/include/event.h) and the agent decodes (EVENT, KINDS) is one and the same."""

from __future__ import annotations

import re
import struct
import subprocess
from collections.abc import Iterable

import pytest
from unit_samples import ROOT

from harness.agent.events import EVENT, HAS_CONNECTION, HAS_RETVAL, HAS_VALUE, KINDS, TRACE, TRACE_LIMIT
from harness.model.architectures import ARCHITECTURES, Architecture
from harness.supply.objects import compile_flags

INCLUDE = ROOT / "bpf/include"
TRACE_HEADER = re.sub(r"/\*.*?\*/", "", (INCLUDE / "trace.h").read_text(), flags=re.DOTALL)
TRACE_FIELDS = ("kind", "flags", "retval", "value")
HEADER = re.sub(r"/\*.*?\*/", "", (INCLUDE / "event.h").read_text(), flags=re.DOTALL)
FIELDS = ("time_ns", "kind", "flags", "retval", "family", "sport", "dport", "saddr", "daddr")
TOKENS = re.findall(r"\d*[a-zA-Z]", EVENT.format.lstrip("="))
EACH = pytest.mark.parametrize("arch", ARCHITECTURES.values(), ids=lambda arch: arch.name)


def offsets() -> dict[str, tuple[int, int]]:
    """Offset and size of each field, as the struct module has it."""
    found = {}
    for index, name in enumerate(FIELDS):
        begin = struct.calcsize("=" + "".join(TOKENS[:index]))
        found[name] = (begin, struct.calcsize("=" + TOKENS[index]))
    return found


def compiled(arch: Architecture, assertions: Iterable[str], *, header: str = "event.h") -> str:
    """Compile assertions for BPF of an architecture's byte order; return what clang says, nothing where they hold."""
    text = f'#include "{header}"\n' + "".join(f'_Static_assert({each}, "{each}");\n' for each in assertions)
    command = ["clang", *compile_flags(arch, include=[INCLUDE]), "-fsyntax-only", "-xc", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False).stderr


def enumeration(name: str) -> dict[str, int]:
    match = re.search(rf"enum {name} {{(.*?)}};", HEADER, re.DOTALL)
    assert match is not None
    return {key: int(value) for key, value in re.findall(r"(\w+) = (\d+)", match.group(1))}


def test_the_format_has_the_fields_of_the_structure() -> None:
    assert len(TOKENS) == len(FIELDS)
    match = re.search(r"struct event {(.*?)};", HEADER, re.DOTALL)
    assert match is not None
    assert tuple(re.findall(r"\b(\w+)(?:\[\d+\])?;", match.group(1))) == FIELDS


@EACH
def test_every_field_lies_where_the_agent_reads_it(arch: Architecture) -> None:
    where = offsets()
    assertions = [f"sizeof(struct event) == {EVENT.size}"]
    for name, (begin, size) in where.items():
        assertions.append(f"__builtin_offsetof(struct event, {name}) == {begin}")
        assertions.append(f"sizeof(((struct event *)0)->{name}) == {size}")
    assertions.append("(__typeof__(((struct event *)0)->retval))-1 < 0")
    assertions.append("(__typeof__(((struct event *)0)->time_ns))-1 > 0")
    assert compiled(arch, assertions) == ""


@EACH
def test_the_values_are_those_that_the_agent_knows(arch: Architecture) -> None:
    kinds, flags = enumeration("event_kind"), enumeration("event_flags")
    assertions = [f"{name} == {value}" for name, value in {**kinds, **flags}.items()]
    assert compiled(arch, assertions) == ""
    assert {value: name.removeprefix("EVENT_").lower().replace("_", "-") for name, value in kinds.items()} == KINDS
    assert flags == {
        "EVENT_HAS_RETVAL": HAS_RETVAL,
        "EVENT_HAS_CONNECTION": HAS_CONNECTION,
        "EVENT_HAS_VALUE": HAS_VALUE,
    }


def test_the_trace_has_the_fields_that_the_agent_reads() -> None:
    match = re.search(r"struct trace_record {(.*?)};", TRACE_HEADER, re.DOTALL)
    assert match is not None
    assert tuple(re.findall(r"\b(\w+);", match.group(1))) == TRACE_FIELDS
    assert re.search(rf"#define TRACE_SIZE {TRACE_LIMIT}\b", TRACE_HEADER)
    for name in ("trace", "trace_cursor"):
        assert f'}} {name} SEC(".maps");' in TRACE_HEADER
        assert f'"{name}"' in (ROOT / "harness/agent/steps.py").read_text()


@EACH
def test_every_field_of_a_trace_record_lies_where_the_agent_reads_it(arch: Architecture) -> None:
    tokens = TRACE.format.lstrip("=")
    assert len(tokens) == len(TRACE_FIELDS)
    assertions = [f"sizeof(struct trace_record) == {TRACE.size}"]
    for index, name in enumerate(TRACE_FIELDS):
        begin, size = struct.calcsize("=" + tokens[:index]), struct.calcsize("=" + tokens[index])
        assertions.append(f"__builtin_offsetof(struct trace_record, {name}) == {begin}")
        assertions.append(f"sizeof(((struct trace_record *)0)->{name}) == {size}")
        sign = "<" if tokens[index].islower() else ">"
        assertions.append(f"(__typeof__(((struct trace_record *)0)->{name}))-1 {sign} 0")
    assert compiled(arch, assertions, header="trace.h") == ""
    assert "failed" in compiled(arch, ["sizeof(struct trace_record) == 1"], header="trace.h")


def test_an_assertion_that_does_not_hold_is_noticed() -> None:
    x86 = ARCHITECTURES["x86_64"]
    assert "failed" in compiled(x86, ["sizeof(struct event) == 1"])


def test_addresses_have_room_for_ipv6() -> None:
    assert offsets()["saddr"][1] == offsets()["daddr"][1] == 16
