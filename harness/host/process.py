"""Running short programs of the host: one place that knows how they fail."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from harness.errors import MissingToolError
from harness.host.packages import install_command, or_run

_live: set[subprocess.Popen[str]] = set()
_live_guard = threading.Lock()


def has_tool(name: str) -> bool:
    """Return whether `find_tool` would find a program."""
    return _which(name) is not None


def find_tool(name: str, *, package: str, purpose: str) -> str:
    """Return the full path of a program of the host.

    Raises MissingToolError, naming the Debian package, where it is not installed. The sbin folders are
    searched too, since they are not on an ordinary user's PATH.
    """
    found = _which(name)
    if found is None:
        raise MissingToolError(
            f"{name} is not installed; it is needed to {purpose}. "
            f"Install it with: {install_command([package])}{or_run()}"
        )
    return found


def _which(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/lib/apt:/usr/libexec/apt")


def run(
    argv: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout: float = 600.0,
    output: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end with its output captured as text and no standard input.

    With `output` what it writes to its standard output goes to that file, byte for byte, and none is captured.

    Never raises for an exit code; a program that outlives `timeout` seconds is killed and reported with
    return code -9. A signal's death shows as a negative return code, as subprocess has it.
    """
    command = [str(word) for word in argv]
    with (
        contextlib.nullcontext(subprocess.PIPE) if output is None else output.open("wb") as stdout_to,
        subprocess.Popen(
            command,
            cwd=cwd,
            env=None if env is None else dict(env),
            stdin=subprocess.DEVNULL,
            stdout=stdout_to,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        ) as process,
    ):
        with _live_guard:
            _live.add(process)
        try:
            stdout, stderr = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            text = f"{argv[0]} did not end within {timeout:g} s and was killed"
            return subprocess.CompletedProcess(command, -9, stdout="", stderr=text)
        except BaseException:
            process.kill()
            raise
        finally:
            with _live_guard:
                _live.discard(process)
    return subprocess.CompletedProcess(command, process.returncode, stdout or "", stderr)


def run_group(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    log: Path,
    line: Callable[[str], None],
    timeout: float,
) -> int | None:
    """Run a program that starts many others, to its end, and return its exit code; None where it took too long.

    What they write is added to the file `log`, and `line` is given each line of it, without its end. All of them are
    ended with it, however that comes: by `timeout` (seconds), by `end_all`, or by the end of this process. A signal's
    death shows as a negative code.
    """
    setpriv = find_tool("setpriv", package="util-linux", purpose="tie a program's life to the harness")
    late = threading.Event()
    with (
        log.open("ab", buffering=0) as kept,
        _Group(
            [setpriv, "--pdeathsig", "TERM", "--", *map(str, argv)],
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as process,
    ):

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(timeout, end)
        with _live_guard:
            _live.add(process)
        try:
            timer.start()
            assert process.stdout is not None
            for text in process.stdout:
                kept.write(text.encode(errors="replace"))
                line(text.rstrip("\n"))
            process.wait()
        finally:
            timer.cancel()
            process.kill()  # whoever of the group is left
            process.wait()
            with _live_guard:
                _live.discard(process)
    return None if late.is_set() else process.returncode


class _Group(subprocess.Popen[str]):
    """A program that leads a group of processes, which end together."""

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)


def end_all() -> None:
    """End every program that `run` runs in any thread, now; their callers see a signal's return code."""
    with _live_guard:
        for process in _live:
            process.kill()
