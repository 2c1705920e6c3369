"""The folder of a run, and the link to the latest; with `writer.py` the only module here that touches files.

What renders reports is not imported here: a run needs its folder before its guests start.
"""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

from harness.errors import ReportError
from harness.host.files import temporary

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
        message = failure_text(error, f"the folder of this run could not be made below {results}")
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
    made = temporary(link)
    try:
        made.symlink_to(os.path.relpath(run.resolve(), results.resolve()))
        try:
            made.replace(link)
        except BaseException:
            made.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ReportError(failure_text(error, f"{link} could not be pointed to {run}")) from error
    return link


def failure_text(error: OSError, what: str) -> str:
    """Return a sentence for the user about `what` went wrong, why, and what to do."""
    said = error.strerror or str(error)
    return f"{what}: {said}. {_ADVICE.get(error.errno or 0, _OTHER_ADVICE)}"
