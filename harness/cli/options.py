"""The options that commands share: one table, the tasks that are made from it, and the value that they become.

Nothing here loads what a command needs before it is called: `--list` and `--help` come this way, too.
"""

from __future__ import annotations

import functools
import inspect
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.tasks import task

from harness.cli.command_line import CommandTask
from harness.host.start_up import leave

if TYPE_CHECKING:
    from harness.run.options import Options


@contextmanager
def errors_shown() -> Iterator[None]:
    """End with the message and the exit code of an error that is meant for the user."""
    from harness.errors import EXIT_HARNESS, BpfmatrixError

    try:
        yield
    except KeyboardInterrupt:
        raise Exit("bpfmatrix: interrupted", code=EXIT_HARNESS) from None
    except BpfmatrixError as error:
        raise Exit(f"bpfmatrix: {error}", code=error.exit_code) from error


def number(flag: str, text: str) -> int:
    """Return the number that an option is given; raise UsageError where it is none of at least 1."""
    from harness.errors import UsageError

    if not (text.isascii() and text.isdigit() and int(text)):
        raise UsageError(f'{flag} takes a number of at least 1; got "{text}"')
    return int(text)


def shard_number(text: str) -> tuple[int, int]:
    """Return the number of a shard and how many there are, from `2/5`; raise UsageError where it is no such thing."""
    from harness.errors import UsageError

    index, slash, count = text.partition("/")
    numbers = [int(each) if each.isascii() and each.isdigit() else 0 for each in (index, count)]
    if not (slash and 1 <= numbers[0] <= numbers[1]):
        raise UsageError(f'--shard takes a number and how many there are, such as 2/5; got "{text}"')
    return numbers[0], numbers[1]


@dataclass(frozen=True, kw_only=True)
class SharedOption:
    """An option that several commands have. `field` is what it is called in `Options` (or in its `Project`).

    `default` says how it is given, too: a list's can be repeated, a bool's is a switch, a text's takes a value.
    `value` makes the field's value from what is given; what is not given is not in `Options`.
    """

    field: str
    help: str
    default: str | bool | list[str] = ""
    value: Callable[[Any], Any] = lambda given: given


SHARED: Mapping[str, SharedOption] = {
    "kernel": SharedOption(
        field="kernels",
        default=[],
        help="Only kernels whose name matches this pattern: the host architecture's, or if none is, all (repeatable).",
    ),
    "arch": SharedOption(
        field="arches",
        default=[],
        help="Only kernels of this architecture; all for every one (repeatable; default: the host's).",
    ),
    "libbpf": SharedOption(
        field="libbpf",
        default=[],
        help="Run each kernel with this libbpf: default, a Debian suite, or the path of a library (repeatable).",
    ),
    "clang": SharedOption(
        field="clang",
        default=[],
        help="Run each kernel with objects of this clang: default, a release such as 19, or a path (repeatable).",
    ),
    "case": SharedOption(field="cases", default=[], help="Only cases whose id matches this pattern (repeatable)."),
    "suite": SharedOption(
        field="suite", help="Take the cases of a suite that comes with bpfmatrix instead of the matrix's: tracing."
    ),
    "results": SharedOption(
        field="results", value=Path, help="Folder for the results (default: results/ beside matrix.yaml)."
    ),
    "accel": SharedOption(field="accel", help="auto, kvm or tcg (default: as matrix.yaml says)."),
    "jobs": SharedOption(
        field="jobs",
        value=functools.partial(number, "--jobs"),
        help="How many guests run at once (default: as cores and memory allow).",
    ),
    "locked": SharedOption(field="locked", default=False, help="Take exactly the packages of matrix.lock, or fail."),
    "cold": SharedOption(
        field="cold",
        default=False,
        help="Boot every guest, instead of restoring those that were booted before from their snapshots.",
    ),
    "resume": SharedOption(
        field="resume",
        value=Path,
        help="The folder of a run to go on with: what it has answers for, from the same inputs, is not run again.",
    ),
    "shard": SharedOption(
        field="shard",
        value=shard_number,
        help="Run one of the parts into which the plan is split, such as 2/5; `merge` makes them one run (see `plan`).",
    ),
    "by": SharedOption(field="by", help="How the plan is split: arch gives each architecture shards of its own."),
    "timings": SharedOption(
        field="timings",
        default=[],
        value=lambda given: [Path(each) for each in given],
        help="A run or report.json whose seconds say how the plan is split; all shards need the same (repeatable).",
    ),
    "quiet": SharedOption(field="quiet", default=False, help="Show only what is unexpected, and the last line."),
    "json": SharedOption(
        field="json", default=False, help="Write a summary as one line of JSON to stdout, and all else to stderr."
    ),
    "matrix_file": SharedOption(
        field="matrix_file", default="matrix.yaml", value=Path, help="The matrix file (default: matrix.yaml)."
    ),
}
"""The options that commands share, by their name: that of a parameter, `--matrix-file` on the command line."""


def options_of(given: Mapping[str, Any]) -> Options:
    """Return what shared options ask for; raise UsageError where one has a value that it cannot have."""
    from harness.run.options import Options
    from harness.supply.project import Project

    fields = {SHARED[name].field: SHARED[name].value(value) for name, value in given.items() if value}
    project = Project(matrix_file=fields.pop("matrix_file"), suite=fields.pop("suite", None))
    return Options(project=project, **fields)


def takes(
    *shared: str, help: Mapping[str, str] | None = None, default: bool = False, plain: str = "", after: str = ""
) -> Callable[[Callable[..., int | None]], CommandTask]:
    """Make an Invoke task of what a command does: it takes the `shared` options, and its own parameters as options.

    What it does is called with the `Options` that the shared ones make, if there are any, and with its own parameters
    by name; one without a default must be given, and needs no name; one that is an int takes numbers of at least 1, one
    that is `()` can be repeated.
    `help` is for its own, and for shared ones that say more here. The process ends with the code that it returns, or
    with the message and the code of what it raises. `default` is for the task of a command line that names none.

    `plain` names the own parameter that is a list of all words that belong to no option; `after` the one that is a
    list of the words after `--`.
    """

    def make(body: Callable[..., int | None]) -> CommandTask:
        own = [each for each in inspect.signature(body).parameters.values() if each.name not in ("options", after)]
        own = [each.replace(default=[]) if each.name == plain else each for each in own]
        lists = {each.name for each in own if each.default == ()}
        own = [each.replace(default=[]) if each.name in lists else each for each in own]
        numbers = {each.name for each in own if type(each.default) is int}

        @functools.wraps(body)
        def run(context: Context, **given: Any) -> None:
            with errors_shown():
                if after:
                    given[after] = shlex.split(context.remainder)
                chosen = {name: given.pop(name, SHARED[name].default) for name in shared}
                for name in numbers & given.keys():
                    given[name] = number(_flag(name), given[name])
                code = body(*([options_of(chosen)] if shared else []), **given)
            if code is not None:
                leave(code)

        run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # what Invoke asks for
            [
                inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD),
                # Invoke would end with a traceback where text is given for an int.
                *(each.replace(default=str(each.default)) if each.name in numbers else each for each in own),
                *(
                    inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=SHARED[name].default)
                    for name in shared
                ),
            ]
        )
        texts = {**{name: SHARED[name].help for name in shared}, **(help or {})}
        made: CommandTask = task(
            klass=CommandTask,
            default=default,
            positional=[each.name for each in own if each.default is inspect.Parameter.empty or each.name == plain],
            iterable=[plain, *sorted(lists), *(name for name in shared if isinstance(SHARED[name].default, list))],
            help=texts,
        )(run)
        made.after = after
        return made

    return make


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"
