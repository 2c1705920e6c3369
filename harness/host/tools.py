"""Programs of the host that only some runs need, and what brings them."""

from __future__ import annotations

from dataclasses import dataclass

from harness.host.process import has_tool


@dataclass(frozen=True, kw_only=True)
class HostTool:
    """A program that is needed for `purpose`; Debian's `package` brings it. Any of the `others` does as well."""

    name: str
    package: str
    purpose: str
    others: tuple[str, ...] = ()

    def found(self) -> str | None:
        """Return which of the programs the host has, None where it has none."""
        return next((name for name in (self.name, *self.others) if has_tool(name)), None)
