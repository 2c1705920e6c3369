"""The emulators that a plan needs, found before anything is prepared; `./run` is asked for those that are missing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from harness.errors import MissingToolError
from harness.host.packages import install_command, or_run
from harness.host.process import has_tool
from harness.model.architectures import ARCHITECTURES, Architecture

RUN = "BPFMATRIX_RUN"
"""Set by `./run` to its own path: who started us, and can install what is missing. Not set once it has done so."""

EMULATORS = "BPFMATRIX_EMULATORS"
"""What `./run` is to install when it is started again: PROGRAM:PACKAGE, with blanks between several."""

STARTED_BY = os.environ.pop(RUN, "")
"""The path of the `./run` that has started us, or nothing. Out of the environment: nothing that we start is to start
`./run` again."""


def require(arches: Iterable[str], *, run: str = STARTED_BY) -> None:
    """See to it that the emulators of some architectures (names) are installed.

    Where one is missing and `./run` has started this process, it (`run`) takes its place: it installs them and starts
    the same command again. So it learns from the plan what is needed, and the usual start costs nothing more. Call this
    before threads, locks or files are made. Raises MissingToolError, which names the packages, where there is no
    `./run`, or where it has not helped.
    """
    needed = [ARCHITECTURES[name] for name in dict.fromkeys(arches)]
    missing = [arch for arch in needed if not has_tool(arch.qemu)]
    if not missing:
        return
    if not run:
        raise MissingToolError(complaint(missing))
    sys.stdout.flush()
    sys.stderr.flush()
    asked = {**os.environ, EMULATORS: wish(missing)}
    os.execve(run, [run, *sys.argv[1:]], asked)


def wish(missing: Iterable[Architecture]) -> str:
    """Return what `./run` is to install, in its own terms."""
    return " ".join(f"{arch.qemu}:{arch.qemu_package}" for arch in missing)


def complaint(missing: Iterable[Architecture]) -> str:
    """Return a message about emulators that are missing: what for, and which packages bring them."""
    lines = [f"{arch.qemu} is not installed; it is needed to boot {arch.name} kernels." for arch in missing]
    packages = install_command(arch.qemu_package for arch in missing)
    return "\n".join([*lines, f"Install with: {packages}{or_run()}"])
