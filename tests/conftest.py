"""What holds for all tests: those that boot guests leave none behind. Also makes `projects` importable."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from agent_pipe import Pipe
from hypothesis import settings
from projects import guests

# No test is timed: a busy machine must not turn one red. Few examples of each property now, many at night: those of one
# night are others than those of the next.
settings.register_profile("ordinary", deadline=None, max_examples=20)
settings.register_profile("nightly", deadline=None, max_examples=300)
settings.load_profile("ordinary")


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    """A pipe for the agent's lines."""
    pipe = Pipe()
    yield pipe
    pipe.close()


@pytest.fixture(autouse=True)
def _no_guest_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if request.node.get_closest_marker("vm"):
        left = guests(os.getpid())
        assert not left, f"QEMU processes {left} were left behind"
