"""The objects that a scenario.py opens, and the links by which their programs are attached."""

from __future__ import annotations

from harness.agent.scenario_base import Mistake, check_place
from harness.agent.scenario_reading import Globals, Map

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from harness.agent.scenario_base import Runner


class Object:
    """An object that is open: prepared, then loaded, then attached. `name` is what steps call it."""

    def __init__(self, runner: Runner, name: str) -> None:
        self._runner = runner
        self.name: str = name
        self.globals: Globals = Globals(runner, name)
        self._role = "target"

    @property
    def programs(self) -> list[str]:
        """The names of its programs."""
        return self._runner.programs(self.name)

    def program(self, name: str) -> str:
        """Return the name of a program; an error with the line of the scenario where the object has none such."""
        if name not in self.programs:
            raise Mistake(f"{self.name} has no program {name}", name, self.programs)
        return name

    def load(self, *, unprivileged: bool = False, stats: bool = False) -> None:
        """Load its maps and programs; with `unprivileged` as a user without capabilities.

        With `stats` the verifier's numbers are kept for `measure`.
        """
        args = {"unprivileged": True} if unprivileged else {}
        args |= {"stats": True} if stats else {}
        self._runner.step(f"load-{self._role}", "load", self.name, object=self.name, **args)

    def attach_to(self, program: str, target: Object, target_program: str, function: str | None = None) -> None:
        """Say before the load which program of a loaded object one of its tracers is for.

        `function` is a function inside that program; without it the program's own. The object's load and attachments
        are from then on those of a tracer (`load-tracer`, `attach-tracer`).
        """
        self.program(program)
        target.program(target_program)
        self._role = "tracer"
        self._runner.step(
            "load-tracer",
            "set-attach-target",
            program,
            object=self.name,
            program=program,
            target_object=target.name,
            target=target_program,
            function=function or target_program,
        )

    def share_map(self, name: str, owner: Object, owners_map: str | None = None) -> None:
        """Use a map of a loaded object in place of its own, before its load."""
        self.map(name)
        source = owner.map(owners_map or name).name
        self._runner.step(
            f"load-{self._role}", "share-map", name, object=self.name, map=name, from_object=owner.name, from_map=source
        )

    def attach(
        self,
        program: str,
        *,
        to: str | Sequence[str] | Mapping[str, Any] | None = None,
        link: str | None = None,
    ) -> Link:
        """Attach a program as its section says; `link` names the link, else it has the program's name.

        `to` is what would be behind the section's slash (or a list of functions, for kprobe.multi), or a place that the
        `setup` of the case's case.yaml has made: `{"device": "a", "mode": "native"}`, `{"cgroup": "one"}`,
        `{"namespace": "other"}` (docs/setup.md).
        """
        self.program(program)
        name = link or program
        args: dict[str, Any] = {"object": self.name, "program": program, "link": name, **_chosen(self._runner, to)}
        report = self._runner.step(f"attach-{self._role}", "attach", name, **args)
        return Link(self._runner, name, xdp=report.get("xdp", ""))

    def pin(self, name: str, path: str) -> None:
        """Pin a program or a map at a path in a bpffs; it is gone after the case."""
        if name in self.programs:
            self._runner.step(f"load-{self._role}", "pin", name, object=self.name, program=name, path=path)
        else:
            self.map(name)
            self._runner.step(f"load-{self._role}", "pin", name, object=self.name, map=name, path=path)

    def attach_map(self, name: str, *, link: str | None = None) -> Link:
        """Attach a struct_ops map, all its programs at once."""
        self.map(name)
        self._runner.step(f"attach-{self._role}", "attach-map", name, object=self.name, map=name, link=link or name)
        return Link(self._runner, link or name)

    def fill_slot(self, array: str, index: int, program: str, owner: Object | None = None) -> None:
        """Put a program, its own or another object's, into a slot of its program array."""
        self.map(array)
        holder = owner or self
        holder.program(program)
        self._slot(array, index, holder.name, program)

    def empty_slot(self, array: str, index: int) -> None:
        """Empty a slot of its program array."""
        self.map(array)
        self._slot(array, index, self.name, "")

    def _slot(self, array: str, index: int, holder: str, program: str) -> None:
        of = {"object": self.name, "map": array, "index": index, "program_object": holder, "program": program}
        self._runner.step(f"attach-{self._role}", "tail-call", program or array, **of)

    def map(self, name: str) -> Map:
        """Return a map by its name; one of global data by its section (`.bss`)."""
        there = self._runner.maps(self.name)
        if name not in there:
            raise Mistake(f"{self.name} has no map {name}", name, there)
        return Map(self._runner, self.name, name)

    def info(self, program: str) -> dict[str, Any]:
        """Return what the kernel says of a loaded program: the numbers of struct bpf_prog_info, and its name."""
        self.program(program)
        found: dict[str, Any] = self._runner.step("observe", "info", program, object=self.name, program=program)["info"]
        return found

    def measure(self, program: str) -> dict[str, Any]:
        """Return what is measured of a loaded program: instructions, bytes, and the verifier's numbers."""
        self.program(program)
        report = self._runner.step("observe", "measure", program, object=self.name, program=program)
        found: dict[str, Any] = report["measured"]
        return found


class Link:
    """A program that is attached, by the name of its link.

    `xdp` says of an XDP program how it runs, as the kernel has it: `native` or `generic`.
    """

    def __init__(self, runner: Runner, name: str, *, xdp: str = "") -> None:
        self._runner = runner
        self.name: str = name
        self.xdp: str = xdp

    def detach(self) -> None:
        """Detach it; what is pinned stays attached until it is unpinned, too."""
        self._runner.step("detach", "detach", self.name, link=self.name)

    def update(self, owner: Object, program: str) -> None:
        """Put another program, or another struct_ops map, into the place of the one that is attached."""
        if program in owner.programs:
            args = {"object": owner.name, "program": program}
        else:
            args = {"object": owner.name, "map": owner.map(program).name}
        self._runner.step("attach-target", "update-link", self.name, link=self.name, **args)

    def pin(self, path: str) -> None:
        """Pin it at a path in a bpffs; it is gone after the case."""
        self._runner.step("attach-target", "pin", self.name, link=self.name, path=path)

    def info(self) -> dict[str, Any]:
        """Return what the kernel says of the link: the numbers of struct bpf_link_info."""
        found: dict[str, Any] = self._runner.step("observe", "info", self.name, link=self.name)["info"]
        return found


def _chosen(runner: Runner, to: Any) -> dict[str, Any]:
    """Return how a step says where a program is attached; raise Mistake where the case's setup has no such place."""
    if to is None:
        return {}
    if not hasattr(to, "keys"):
        return {"to": to if hasattr(to, "encode") else list(to)}
    check_place(to, runner.made)
    return {"place": dict(to)}
