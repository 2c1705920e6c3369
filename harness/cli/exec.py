"""`exec`: a command of the user's, run in a guest of its own on each kernel."""

from __future__ import annotations

import os
import shlex
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from harness.errors import UsageError
from harness.facts.transcript import Transcript
from harness.guest.connection import Connection
from harness.host.called_as import command as called
from harness.judge.command import ended_as_wanted
from harness.run.matrix import Finished, run_matrix
from harness.run.options import Options, on_default_kernels
from harness.scenario.from_command import DEADLINE, WORK, Command, id_of
from harness.screen.command import CommandProgress
from harness.screen.lines import make_console
from harness.supply.command_case import CommandCase, environment_of
from harness.supply.pushed import parse_push
from harness.supply.wanted import Wanted

if TYPE_CHECKING:
    from harness.scenario.case import Case

TITLE_CHARACTERS = 100


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What the command line asks of `exec`, as it is given: texts are "" where they are not."""

    argv: Sequence[str]
    push: Sequence[str] = field(default_factory=list)
    package: Sequence[str] = field(default_factory=list)
    env: Sequence[str] = field(default_factory=list)
    module: Sequence[str] = field(default_factory=list)
    junit: str = ""
    cwd: str = ""
    deadline: str = ""
    memory: int | None = None
    cpus: int | None = None
    interactive: bool = False
    verbose: bool = False


def exec_command(options: Options, asked: Asked) -> Finished:
    """Run a command on each kernel; raise UsageError or ConfigError where that cannot be done as it is asked for."""
    options = replace(on_default_kernels(options), own_cases=[case_of(asked, folder=Path.cwd())])
    if asked.interactive:
        options = replace(options, jobs=1, visit=shell_after_failure)

    def showing(kernels: Sequence[str], jobs: int) -> CommandProgress:
        return CommandProgress(
            kernels,
            streams=asked.verbose or (jobs == 1 and not options.quiet),
            live=not asked.interactive,
            console=make_console(stderr=options.json),
            quiet=options.quiet,
        )

    return run_matrix(options, showing=showing)


def case_of(asked: Asked, *, folder: Path) -> CommandCase:
    """Return the case of a command that is asked for in a folder; raise UsageError or ConfigError."""
    if not asked.argv or not asked.argv[0]:
        raise UsageError(f"exec needs a command behind --, such as `{called('exec -- uname -r')}`")
    if asked.cwd and not PurePosixPath(asked.cwd).is_absolute():
        raise UsageError(f'--cwd takes an absolute folder of the guest; got "{asked.cwd}"')
    command = Command(
        argv=tuple(asked.argv),
        env=environment_of(asked.env),
        cwd=os.path.normpath(asked.cwd or WORK),
        deadline=seconds("--deadline", asked.deadline) if asked.deadline else DEADLINE,
        junit=asked.junit,
    )
    return CommandCase(
        wanted=Wanted(
            command=command,
            folder=folder,
            files=tuple(parse_push(text, folder=folder) for text in asked.push),
            packages=tuple(asked.package),
        ),
        id=id_of(command.name),
        title=shlex.join(asked.argv)[:TITLE_CHARACTERS],
        memory=asked.memory,
        cpus=asked.cpus,
        modules=tuple(asked.module),
    )


def seconds(flag: str, text: str) -> float:
    """Return the seconds that an option is given; raise UsageError where they are no number above 0."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e6:
        raise UsageError(f'{flag} takes a number of seconds above 0; got "{text}"')
    return value


_terminal = threading.Lock()


def shell_after_failure(kernel: str, cases: Sequence[Case], transcript: Transcript, connection: Connection) -> None:
    """Give the user a shell in a guest whose command did not end as it must; it lasts until the user leaves it."""
    from harness.cli.shell import attend  # noqa: PLC0415  (it needs a terminal's modules, and few runs come here)

    if all(ended_as_wanted(case, transcript.record(case.id)) for case in cases):
        return
    with _terminal:
        print(f"{kernel}: the command failed; this is a shell in its guest, which ends with it", file=sys.stderr)
        attend(connection)
