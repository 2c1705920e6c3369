"""The keys of a case that is a command: what is run, what it brings into its guest, and how it must end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema

from harness.config.base import Cpus, Line, MemoryMib
from harness.config.programs import ExitCode, VariableName, VariableValue, Words
from harness.config.reading.models import CheckedModel, Expects
from harness.config.reading.yaml_source import Loc
from harness.config.steps import Regex


def _as_pushes(value: object) -> object:
    """Return files that are given with their places, as a mapping, in the form of a list; anything else as it is."""
    if isinstance(value, Mapping) and all(isinstance(each, str) for each in value.values()):
        return [f"{file}:{place}" for file, place in value.items()]
    return value


Pushes = Annotated[
    tuple[Line, ...],
    BeforeValidator(_as_pushes),
    Expects("a list of files, each FILE or FILE:PLACE, or a mapping of files to places in the guest"),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "string", "pattern": r"\S"}},
                {"type": "object", "additionalProperties": {"type": "string", "pattern": r"\S"}},
            ]
        }
    ),
]
PackageName = Annotated[
    str, Field(pattern=r"^[a-z0-9][a-z0-9+.-]+$"), Expects('the name of a Debian package, such as "bpftool"')
]
GuestFolder = Annotated[str, Field(pattern=r"^/"), Expects("an absolute folder of the guest")]


class CommandKeys(CheckedModel):
    """What a case says of its command, where it is one."""

    command: Words | None = Field(
        default=None,
        description="The command with its arguments, which runs as root in a guest of its own; a text is taken apart "
        "as a shell does, but nothing in it is replaced. A path is a file of this folder, if it has it.",
    )
    brought: Pushes = Field(
        default=(),
        alias="files",
        description="Files and folders of this folder that go along: FILE, or FILE:PLACE in the guest; or a mapping, "
        "FILE: PLACE. A relative place begins at the command's folder; of a case without a command at its own, "
        "/run/bpfmatrix/CASE.",
    )
    env: Mapping[VariableName, VariableValue] = Field(
        default={},
        description="Variables of the command, beside PATH, HOME and USER.",
        json_schema_extra={"additionalProperties": False},
    )
    packages: tuple[PackageName, ...] = Field(
        default=(), description="Debian packages that the guest has, with all that they depend on."
    )
    cwd: GuestFolder | None = Field(
        default=None, description="The folder of the guest in which the command starts; without it /root."
    )
    expect_exit: ExitCode = Field(default=0, description="The exit code that the command must end with.")
    expect_output: Regex | None = Field(
        default=None, description="A regular expression that some of the command's output must match (^ and $: a line)."
    )
    junit: Line | None = Field(
        default=None, description="A pattern of the JUnit files that the command writes; their tests are sub-results."
    )
    memory: MemoryMib | None = Field(
        default=None, description="Memory in MiB, if the case needs more than the kernel's guest has."
    )
    cpus: Cpus | None = Field(default=None, description="Processors of the case's guest.")


ONLY_WITH_COMMAND = ("env", "packages", "cwd", "expect-exit", "expect-output", "junit")
"""The keys that say something of a command."""


def command_problems(data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
    """Yield what a command's keys need."""
    if "command" not in data:
        for key in ONLY_WITH_COMMAND:
            if key in data:
                yield (key,), 'needs the key "command": it says something of a command'
