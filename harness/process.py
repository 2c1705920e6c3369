"""Running short programs of the host: one place that knows how they fail."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.errors import MissingToolError


def find_tool(name: str, *, package: str, purpose: str) -> str:
    """Return the full path of a program of the host.

    Raises MissingToolError, naming the Debian package, where it is not installed. The sbin folders are
    searched too, since they are not on an ordinary user's PATH.
    """
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/lib/apt")
    if found is None:
        raise MissingToolError(
            f"{name} is not installed; it is needed to {purpose}. "
            f"Install it with: apt-get install {package} (or let ./run do it)"
        )
    return found


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 600.0,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end with its output captured as text and no standard input.

    Never raises for an exit code; a program that outlives `timeout` seconds is killed and reported with
    return code -9. A signal's death shows as a negative return code, as subprocess has it.
    """
    try:
        return subprocess.run(
            [str(word) for word in argv],
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        text = f"{argv[0]} did not end within {timeout:g} s and was killed"
        return subprocess.CompletedProcess(error.cmd, -9, stdout="", stderr=text)
