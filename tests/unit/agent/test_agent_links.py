"""How links are detached."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from harness.agent.links import CallLink, ElsewhereLink, FdLink


def test_calls_detach_in_their_order() -> None:
    done: list[str] = []
    CallLink(lambda: done.append("filter"), lambda: done.append("qdisc")).close()
    assert done == ["filter", "qdisc"]


def test_what_is_attached_elsewhere_is_detached_there() -> None:
    done: list[str] = []

    @contextlib.contextmanager
    def there() -> Iterator[None]:
        done.append("enter")
        yield
        done.append("leave")

    ElsewhereLink(CallLink(lambda: done.append("filter")), there).close()
    assert done == ["enter", "filter", "leave"]
    assert ElsewhereLink(FdLink(7), there).fd() == 7
