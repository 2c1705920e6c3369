"""Writes the reports of a run into its folder: the only module here that touches files."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from harness.errors import ReportError
from harness.model import Report
from harness.reports import html, json_report, junit, markdown

RENDERERS: dict[str, Callable[[Report], str]] = {
    "report.json": json_report.render,
    "junit.xml": junit.render,
    "report.md": markdown.render,
    "report.html": html.render,
}
"""The files of a run that a Report makes, and what renders each."""

LATEST = "latest"

_ADVICE = {
    errno.ENOSPC: "The disk is full: free some space and run again.",
    errno.EDQUOT: "Your disk quota is used up: free some space and run again.",
    errno.EROFS: "The file system is read-only: name another folder with --results.",
    errno.EACCES: "Make the folder writable, or name another one with --results.",
    errno.EPERM: "Make the folder writable, or name another one with --results.",
    errno.EISDIR: "A folder of that name is in the way: move it elsewhere and run again.",
    errno.EEXIST: "A file is where a folder should be: move it elsewhere and run again.",
    errno.ENOTDIR: "A file is where a folder should be: move it elsewhere and run again.",
}
_OTHER_ADVICE = "Look at that folder, or name another one with --results."


def write(report: Report, *, directory: Path) -> tuple[Path, ...]:
    """Write every report of a run into `directory` (made where it is missing) and return their paths.

    Each file is written under a temporary name and then renamed, so that none is ever half there. One that
    fails keeps no other from being written; then ReportError is raised, with one line per failure.
    """
    written: list[Path] = []
    failures: list[str] = []
    cause: Exception | None = None
    for name, render in RENDERERS.items():
        path = directory / name
        try:
            content = render(report).encode()
        except Exception as error:
            cause = cause or error
            failures.append(
                f"{path} was not written, since rendering it failed: {type(error).__name__}: {error}. "
                "This is a bug of bpfmatrix; please report it with this message."
            )
            continue
        try:
            directory.mkdir(parents=True, exist_ok=True)
            _write_atomically(path, content)
        except OSError as error:
            cause = cause or error
            failures.append(_told(error, f"{path} could not be written"))
            continue
        written.append(path)
    if failures:
        there = ", ".join(path.name for path in written) or "none"
        raise ReportError("\n".join([*failures, f"Written all the same: {there}."])) from cause
    return tuple(written)


def make_run_directory(results: Path, *, now: datetime) -> Path:
    """Make the folder of a run that starts at `now` below `results` and return it.

    It is named after the time in UTC, `20260131T235959Z`; of runs that start in one second the second gets
    `-2` behind its name. Raises ReportError where it cannot be made.
    """
    stamp = now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    try:
        results.mkdir(parents=True, exist_ok=True)
        for number in count(1):
            directory = results / (stamp if number == 1 else f"{stamp}-{number}")
            if _made(directory):
                return directory
    except OSError as error:
        message = _told(error, f"the folder of this run could not be made below {results}")
        raise ReportError(message) from error
    raise AssertionError("count() does not end")


def _made(directory: Path) -> bool:
    try:
        directory.mkdir()
    except FileExistsError:
        return False
    return True


def point_latest(results: Path, run: Path) -> Path:
    """Make `results`/latest a relative symbolic link to the folder `run`, in one step, and return it.

    Raises ReportError where that cannot be done, as when a folder of that name is in the way.
    """
    link = results / LATEST
    temporary = _temporary(link)
    try:
        temporary.symlink_to(os.path.relpath(run.resolve(), results.resolve()))
        try:
            temporary.replace(link)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ReportError(_told(error, f"{link} could not be pointed to {run}")) from error
    return link


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")


def _write_atomically(path: Path, content: bytes) -> None:
    temporary = _temporary(path)
    try:
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _told(error: OSError, what: str) -> str:
    said = error.strerror or str(error)
    return f"{what}: {said}. {_ADVICE.get(error.errno or 0, _OTHER_ADVICE)}"
