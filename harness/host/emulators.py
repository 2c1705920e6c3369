"""The emulators and tools that a plan needs, found before anything is prepared; `./run` installs what is missing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from harness.errors import MissingToolError
from harness.host.packages import install_command, or_run
from harness.host.process import has_tool
from harness.host.tools import HostTool
from harness.model.architectures import ARCHITECTURES, Architecture

RUN = "BPFMATRIX_RUN"
"""Set by `./run` to its own path: who started us, and can install what is missing. Not set once it has done so."""

EMULATORS = "BPFMATRIX_EMULATORS"
"""What `./run` is to install when it is started again: PROGRAM:PACKAGE, with blanks between several."""

STARTED_BY = os.environ.pop(RUN, "")
"""The path of the `./run` that has started us, or nothing. Out of the environment: nothing that we start is to start
`./run` again."""


def require(arches: Iterable[str], *, tools: Iterable[HostTool] = (), run: str = STARTED_BY) -> None:
    """See to it that the emulators of some architectures (names) are installed.

    Where one is missing and `./run` has started this process, it (`run`) takes its place: it installs them and starts
    the same command again. So it learns from the plan what is needed, and the usual start costs nothing more. Call this
    before threads, locks or files are made. Raises MissingToolError, which names the packages, where there is no
    `./run`, or where it has not helped.

    The `tools` that kernels need are installed in the same way. Without `./run` one that is missing is no error here:
    a kernel that is in the cache needs none of them, and who needs one says so.
    """
    needed = [ARCHITECTURES[name] for name in dict.fromkeys(arches)]
    missing = [arch for arch in needed if not has_tool(arch.qemu)]
    if missing and not run:
        raise MissingToolError(complaint(missing))
    wanted = [tool for tool in tools if tool.found() is None] if run else []
    if not missing and not wanted:
        return
    sys.stdout.flush()
    sys.stderr.flush()
    asked = {**os.environ, EMULATORS: wish(missing, wanted)}
    os.execve(run, [run, *sys.argv[1:]], asked)


def wish(missing: Iterable[Architecture], tools: Iterable[HostTool] = ()) -> str:
    """Return what `./run` is to install, in its own terms."""
    programs = [(arch.qemu, arch.qemu_package) for arch in missing] + [(tool.name, tool.package) for tool in tools]
    return " ".join(f"{program}:{package}" for program, package in programs)


def complaint(missing: Iterable[Architecture]) -> str:
    """Return a message about emulators that are missing: what for, and which packages bring them."""
    lines = [f"{arch.qemu} is not installed; it is needed to boot {arch.name} kernels." for arch in missing]
    packages = install_command(arch.qemu_package for arch in missing)
    return "\n".join([*lines, f"Install with: {packages}{or_run()}"])
