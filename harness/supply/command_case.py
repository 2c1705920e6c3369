"""A command of the command line as a case of a plan."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.errors import ConfigError
from harness.model.architectures import Architecture
from harness.model.results import Expectation, OutcomeKind
from harness.scenario.case import Case
from harness.scenario.from_command import case_of
from harness.supply.dependencies import Sight
from harness.supply.objects import ObjectBuilder
from harness.supply.unbuilt import BuiltCase
from harness.supply.wanted import Wanted

ENDS_WELL = Expectation(
    outcome=OutcomeKind.WORKS, reason="a command of the command line must end as it was asked to, on every kernel"
)
"""What is expected of it, whosever kernel it is: nobody has written rules."""


@dataclass(frozen=True, kw_only=True)
class CommandCase:
    """A command of the command line."""

    wanted: Wanted
    id: str
    title: str
    memory: int | None = None
    cpus: int | None = None
    modules: tuple[str, ...] = ()

    @property
    def has_sources(self) -> bool:
        """A command has no objects."""
        return False

    def compiled(self) -> Case:
        """Return the case with the command as it was written."""
        return case_of(
            self.wanted.command,
            id=self.id,
            title=self.title,
            memory=self.memory,
            cpus=self.cpus,
            expect=(ENDS_WELL,),
            modules=self.modules,
        )

    def build(self, objects: ObjectBuilder, arch: Architecture, *, sight: Sight) -> BuiltCase:  # noqa: ARG002
        """Return the case; what it brings is found once there is a guest image."""
        return BuiltCase(case=self.compiled(), files={}, wanted=self.wanted)


def environment_of(texts: Sequence[str]) -> Mapping[str, str]:
    """Return variables from texts `NAME=VALUE`, or `NAME` for that of this process; raise ConfigError."""
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name or (not equals and name not in os.environ):
            raise ConfigError(f'--env takes NAME=VALUE, or the NAME of a variable that is set here; got "{text}"')
        found[name] = value if equals else os.environ[name]
    return found
