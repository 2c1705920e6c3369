"""The names of errnos."""

from __future__ import annotations

import pytest

from harness.agent.refusal import errno_name


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (524, "ENOTSUPP"),
        (95, "EOPNOTSUPP"),
        (35, "EDEADLK"),
        (22, "EINVAL"),
        (13, "EACCES"),
        (1, "EPERM"),
        (2, "ENOENT"),
        (7, "E2BIG"),
        (517, "EPROBE_DEFER"),
        (512, "ERESTARTSYS"),
        (0, "E?0"),
        (9999, "E?9999"),
    ],
)
def test_errnos_have_the_kernels_names(number: int, name: str) -> None:
    assert errno_name(number) == name
