"""A run of objects of the user's own: their cases take the place of a project's, and no project is needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from harness.errors import UsageError
from harness.host.called_as import command
from harness.run.options import Options, on_default_kernels
from harness.supply.own.given import cases_of
from harness.supply.own.said import Given, Sayings


def with_objects(options: Options, objects: Sequence[Path], given: Given, *, command_name: str = "check") -> Options:
    """Return the options of a run that tries some objects, with what is said of them.

    A guest gets the most memory and processors that one of their files asks for. Raises UsageError where one of the
    paths is nothing to try, ConfigError where a check.yaml is wrong.
    """
    if not objects:
        raise UsageError(
            f"{command_name} needs an object, a source, a folder or a program; "
            f"see `{command(f'--help {command_name}')}`"
        )
    cases = cases_of(objects, said_of=Sayings(given).of)
    said = [case.said.check for case in cases]
    return replace(
        on_default_kernels(options),
        own_cases=cases,
        memory=max((each.memory for each in said if each.memory), default=options.memory),
        cpus=max((each.cpus for each in said if each.cpus), default=options.cpus),
    )
