"""What a guest's programs are compiled to."""

from __future__ import annotations

from typing import Any

from harness.supply.image.guest_compiler import compiled

TYPED = b"""from __future__ import annotations
import os
TYPE_CHECKING = False
if TYPE_CHECKING:
    from no.such import Thing
count: int = 1
nothing: Thing
def f(a: Thing, /, b: Thing = 2, *c: Thing, d: Thing = 4, **e: Thing) -> Thing:
    inner: list[Thing] = [a, b, c, d, e]
    return inner
class C:
    def m(self, a: Thing) -> None:
        self.a: Thing = a
if os.name:
    def g(a: Thing) -> Thing: return a
raised = lambda: 1 / 0
"""


def test_types_cost_a_guest_nothing() -> None:
    code = compiled(TYPED, "typed.py")
    space: dict[str, Any] = {}
    exec(code, space)
    assert "__annotations__" not in space
    assert [space[name].__annotations__ for name in ("f", "g")] == [{}, {}]
    assert space["C"].m.__annotations__ == {}
    assert not {"__future__", "no.such", "Thing"} & set(code.co_names)
    assert space["count"] == 1 and "nothing" not in space
    assert space["f"](1, 5, 3, x=6) == [1, 5, (3,), 4, {"x": 6}]
    made = space["C"]()
    made.m(7)
    assert made.a == 7
    assert space["raised"].__code__.co_firstlineno == TYPED.count(b"\n"), "the lines are those of the source"
