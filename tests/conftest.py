"""What holds for all tests: those with guests come first and leave none behind. Also makes `projects` importable."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from agent_pipe import Pipe
from hypothesis import settings
from projects import guests

# No test is timed: a busy machine must not turn one red. Few examples of each property now, many at night: those of one
# night are others than those of the next.
settings.register_profile("ordinary", deadline=None, max_examples=20)
settings.register_profile("nightly", deadline=None, max_examples=300)
settings.load_profile("ordinary")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests with guests first: those without are many and short, and keep all cores busy to the end."""
    items.sort(key=lambda item: item.get_closest_marker("vm") is None)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe for the agent's lines."""
    pipe = Pipe()
    yield pipe
    pipe.close()


@pytest.fixture
def temporary() -> Iterator[Path]:
    """An empty folder for what runs have for a while, with a short path: sockets in it are limited to 107 bytes.

    (unix(7); `tmp_path` names the test, and the process that runs it.) Tests see to it that nothing is left in it.
    """
    with tempfile.TemporaryDirectory(prefix="t.") as folder:
        yield Path(folder)


@pytest.fixture(autouse=True)
def _no_guest_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if request.node.get_closest_marker("vm"):
        left = guests(os.getpid())
        assert not left, f"QEMU processes {left} were left behind"
