"""The console script `bpfmatrix`: the command line over the users' tasks."""

from __future__ import annotations

from invoke.collection import Collection

from harness import __version__
from harness.host import start_up


def main() -> None:
    """Run the program; it exits the process with the task's exit code."""
    start_up.prepare()
    from harness.cli import tasks  # noqa: PLC0415  (its bytecode is kept only from here on)
    from harness.cli.command_line import CommandLine  # noqa: PLC0415

    namespace = Collection.from_module(tasks)
    CommandLine(name="bpfmatrix", binary="bpfmatrix", namespace=namespace, version=__version__).run()
