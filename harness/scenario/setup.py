"""From what a case declares in `setup` to the steps that make it, and the kernel modules that these need. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.config.setup import FILE_SYSTEMS, QDISCS, Thing
from harness.model.results import Stage
from harness.scenario.case import MAKE, AgentStep

NEEDED: Mapping[str, Callable[[Any], str]] = {
    "veth": lambda _thing: "veth",
    "dummy": lambda _thing: "dummy",
    "qdisc": lambda thing: QDISCS[thing.kind],
    "mount": lambda thing: FILE_SYSTEMS[thing.type],
}
"""The module of a thing, by its kind; no other kind needs one."""
CALLED: Mapping[str, Callable[[Any], str]] = {
    "qdisc": lambda thing: f"{thing.kind} {thing.device}",
    "mount": lambda thing: thing.at,
}
"""What tells a thing from others of its kind, where that is not its name."""


def making(setup: Sequence[Thing]) -> Iterator[AgentStep]:
    """Yield the steps that make things, in their order."""
    for thing in setup:
        keys = thing.model_dump(mode="json", exclude_none=True)
        if thing.make in NEEDED:
            keys["module"] = NEEDED[thing.make](thing)
        name = CALLED[thing.make](thing) if thing.make in CALLED else keys["name"]
        yield AgentStep(stage=Stage.OPEN, op=MAKE, what=f"{thing.make} {name}", args={"thing": keys})


def modules_of(setup: Sequence[Thing]) -> tuple[str, ...]:
    """Return the modules that things need, each once; what is none on a kernel is built in, or not there."""
    return tuple(dict.fromkeys(NEEDED[thing.make](thing) for thing in setup if thing.make in NEEDED))
