"""Bounds a whole Report: every string, every list of lines, and whatever the agent put into its objects.

The renderers begin with this, so that no field of a Report can be forgotten.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, cast

from harness.model.results import PartResult, Report

_DEEPEST = 32
_FREE_FIELDS = frozenset({"asked", "events", "environment", "seen"})
"""The fields of the model that hold what the agent sent: any JSON value."""

_PLAIN = (bool, int, type(None))

_NO_64_BIT_INTEGER = 2**64
"""From here on an integer is one that readers of JSON with 64-bit integers would change."""


def bounded(report: Report, *, string: Callable[[str], str], items: int) -> Report:
    """Return `report` with `string` applied to every string and key, and lists cut to `items` entries.

    What is cut from a list leaves a mark in its place that says how much it was. The grid itself (kernels, cases,
    cells and their parts) is never cut, and its names stay apart. Values that JSON cannot carry become strings, and
    durations that are no finite number become 0. Applied twice it changes nothing more, if `string` does not.
    """
    made = cast(Report, _Bounds(string=string, items=items).typed(report))
    kernels = _renamed([kernel.name for kernel in report.kernels], string)
    cases = _renamed([case for case, _ in report.cases], string)
    return replace(
        made,
        kernels=tuple(
            replace(new, name=kernels[old.name]) for new, old in zip(made.kernels, report.kernels, strict=True)
        ),
        cases=tuple((cases[old], title) for (_, title), (old, _) in zip(made.cases, report.cases, strict=True)),
        cells=tuple(
            replace(
                new,
                kernel=kernels.get(old.kernel, new.kernel),
                case=cases.get(old.case, new.case),
                parts=_apart(new.parts, old.parts, string),
            )
            for new, old in zip(made.cells, report.cells, strict=True)
        ),
    )


def _apart(
    new: tuple[PartResult, ...], old: tuple[PartResult, ...], string: Callable[[str], str]
) -> tuple[PartResult, ...]:
    """Return the parts of a cell with names that stay apart."""
    names = _renamed([part.name for part in old], string)
    return tuple(replace(made, name=names[part.name]) for made, part in zip(new, old, strict=True))


def _renamed(names: list[str], string: Callable[[str], str]) -> dict[str, str]:
    """Return what each name becomes: two that `string` makes alike stay apart, so that no cell is hidden."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        wanted = new = string(name)
        number = 1
        while new in taken:
            number += 1
            new = f"{wanted}.{number}"
        taken.add(new)
        found[name] = new
    return found


class _Bounds:
    def __init__(self, *, string: Callable[[str], str], items: int) -> None:
        self._string = string
        self._made: dict[str, str] = {}
        self._names: dict[type, tuple[str, ...]] = {}
        self.items = items

    def string(self, value: str) -> str:
        """Bound a string; most come many times in a report."""
        made = self._made.get(value)
        if made is None:
            made = self._made[value] = self._string(value)
        return made

    def typed(self, value: Any) -> Any:
        """Bound a value of the model, keeping its type."""
        kept = value
        kind = type(value)
        if kind is str:
            kept = self.string(value)
        elif kind in _PLAIN or not value:
            pass  # most fields of a cell are empty
        elif isinstance(value, Enum):
            pass
        elif isinstance(value, str):
            kept = self.string(value)
        elif isinstance(value, float):
            kept = value if math.isfinite(value) else 0.0
        elif isinstance(value, tuple) and all(isinstance(item, str) for item in value):
            kept = tuple(self.typed(line) for line in self._cut(value, "lines"))
        elif isinstance(value, tuple):
            kept = tuple(self.typed(item) for item in value)
        elif isinstance(value, dict):
            kept = {self.string(str(key)): self.typed(item) for key, item in value.items()}
        elif is_dataclass(value):
            names = self._names.get(kind) or self._names.setdefault(kind, tuple(each.name for each in fields(value)))
            kept = kind(**{name: self._member(name, getattr(value, name)) for name in names})
        return kept

    def _member(self, name: str, value: Any) -> Any:
        if name == "events":
            return tuple(
                self.free(event, 1) if isinstance(event, dict) else {"kind": self.string(str(event))}
                for event in self._cut(value, "events")
            )
        if name == "seen" and isinstance(value, tuple):
            return self._member("events", value)
        return self.free(value, 0) if name in _FREE_FIELDS else self.typed(value)

    def free(self, value: Any, depth: int) -> Any:
        """Bound a value from the agent, which may be anything that JSON can say."""
        kept = value
        if depth > _DEEPEST:
            kept = "[... nested too deep ...]"
        elif isinstance(value, str):
            kept = self.string(str(value))
        elif isinstance(value, bool) or value is None:
            pass
        elif isinstance(value, int):
            kept = value if abs(value) < _NO_64_BIT_INTEGER else self.string(hex(value))
        elif isinstance(value, float):
            kept = value if math.isfinite(value) else str(value)
        elif isinstance(value, dict):
            pairs = list(value.items())
            if len(pairs) > self.items:
                cut = len(pairs) - self.items + 1
                pairs = [*pairs[: self.items - 1], (f"[... {cut} entries cut ...]", None)]
            kept = {self.string(str(key)): self.free(item, depth + 1) for key, item in pairs}
        elif isinstance(value, list | tuple):
            kept = [self.free(item, depth + 1) for item in self._cut(value, "items")]
        else:
            kept = self.string(repr(value))
        return kept

    def _cut(self, values: Sequence[Any], what: str) -> list[Any]:
        """Return at most `self.items` entries: the head, a mark in place of what is cut, the tail."""
        if len(values) <= self.items:
            return list(values)
        head = (self.items - 1) // 3
        tail = self.items - 1 - head
        return [*values[:head], f"[... {len(values) - head - tail} {what} cut ...]", *values[-tail:]]
