"""Programs and headers of the host that only some runs need, and what brings them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import MissingToolError
from harness.host.packages import install_command, or_run
from harness.host.process import has_tool


@dataclass(frozen=True, kw_only=True)
class HostTool:
    """A program, or a file by its path, that is needed for `purpose`; Debian's `package` brings it.

    Any of the `others` does as well.
    """

    name: str
    package: str
    purpose: str
    others: tuple[str, ...] = ()

    def found(self) -> str | None:
        """Return which of the programs or files the host has, None where it has none."""
        return next((name for name in (self.name, *self.others) if _has(name)), None)


def _has(name: str) -> bool:
    return Path(name).exists() if name.startswith("/") else has_tool(name)


def require_tools(tools: Iterable[HostTool]) -> None:
    """Raise MissingToolError where some are missing: what each is needed for, and one command that brings them all."""
    missing = [tool for tool in tools if tool.found() is None]
    if missing:
        lines = [f"{tool.name} is not installed; it is needed to {tool.purpose}." for tool in missing]
        packages = install_command(tool.package for tool in missing)
        raise MissingToolError("\n".join([*lines, f"Install with: {packages}{or_run()}"]))
