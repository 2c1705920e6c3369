"""Waiting for the end of a process that this one has started."""

from __future__ import annotations

import errno
import os
import select
import time

LOOK_SECONDS = 0.005
"""How often a kernel is asked that gives no pidfd."""
NO_PIDFD = frozenset({errno.ENOSYS, errno.EPERM, errno.EACCES})
"""What pidfd_open(2) fails with where there is another way."""


class Watch:
    """Looks whether a child process has ended; its status is left to be waited for.

    `fd` becomes readable at its end (pidfd_open(2), Linux 5.3). It is None on an older kernel, which must be asked; and
    where a program that the process has attached by now forbids to open files: since Linux 6.9 a pidfd is a file of
    pidfs, and security_file_open() is called for it (fs/pidfs.c, pidfs_alloc_file()).
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.fd: int | None = None
        try:
            self.fd = os.pidfd_open(pid)
        except OSError as error:
            if error.errno not in NO_PIDFD:
                raise

    def has_ended(self) -> bool:
        """Say whether the process has ended by now."""
        return os.waitid(os.P_PID, self._pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def ends_within(self, seconds: float) -> bool:
        """Wait for the end for so many seconds, and say whether it came."""
        if self.fd is not None:
            return bool(select.select([self.fd], [], [], seconds)[0])
        end = time.monotonic() + seconds
        while not self.has_ended():
            if time.monotonic() >= end:
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def close(self) -> None:
        """Watch no longer."""
        if self.fd is not None:
            os.close(self.fd)
            self.fd = None
