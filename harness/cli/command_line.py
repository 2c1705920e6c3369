"""How the words of a command line are read, whoever starts it: `./run`, `invoke` or `bpfmatrix`.

Invoke reads them, and this is what it cannot do by itself: a task with a list of plain words (`check a.o b.o`), of
which it would take the second for another task; words after `--` that can be taken apart again; wrong usage as its own
exit code, where Invoke's 1 means unexpected verdicts here.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from invoke.exceptions import Exit, ParseError
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext, to_flag
from invoke.parser.parser import Parser, ParseResult
from invoke.program import Program
from invoke.tasks import Task

from harness.errors import EXIT_USAGE


class CommandTask(Task[Any]):
    """A task. `after` names the parameter that takes the words after `--`, where it takes any.

    A parameter that is both positional and a list takes all plain words, between options as well.
    """

    after = ""


class CommandLine(Program):
    """Invoke's program, with the command line of bpfmatrix."""

    def parse_core(self, argv: list[str] | None) -> None:
        """Read the options before the first task."""
        with _wrong_usage():
            super().parse_core(argv)

    def parse_tasks(self) -> None:
        """Read the tasks and their words.

        A task that takes the words after `--` finds them in its context's `remainder`, quoted as for a shell: Invoke
        joins them with blanks.
        """
        after = self.argv[self.argv.index("--") + 1 :] if "--" in self.argv else []
        with _wrong_usage():
            super().parse_tasks()
            if self.args.complete.value:  # then a shell gives what was typed so far, and Invoke takes it apart
                return
            self.core.remainder = shlex.join(after)
            last = self.tasks[-1].name if self.tasks else self.collection.default
            if after and not getattr(self.collection[last], "after", ""):
                raise ParseError(f"{last} takes no words after --; got {self.core.remainder}")

    def parse_cleanup(self) -> None:
        """Do what needs no task, such as `--help NAME`."""
        with _wrong_usage():
            super().parse_cleanup()

    def _make_parser(self) -> Parser:
        made = super()._make_parser()
        return _Parser(initial=made.initial, contexts=made.contexts.values())


def adopt() -> None:
    """Give the `invoke` that loads our tasks this command line.

    By then it has read its own options, and none of the tasks' words. It has no other place where a project could say
    how these are read: its program is made before it knows of any.
    """
    running = sys.modules.get("invoke.main")
    if running is not None and type(running.program) is Program:
        running.program.__class__ = CommandLine


@contextmanager
def _wrong_usage() -> Iterator[None]:
    try:
        yield
    except ParseError as error:
        raise Exit(f"bpfmatrix: {error}", code=EXIT_USAGE) from error


class _Parser(Parser):
    def parse_argv(self, argv: list[str]) -> ParseResult:
        return super().parse_argv(spelled_out(argv, self.contexts, common=self.initial or ParserContext()))


def spelled_out(argv: Sequence[str], tasks: Mapping[str, ParserContext], *, common: ParserContext) -> list[str]:
    """Return the words of a command line as Invoke can read them: each plain word of a list behind its option. Pure.

    `tasks` says what each takes, `common` what all of them take. What nobody knows stays as it is, for Invoke to
    complain of. Raises ParseError where an option has no value: Invoke would take that of a list for none at all, and
    `--case $EMPTY` would run every case.
    """
    found: list[str] = []
    options, single, several = _options(common), list[Argument](), None
    waiting = False  # for the value of an option
    for before, word in zip(["", *argv], argv, strict=False):
        if waiting:
            if word.partition("=")[0] in options:
                raise ParseError(f"{before} needs a value; got {word}")
            waiting = False
        elif word.startswith("-") and word != "-":
            named, waiting = _option(word, options)
            single = [each for each in single if each is not named]
        elif single:
            single.pop(0)
        elif several is not None:
            found.append(to_flag(several.names[0]))
        elif word in tasks:
            options = _options(common) | _options(tasks[word])
            single = [each for each in tasks[word].positional_args if each.kind is not list]
            several = next((each for each in tasks[word].positional_args if each.kind is list), None)
        found.append(word)
    if waiting:
        raise ParseError(f"{argv[-1]} needs a value")
    return found


def _options(context: ParserContext) -> dict[str, Argument]:
    return {to_flag(name): each for each in context.args.values() for name in each.names}


def _option(word: str, options: Mapping[str, Argument]) -> tuple[Argument | None, bool]:
    """Return the option that a word names, None where nobody knows it, and whether the next word is its value.

    Words are `--jobs`, `--jobs=2`, `-j`, `-j2`, or `-cj`, whose `-c` takes no value.
    """
    name, equals, _ = word.partition("=")
    rest = equals
    if not name.startswith("--"):
        for place, letter in enumerate(name[1:], start=2):
            option = options.get(f"-{letter}")
            if option is None or option.takes_value or place == len(name):
                name, rest = f"-{letter}", name[place:] + equals
                break
    option = options.get(name)
    return option, option is not None and option.takes_value and not option.optional and not rest
