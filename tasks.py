"""The commands of bpfmatrix as Invoke tasks: those of its users (harness/cli/tasks.py), and those of its developers."""

from __future__ import annotations

import sys
from pathlib import Path

from invoke.context import Context
from invoke.tasks import task

from harness.host import start_up

start_up.prepare()

from harness.cli import command_line  # noqa: E402  (its bytecode is kept only from here on)
from harness.cli.options import errors_shown  # noqa: E402
from harness.cli.tasks import *  # noqa: E402, F403  (all of them, as its __all__ says)

ROOT = Path(__file__).resolve().parent

command_line.adopt()


@task
def schema(_context: Context) -> None:
    """Write the JSON Schemas and the page of the scenarios' API to docs/."""
    from harness.cli import commands

    commands.schema(ROOT / "docs")


@task(
    help={
        "report": "The report.json of the run to show (default: that of results/latest).",
        "page": "The page that has the marks for the grid (default: docs/grid.md).",
    }
)
def grid(_context: Context, report: str = "results/latest/report.json", page: str = "docs/grid.md") -> None:
    """Put the grid of a run into a page."""
    from harness.cli import commands

    with errors_shown():
        commands.grid(Path(page), report=Path(report))


@task(
    iterable=["tools"],
    help={
        "output": "The folder of the site (default: build/site).",
        "report": "The folder of a run or a bundle that the site shows as the latest one.",
        "tools": "The folder of a run of Debian's libbpf-tools that it shows beside it (repeatable).",
    },
)
def docs(_context: Context, tools: list[str], output: str = "build/site", report: str = "") -> None:
    """Build the docs as a site; a link that leads nowhere fails."""
    from harness.site import command

    with errors_shown():
        command.docs(
            ROOT,
            output=Path(output),
            report=Path(report) if report else None,
            tools=[Path(each) for each in tools],
        )


@task(
    iterable=["report"],
    help={
        "report": "The report.json of a run that has sub-results (repeatable: of one in several runs the last counts).",
        "page": "The page that has marks for the table (default: docs/debian-tools.md).",
        "part": "What the marks are called (default: libbpf-tools).",
    },
)
def parts(_context: Context, report: list[str], page: str = "docs/debian-tools.md", part: str = "libbpf-tools") -> None:
    """Put the sub-results of runs into a page, as a table with a column for each kernel."""
    from harness.cli import commands

    with errors_shown():
        commands.parts(Path(page), reports=[Path(each) for each in report], part=part)


@task(
    iterable=["report"],
    help={
        "report": "The report.json of a run, or its folder (repeatable).",
        "page": "The page that has the marks for the statement (default: docs/support.md).",
    },
)
def statement(_context: Context, report: list[str], page: str = "docs/support.md") -> None:
    """Put the support statement of runs into a page."""
    from harness.cli import answers

    with errors_shown():
        answers.statement(Path(page), reports=[Path(each) for each in report])


@task(
    help={
        "vm": "Also whole runs, with real guests (default: yes; --no-vm: the unit tests alone).",
        "nightly": "Also run the tests that are left to the nightly workflow, and more examples of properties.",
        "only": "Only tests whose name matches this pytest expression.",
    }
)
def test(_context: Context, vm: bool = True, nightly: bool = False, only: str = "") -> None:
    """Run the tests, with real guests, and check the style and the types beside them."""
    from harness.cli import checks

    sys.exit(checks.test(root=ROOT, vm=vm, nightly=nightly, only=only))


@task
def lint(_context: Context) -> None:
    """Check the style and the types."""
    from harness.cli import checks

    sys.exit(checks.lint(root=ROOT))
