"""What a scenario.py works with: the guest that its function `scenario` gets, and what that opens, attaches and reads.

Each call that reaches the kernel, and each expectation, is a step of the case: it is reported, judged and named like
those of a case in YAML. Where the kernel or libbpf refuses one, it raises StepRefused; a scenario that does not catch
that ends there, and its cell is `refused`.
"""

from __future__ import annotations

from harness.agent.scenario_base import Mistake, StepRefused
from harness.agent.scenario_objects import Link, Object
from harness.agent.scenario_reading import Globals, Map, Records
from harness.agent.scenario_triggers import Connection, Ended, Triggers

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    import contextlib
    from collections.abc import Mapping, Sequence
    from typing import Any

    from harness.agent.scenario_base import Runner

__all__ = [
    "Connection",
    "Ended",
    "Globals",
    "Guest",
    "Link",
    "Map",
    "Mistake",
    "Object",
    "Records",
    "StepRefused",
    "Triggers",
]

MOST_SHOWN = 300


class Guest:
    """The guest in which the scenario runs: opens objects, makes them run, reads what they emit, expects.

    `release` is the kernel's release (`uname -r`), `machine` the architecture as the kernel calls it, `folder` the
    case's own, where its `files` lie; `trigger` makes programs run. All else that a scenario does (files, sockets,
    processes) it does with Python's own modules: it runs as root, in a process of its own.
    """

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.release: str = runner.release
        self.machine: str = runner.machine
        self.folder: str = runner.folder
        self.trigger: Triggers = Triggers(runner)

    def open(
        self,
        file: str,
        *,
        only: Sequence[str] | None = None,
        maps: Sequence[str] | None = None,
        rodata: Mapping[str, Any] | None = None,
        sizes: Mapping[str, int] | None = None,
        autoload: Mapping[str, bool] | None = None,
        pins: Mapping[str, str] | None = None,
    ) -> Object:
        """Open an object of the case by its source (`target.bpf.c`), its file, or its name (`target`).

        With `only`, just these programs are loaded; with `maps`, all other maps are left out. `rodata` gives global
        variables their first values, by name or path (`limits.ports[2]`); `sizes` gives maps another number of entries,
        `autoload` says of programs whether they are loaded, `pins` where maps are pinned.
        """
        name, path = self._runner.named(file)
        asked = {"only": only and list(only), "maps": None if maps is None else list(maps), "rodata": rodata}
        asked |= {"sizes": sizes, "autoload": autoload, "pins": pins}
        given = {key: value for key, value in asked.items() if value is not None}
        self._runner.step("open", "open", name, object=name, path=path, **given)
        return Object(self._runner, name)

    def ring_buffer(self, owner: Object, name: str, *, record: str = "") -> Records:
        """Read a ring buffer of a loaded object.

        `record` names the structure that its records are (`struct event`), which then come as dictionaries; without it
        they come as bytes. Of a ring buffer all records come that nobody has read, those before this call, too.
        """
        owner.map(name)
        self._runner.step("open", "listen-records", name, object=owner.name, map=name)
        return Records(self._runner, owner.name, name, record)

    def perf_buffer(self, owner: Object, name: str, *, record: str = "") -> Records:
        """Read a perf event array of a loaded object, from now on; `record` is as for `ring_buffer`.

        Bytes have a few more at their end: the kernel pads such records to a multiple of eight, less four.
        """
        owner.map(name)
        self._runner.step("open", "listen-records", name, object=owner.name, map=name)
        return Records(self._runner, owner.name, name, record)

    def expect(self, condition: object, reason: str) -> bool:
        """Expect that a condition holds; where it does not, the cell is `misbehaves`, and the scenario goes on.

        `reason` says what must be, the same on every kernel: the step is called `expect <reason>`, and that is how a
        rule of the case names it. Returns whether it holds.
        """
        self._runner.step("observe", "expect", _line(reason), holds=bool(condition))
        return bool(condition)

    def expect_equal(self, seen: object, wanted: object, reason: str) -> bool:
        """Expect that two values are equal; where they are not, the reports show both. Else as `expect`."""
        text = "" if seen == wanted else f"must be {_line(repr(wanted))}, but is {_line(repr(seen))}"
        self._runner.step("observe", "expect", _line(reason), holds=not text, shown=text)
        return not text

    def must_refuse(
        self, *errnos: str, message: str | None = None, origin: Sequence[str] = ()
    ) -> contextlib.AbstractContextManager[None]:
        """Let the call in a `with` block be one that must be refused, with one of these errnos.

        `message` is a regular expression that the verifier's log or libbpf's text must match. `origin` says who must
        refuse it, as in a rule (`["libbpf"]`); without it the kernel, or libbpf after reading it. The scenario goes on
        behind the block; a call that is accepted, or refused with another errno, makes the cell `misbehaves`.
        """
        return self._runner.refusing(errnos, message=message, origin=list(origin))

    def enable_stats(self) -> None:
        """Count the runs of programs until the case ends (`Object.info`, `run_cnt`)."""
        self._runner.step("open", "enable-stats")

    def unpin(self, path: str) -> None:
        """Remove what is pinned at a path."""
        self._runner.step("detach", "unpin", path, path=path)

    def wait(self, seconds: float) -> None:
        """Let time pass, for what the kernel does later (RCU, workqueues)."""
        self._runner.step("observe", "wait", f"{seconds:g} s", seconds=seconds)


def _line(text: str) -> str:
    """Return a text as one line of bounded length."""
    one = " ".join(text.split())
    return one if len(one) <= MOST_SHOWN else one[: MOST_SHOWN - 3] + "..."
