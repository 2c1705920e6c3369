"""Cases with a `setup`, as data: devices, groups and steps that several of them have, and how one is written."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from projects import INPUTS, Done, TemporaryProject

SOURCES = INPUTS / "setup"
PAIR = [
    {"make": "namespace", "name": "other"},
    {
        "make": "veth",
        "name": "a",
        "peer": "b",
        "address": ["10.9.8.1/24", "2001:db8::1/64"],
        "peer-address": ["10.9.8.2/24", "2001:db8::2/64"],
        "peer-namespace": "other",
    },
]
"""10.9.8.2 is where the trigger `udp-device` sends a datagram."""
SENT = {"kind": "call", "name": "udp-device"}
OVER = {"kind": "udp", "to": "10.9.8.2", "to-namespace": "other"}
"""One to somebody who takes it: nothing comes back, as it does for the other (ICMP)."""
SAID = {"kind": "call", "name": "udp-loopback"}
RENAMED = {"kind": "call", "name": "rename-task"}
TARGET, CALLEE = {"kind": "target"}, {"kind": "callee"}


def attach(program: str, to: Any = None, **more: Any) -> dict[str, Any]:
    return {"do": "attach", "program": f"target.{program}", **({} if to is None else {"to": to}), **more}


def seen(trigger: dict[str, Any], *trace: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"do": "trigger", "trigger": trigger}, {"do": "observe", "expect": {"trace": list(trace)}}]


def steps(*programs: str, setup: Sequence[Any], source: str = "target", then: list[Any]) -> dict[str, Any]:
    load = {"do": "load", "object": "target", "only": list(programs)}
    return {"title": "t", "setup": setup, "objects": {"target": f"{source}.bpf.c"}, "steps": [load, *then]}


GROUPS = [
    {"make": "cgroup", "name": "one"},
    {"make": "cgroup", "name": "one/inner"},
    {"make": "cgroup", "name": "two", "join": False},
]


def write(project: TemporaryProject, name: str, keys: dict[str, Any], scenario: str = "") -> None:
    folder = project.folder / "bpf" / name
    folder.mkdir()
    for source in SOURCES.iterdir():
        (folder / source.name).write_text(source.read_text())
    (folder / "case.yaml").write_text(json.dumps(keys))
    if scenario:
        text = textwrap.indent(textwrap.dedent(scenario), "    ")
        (folder / "scenario.py").write_text(f"def scenario(guest):\n{text}")


def cells_of(results: Path, done: Done) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the cells of the latest run below a folder of results, by kernel and case."""
    report = results / "latest/report.json"
    assert report.exists(), done.output
    return {(cell["kernel"], cell["case"]): cell for cell in json.loads(report.read_text())["cells"]}
