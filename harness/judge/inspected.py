"""Comparing what was found beside events with what a case says must be there. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.model.listing import AT_LEAST, AT_MOST, CHILD_PID, TRIGGER_PID
from harness.model.results import Difference, DifferenceKind, Stage
from harness.scenario.case import Inspected
from harness.scenario.inspected import MATCHES

SHOWN = 20
"""Of so many records at most a sentence shows what they are."""
CPUS = "cpus"
"""The key of a value that a map has for each processor (harness/agent/inspecting.py)."""
Pids = Mapping[str, int | None]
"""The process ids that texts of a case stand for: $trigger-pid, $child-pid."""
NO_PIDS: Pids = {}
PREFIXES = {"control": "with the tracers detached, ", "again": "with other programs in the slots, "}
"""How a sentence about a look of the usual order begins, where that is not the first."""


def inspected_differences(
    wanted: Sequence[Inspected], report: Mapping[str, Any], *, step: str, stage: Stage
) -> list[Difference] | str:
    """Return a difference for each thing that is not as it must be; a text where that cannot be said, and why.

    `report` is that of the step `inspect`, with what was `found` of each thing in their order.
    """
    answers = report.get("found", [])
    if len(answers) != len(wanted):
        return f"the agent found {len(answers)} of {len(wanted)} things that were looked at"
    pids = {TRIGGER_PID: report.get("trigger_pid"), CHILD_PID: report.get("child_pid")}
    differences = []
    for one, answer in zip(wanted, answers, strict=True):
        seen, sentence = _seen(one, answer, pids)
        # What was lost may be what was asked for, or what must not come.
        if answer.get("lost") and (sentence or one.how != "at-least"):
            return f"{answer['lost']} {_thing(one)} were lost on their way out of the guest ({step})"
        if sentence:
            note = f" ({answer['note']})" if answer.get("note") else ""
            differences.append(
                Difference(
                    step=step,
                    stage=stage,
                    kind=DifferenceKind.INSPECTED,
                    of=f"{one.kind} {one.name}".strip(),
                    seen=seen,
                    text=f"{PREFIXES.get(step, '')}{sentence}{note}",
                )
            )
    return differences


def fits(pattern: Any, value: Any, *, pids: Pids = NO_PIDS) -> bool:
    """Return whether a value is as a pattern says; of a structure only the members that the pattern names count.

    A number compared with values for each processor means their sum. `pids` are the process
    ids that texts stand for.
    """
    if isinstance(value, Mapping) and value.keys() == {CPUS} and not isinstance(pattern, list | tuple):
        numbers = all(isinstance(each, int) for each in value[CPUS])
        return numbers and fits(pattern, sum(value[CPUS]), pids=pids)
    if isinstance(value, Mapping) and value.keys() == {CPUS}:
        value = value[CPUS]
    if isinstance(pattern, str) and pids.get(pattern):
        return bool(value == pids[pattern])
    if isinstance(pattern, Mapping):
        return _fits_mapping(pattern, value, pids=pids)
    if isinstance(pattern, list | tuple):
        return (
            isinstance(value, list | tuple)
            and len(pattern) == len(value)
            and all(fits(each, of, pids=pids) for each, of in zip(pattern, value, strict=True))
        )
    return bool(pattern == value)


def _fits_mapping(pattern: Mapping[str, Any], value: Any, *, pids: Pids) -> bool:
    if MATCHES in pattern:
        return isinstance(value, str) and re.search(pattern[MATCHES], value) is not None
    if pattern.keys() & {AT_LEAST, AT_MOST}:
        return isinstance(value, int) and pattern.get(AT_LEAST, value) <= value <= pattern.get(AT_MOST, value)
    return isinstance(value, Mapping) and all(
        fits(each, member(value, path), pids=pids) for path, each in pattern.items()
    )


def member(value: Any, path: str) -> Any:
    """Return what a path (`a.b[2]`) means in a decoded value, None where that is nothing."""
    for name in path.replace("[", ".[").split("."):
        if name.startswith("["):
            index = int(name[1:-1])
            value = value[index] if isinstance(value, list | tuple) and index < len(value) else None
        else:
            value = value.get(name) if isinstance(value, Mapping) else None
    return value


def come_as(how: str, patterns: Sequence[Any], found: Sequence[Any], matches: Callable[[Any, Any], bool]) -> bool:
    """Return whether what came is as it must be; `how` is exactly, at-least, any-order or none."""
    if how == "none":
        return not any(matches(pattern, each) for pattern in patterns for each in found)
    if how == "at-least":
        rest = iter(found)
        return all(any(matches(pattern, each) for each in rest) for pattern in patterns)
    if len(patterns) != len(found):
        return False
    if how == "any-order":
        return _paired(patterns, found, matches)
    return all(matches(pattern, each) for pattern, each in zip(patterns, found, strict=True))


def _paired(patterns: Sequence[Any], found: Sequence[Any], matches: Callable[[Any, Any], bool]) -> bool:
    """Return whether each pattern can have one of its own of what came: a pattern may fit several."""
    taken: dict[int, int] = {}

    def place(index: int, tried: set[int]) -> bool:
        for other, each in enumerate(found):
            if other not in tried and matches(patterns[index], each):
                tried.add(other)
                if other not in taken or place(taken[other], tried):
                    taken[other] = index
                    return True
        return False

    return all(place(index, set()) for index in range(len(patterns)))


def _seen(one: Inspected, answer: Mapping[str, Any], pids: Pids) -> tuple[Any, str]:
    """Return what was seen of one thing, and what is wrong with it, "" for nothing."""
    if one.kind in ("records", "printk"):
        records = answer.get("records", [])
        if come_as(one.how, one.wanted, records, lambda pattern, each: fits(pattern, each, pids=pids)):
            return records, ""
        others = f"; {answer['others']} of other processes are left out" if answer.get("others") else ""
        return records, f"{_demand(one)}, but {_list(records)} came{others}"
    if one.kind == "map":
        return _seen_in_map(one, answer, pids)
    value, (pattern,) = answer.get("value"), one.wanted
    if fits(pattern, value, pids=pids):
        return value, ""
    verb = "must have run" if one.kind == "runs" else "must be"
    return value, f"{_thing(one)} {verb} {_text(pattern)}, but {'ran' if one.kind == 'runs' else 'is'} {_text(value)}"


def _seen_in_map(one: Inspected, answer: Mapping[str, Any], pids: Pids) -> tuple[Any, str]:
    entries = answer.get("entries", [])
    if one.how == "count":
        (pattern,), count = one.wanted, len(entries) + answer.get("left_out", 0)
        wrong = not fits(pattern, count)
        return count, f"{_thing(one)} must have {_text(pattern)} entries, but has {count}" if wrong else ""
    wrong_entries = []
    for key, pattern in one.wanted:
        there = [value for of, value in entries if str(of) == key or fits(key, of, pids=pids)]
        if not any(fits(pattern, value, pids=pids) for value in there):
            found = _text(there[0]) if there else "missing"
            wrong_entries.append(f"{_text(key)} must be {_text(pattern)}, but is {found}")
    return entries, f"{_thing(one)}: {', '.join(wrong_entries)}" if wrong_entries else ""


def _thing(one: Inspected) -> str:
    names = {"records": "records of {}", "printk": "lines of bpf_printk()", "global": "the variable {}"}
    return {**names, "map": "the map {}", "runs": "the program {}"}[one.kind].format(one.name)


def _demand(one: Inspected) -> str:
    word = {"exactly": "exactly ", "at-least": "at least ", "any-order": "in any order ", "none": "none of "}[one.how]
    return f"of the {_thing(one)} {word}{_list(one.wanted)} must come"


def _list(records: Sequence[Any]) -> str:
    if records and all(each == {} for each in records):
        return str(len(records))
    texts = [_text(each) for each in records[:SHOWN]]
    more = f", and {len(records) - SHOWN} more" if len(records) > SHOWN else ""
    return ", ".join(texts) + more if texts else "nothing"


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        if MATCHES in value:
            return f"/{value[MATCHES]}/"
        if value.keys() == {"text"} and isinstance(value["text"], Mapping):
            return _text(value["text"])
        if value.keys() == {CPUS}:
            return f"{json.dumps(value[CPUS])} by processor"
        return "{" + ", ".join(f"{key}: {_text(each)}" for key, each in value.items()) + "}"
    return json.dumps(value) if isinstance(value, str | bool | None) else str(value)
