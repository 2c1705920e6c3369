"""Triggers that are files: opened, renamed, removed; folders made; file systems mounted.

What is not there yet the agent makes, by mknod(2) and mkdir(2): so no file is opened but by the trigger itself. All of
that is removed when the case ends, behind its last step (`CaseState.remove_made`), and nothing else ever is.
"""

from __future__ import annotations

import ctypes
import os

from harness.agent.refusal import Refused, mistaken

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from typing import Any

    from harness.agent.case_state import CaseState

FILE, RENAMED, NEW_FOLDER = "/tmp/bpfmatrix-file", "/tmp/bpfmatrix-renamed", "/tmp/bpfmatrix-folder"
"""What triggers use that name no path; right in a folder that is there, so that no other is made for it."""
FREE = ("/tmp/", "/root/", "/mnt/")
"""Where a trigger may rename and remove what others have made."""
REGULAR_FILE = 0o100000
AT_FDCWD, MNT_DETACH, ENODEV = -100, 2, 19
FLAGS = {
    "read": os.O_RDONLY,
    "write": os.O_WRONLY,
    "read-write": os.O_RDWR,
    "append": os.O_WRONLY | os.O_APPEND,
    "create": os.O_WRONLY | os.O_CREAT | os.O_EXCL,
}
"""How a file is opened, by what a case calls it."""


def make_folders(case: CaseState, path: str) -> None:
    """Make a folder, and those above it, where they are missing."""
    if path not in ("", "/") and not os.path.isdir(path):
        make_folders(case, os.path.dirname(path))
        os.mkdir(path)
        case.made.append(path)


def make_file(case: CaseState, path: str) -> None:
    """Make an empty file where there is nothing of its path."""
    if not os.path.lexists(path):
        make_folders(case, os.path.dirname(path))
        os.mknod(path, REGULAR_FILE | 0o600)
        case.made.append(path)


def not_ours(case: CaseState, path: str) -> dict[str, Any]:
    """Return the report of a trigger that would take away what is the guest's, {} where it would not."""
    if not os.path.lexists(path) or path in case.made or path.startswith(FREE):
        return {}
    return mistaken(f"{path} is the guest's: a trigger renames and removes only its own files, or those in /tmp")


def trigger_open(case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Open a file by openat(2), and read or write some bytes where the step says so."""
    path, mode, count = step["path"] or FILE, step["mode"], step["bytes"]
    if mode == "create":
        wrong = not_ours(case, path)
        if wrong:
            return wrong
        make_folders(case, os.path.dirname(path))
        if os.path.lexists(path):
            os.unlink(path)
        case.made.append(path)
    else:
        make_file(case, path)
        if mode == "read" and path in case.made and os.path.getsize(path) < count:
            os.truncate(path, count)
    fd = os.open(path, FLAGS[mode], 0o600)
    try:
        if mode == "read" and count:
            os.read(fd, count)
        elif count:
            os.write(fd, b"x" * count)
    finally:
        os.close(fd)
    return {}


def trigger_rename(case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Rename a file."""
    path, to = step["path"] or FILE, step["to"] or RENAMED
    wrong = not_ours(case, path) or not_ours(case, to)
    if wrong:
        return wrong
    make_file(case, path)
    make_folders(case, os.path.dirname(to))
    os.rename(path, to)
    case.made.append(to)
    return {}


def trigger_unlink(case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Remove a file."""
    path = step["path"] or FILE
    wrong = not_ours(case, path)
    if wrong:
        return wrong
    make_file(case, path)
    os.unlink(path)
    return {}


def trigger_mkdir(case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Make a folder; one that a trigger before it has made is removed first."""
    path = step["path"] or NEW_FOLDER
    if path in case.made and os.path.isdir(path):
        os.rmdir(path)
    make_folders(case, os.path.dirname(path))
    os.mkdir(path)
    case.made.append(path)
    return {}


def trigger_mount(case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Mount a file system on a folder, and unmount it."""
    kind, place = step["type"], step["at"] or NEW_FOLDER
    libc = ctypes.CDLL("libc.so.6", use_errno=True)
    make_folders(case, place)
    if libc.mount(b"bpfmatrix", place.encode(), kind.encode(), ctypes.c_ulong(0), None) != 0:
        number = ctypes.get_errno()
        if number == ENODEV:  # mount(2): the kernel has no such file system
            refusal = Refused(number, f"this kernel has no file system {kind}", api="mount")
            refusal.module = kind
            raise refusal
        raise OSError(number, f"mount {kind}")
    if libc.umount2(place.encode(), MNT_DETACH) != 0:
        raise OSError(ctypes.get_errno(), "umount2")
    return {}
