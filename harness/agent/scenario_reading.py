"""What a scenario reads of an object: its maps, its global variables, and the records of its buffers."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from harness.agent.scenario_base import Runner


class Map:
    """A map of a loaded object.

    Keys and values are those of its types in the object's BTF: numbers, text for `char` arrays, lists, dictionaries
    for structures, the names of an enumeration's members. Without such types they are numbers of 1, 2, 4 or 8 bytes,
    or bytes. A per-CPU map's values are lists, one value for each possible CPU.
    """

    def __init__(self, runner: Runner, owner: str, name: str) -> None:
        self._runner, self._owner = runner, owner
        self.name: str = name

    def _step(self, op: str, *given: Any) -> Any:
        self._runner.waiting(given)
        stage = "observe" if op in ("read-map", "list-map") else "trigger"
        self._runner.step(stage, op, self.name, object=self._owner, map=self.name)
        return self._runner.seen()

    def get(self, key: Any) -> Any:
        """Return the value of a key, None where the map has none."""
        return self._step("read-map", key)

    def put(self, key: Any, value: Any) -> None:
        """Give a key a value."""
        self._step("write-map", key, value)

    def delete(self, key: Any) -> None:
        """Remove a key, which must be there."""
        self._step("delete-map", key)

    def items(self) -> list[tuple[Any, Any]]:
        """Return its keys with their values, in the kernel's order."""
        found: list[tuple[Any, Any]] = self._step("list-map")
        return found


class Globals:
    """An object's global variables, by name or path (`seen`, `limits.ports[2]`).

    What is set before the load is a variable's first value, of a constant, too; after it, constants cannot be set.
    """

    def __init__(self, runner: Runner, owner: str) -> None:
        self._runner, self._owner = runner, owner

    def __getitem__(self, path: str) -> Any:
        self._runner.step("observe", "read-global", path, object=self._owner)
        return self._runner.seen()

    def __setitem__(self, path: str, value: Any) -> None:
        self._runner.waiting(value)
        self._runner.step("trigger", "write-global", path, object=self._owner)


class Records:
    """The records of a ring or perf buffer."""

    def __init__(self, runner: Runner, owner: str, name: str, record: str) -> None:
        self._runner, self._owner, self._record = runner, owner, record
        self.name: str = name

    def read(self, *, count: int = 0, seconds: float = 2.0) -> list[Any]:
        """Return the records since the last read, all that have come.

        Waits at most `seconds` until there are `count`: a read that expects none needs no time, one that waits for more
        than must come shows that no more do.
        """
        args = {"object": self._owner, "map": self.name, "record": self._record, "count": count, "seconds": seconds}
        self._runner.step("observe", "read-records", self.name, **args)
        found: list[Any] = self._runner.seen()
        return found

    def __iter__(self) -> Iterator[Any]:
        return iter(self.read())
