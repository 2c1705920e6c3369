"""The Python of an unpacked userland, run on a host of its architecture: it makes the bytecode that the image holds."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from harness.errors import ImageError
from harness.host.process import run


def run_python(root: Path, *arguments: str | Path, python: str = "python3") -> subprocess.CompletedProcess[str]:
    """Run the interpreter `python` of the userland in the folder `root`, with nothing of the host but its kernel.

    It finds no modules but its own library's (-P, -S), and makes the same bytecode each time (PYTHONHASHSEED). Raises
    ImageError where the userland has no dynamic loader to start it with.
    """
    loaders = [*sorted(root.glob("usr/lib/*/ld*.so*")), *sorted(root.glob("usr/lib*/ld*.so*"))]
    if not loaders:
        raise ImageError("the guest image holds no dynamic loader to run its Python with")
    libraries = ":".join(str(path) for path in sorted(root.glob("usr/lib/*-linux-*")))
    return run(
        [loaders[0], "--library-path", libraries, root / "usr/bin" / python, "-P", "-S", *arguments],
        env={**os.environ, "PYTHONHOME": str(root / "usr"), "PYTHONHASHSEED": "0"},
    )
