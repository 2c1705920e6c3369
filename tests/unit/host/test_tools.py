"""Programs of the host that only some runs need."""

from __future__ import annotations

from harness.host.tools import HostTool


def test_the_first_that_is_there_is_taken() -> None:
    tool = HostTool(name="no-such-tool", package="p", purpose="do something", others=("no-other", "sh", "env"))
    assert tool.found() == "sh"
    assert HostTool(name="env", package="p", purpose="do something", others=("sh",)).found() == "env"


def test_one_that_is_not_there_is_not_found() -> None:
    assert HostTool(name="no-such-tool", package="p", purpose="do something").found() is None
