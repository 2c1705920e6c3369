"""The console script `bpfmatrix`: an Invoke program over the tasks of tasks.py."""

from __future__ import annotations

from invoke.collection import Collection
from invoke.program import Program

from harness import __version__


def main() -> None:
    """Run the program; it exits the process with the task's exit code."""
    import tasks  # noqa: PLC0415  (the tasks lie at the project's top level)

    namespace = Collection.from_module(tasks)
    Program(name="bpfmatrix", binary="bpfmatrix", namespace=namespace, version=__version__).run()
