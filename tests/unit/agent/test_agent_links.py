"""How links are detached."""

from __future__ import annotations

from harness.agent.links import CallLink


def test_calls_detach_in_their_order() -> None:
    done: list[str] = []
    CallLink(lambda: done.append("filter"), lambda: done.append("qdisc")).close()
    assert done == ["filter", "qdisc"]
