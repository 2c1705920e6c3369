"""What a scenario's API and what runs it have in common: the exceptions, and what the one asks of the other."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    import contextlib
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, Protocol

    class Runner(Protocol):
        """Executes the steps of a scenario (harness/agent/scenario_run.py)."""

        release: str
        machine: str
        folder: str

        def step(self, stage: str, op: str, what: str = "", **args: Any) -> dict[str, Any]:
            """Execute and report one step; return its report."""

        def named(self, file: str) -> tuple[str, str]:
            """Return the name of an object that is opened now, and its file in the guest."""

        def programs(self, owner: str) -> list[str]:
            """Return the names of an object's programs."""

        def maps(self, owner: str) -> list[str]:
            """Return the names of an object's maps."""

        def made(self, kind: str) -> list[str]:
            """Return the names of the things of a kind that the case's setup has made."""

        def seen(self) -> Any:
            """Return what the last step has read."""

        def refusing(self, errnos: tuple[str, ...], **more: Any) -> contextlib.AbstractContextManager[None]:
            """Let the steps of a block be those that must be refused."""

        def waiting(self, value: Any) -> None:
            """Give the next step a value that is not reported."""


class StepRefused(Exception):
    """The kernel or libbpf refused a step, or the guest's own call failed.

    `errno` is its name (`"EINVAL"`), `detail` what libbpf said, `log` the verifier's text.
    """

    def __init__(self, index: int, what: str, errno: str, detail: str, log: str) -> None:
        super().__init__(f"{what}: {errno} ({detail})")
        self.index, self.what, self.errno, self.detail, self.log = index, what, errno, detail, log


class Mistake(Exception):
    """The scenario names what is not there, or gives what does not fit; `there` is what there is."""

    def __init__(self, text: str, name: str = "", there: Sequence[str] = ()) -> None:
        super().__init__(text)
        self.name, self.there = name, list(there)


PLACES = {
    "device": {"mode", "direction", "priority", "before", "after"},
    "cgroup": {"flags", "before", "after"},
    "namespace": set[str](),
}
"""What a program is attached to that its setup has made, and what else is said of that place."""


def check_place(place: Mapping[str, Any], made: Callable[[str], list[str]]) -> None:
    """Raise Mistake where a place names what is not made, or says what nobody knows; `made` lists what there is."""
    kinds = [kind for kind in PLACES if kind in place]
    if len(kinds) != 1:
        raise Mistake(f"a place has one of the keys {', '.join(PLACES)}, beside what else is said of it; not {place}")
    for key in place.keys() - PLACES[kinds[0]] - {kinds[0]}:
        raise Mistake(f"a place that is a {kinds[0]} has no key {key}", key, sorted(PLACES[kinds[0]]))
    named = [(kinds[0], place[kinds[0]]), *(("link", place[key]) for key in ("before", "after") if key in place)]
    for kind, name in named:
        if name not in made(kind) and (kind, name) != ("device", "lo"):
            whose = "there is no link" if kind == "link" else f"the case's setup makes no {kind}"
            raise Mistake(f"{whose} {name}", name, made(kind))
