"""What holds for all tests: those that boot guests leave none behind. Also makes `projects` importable."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from projects import guests


@pytest.fixture(autouse=True)
def _no_guest_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if request.node.get_closest_marker("vm"):
        left = guests(os.getpid())
        assert not left, f"QEMU processes {left} were left behind"
