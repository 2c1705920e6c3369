"""Which cases of a job can be tried by processes that share one load of their object. Pure.

Most of what a program of an object costs is libbpf's opening and loading of the object, whose other programs, types and
relocations must all be read for each of them. A load that succeeds says of all its programs that each loads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

LOADING = ("open", "set-attach-target", "load", "tail-call")
"""The steps that are done once, for all; each of the cases begins with such steps."""
LEAST = 3
"""How many cases must share a load for it to be worth one process more."""
NAMES, MAPPINGS = ("only", "maps"), ("sections", "rodata", "sizes", "pins")
"""Keys of a step that opens an object: those with lists of names, and those with mappings."""


def shared_loads(jobs: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return what is loaded once for those cases of a job that have the key `shares`, by that, as jobs have it.

    Its steps load all that the steps of those cases load.
    """
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for job in jobs:
        if "shares" in job:
            groups.setdefault(job["shares"], []).append(job)
    return [_load(name, group) for name, group in groups.items() if len(group) >= LEAST]


def _load(name: str, group: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    first = group[0]
    steps = [step for job in group for step in job["steps"]]
    others = {step["what"]: step for step in steps if step["op"] in ("set-attach-target", "tail-call")}
    load = next(step for step in steps if step["op"] == "load")
    return {
        "id": name,
        "deadline": min(job["deadline"] for job in group),
        **({"btf": first["btf"]} if "btf" in first else {}),
        "steps": [
            opening([step for step in steps if step["op"] == "open"]),
            *(step for step in others.values() if step["op"] == "set-attach-target"),
            load,
            *(step for step in others.values() if step["op"] == "tail-call"),
        ],
    }


def opening(steps: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the step that opens an object for all that these open it for."""
    opened = dict(steps[0])
    for key in NAMES:
        opened[key] = list(dict.fromkeys(name for step in steps for name in step.get(key, ())))
    for key in MAPPINGS:
        merged = {name: value for step in steps for name, value in step.get(key, {}).items()}
        if merged:
            opened[key] = merged
    return opened
