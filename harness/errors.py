"""One exception per meaning, each with the exit code it ends the command with.

Exit codes of the command: 0 all as expected, 1 unexpected verdicts, 2 wrong usage, configuration or inputs,
3 the harness or its host failed. exit_codes.py says which of them wins.

A message says what happened, where, why, and what to do; it is written for the person at the terminal.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_UNEXPECTED = 1
EXIT_USAGE = 2
EXIT_HARNESS = 3


class BpfmatrixError(Exception):
    """Base of every error that the user sees as a message, without a traceback.

    Attributes:
        exit_code: what the command ends with.
        of_host: whether it is the host that has to be looked at: something that it must have is missing, or failed.
    """

    exit_code = EXIT_HARNESS
    of_host = False


class ConfigError(BpfmatrixError):
    """matrix.yaml, a case.yaml, expectations.yaml or matrix.lock says something that cannot be used."""

    exit_code = EXIT_USAGE


class UsageError(BpfmatrixError):
    """The command line asks for something that does not exist or does not fit."""

    exit_code = EXIT_USAGE


class KernelFileError(BpfmatrixError):
    """A file that a kernel of the matrix names is missing, or is not the kernel or the keyring that it should be."""

    exit_code = EXIT_USAGE


class BuildError(BpfmatrixError):
    """The objects of a case cannot be had for an architecture: its cells there are `error`, all others run."""

    exit_code = EXIT_USAGE


class CompileError(BuildError):
    """A BPF source does not compile.

    Attributes:
        log: the compiler's own text; the message says which source it is, and holds it, too.
    """

    def __init__(self, message: str, *, log: str = "") -> None:
        super().__init__(f"{message}:\n{log}" if log else message)
        self.reason, self.log = message, log


class ObjectFileError(BuildError):
    """A BPF object is not an ELF file for the BPF machine of the wanted byte order."""


class KernelBuildError(BpfmatrixError):
    """A kernel that the matrix wants built cannot be: its sources do not compile, or no guest could be made of it."""

    exit_code = EXIT_USAGE


class MissingToolError(BpfmatrixError):
    """A program of the host that is needed is not installed."""

    of_host = True


class MirrorError(BpfmatrixError):
    """No mirror of packages is known, or those that are known cannot be reached."""

    of_host = True


class PackageGoneError(BpfmatrixError):
    """The mirror no longer has a package file that was asked for."""

    of_host = True


class FetchError(BpfmatrixError):
    """A package could not be fetched or unpacked, for a reason other than its absence."""

    of_host = True


class CacheError(BpfmatrixError):
    """The cache cannot be written or locked (a full disk, permissions)."""

    of_host = True


class CacheInUseError(BpfmatrixError):
    """Another process uses the cache, and what was asked for needs it alone."""


class ImageError(BpfmatrixError):
    """The guest image cannot be built from its packages."""


class QemuError(BpfmatrixError):
    """QEMU did not start, or ended before the guest could be reached."""

    of_host = True


class SnapshotError(BpfmatrixError):
    """A guest's snapshot cannot be made or restored, or is damaged."""


class DeadlineError(BpfmatrixError):
    """One of the named deadlines (boot, case, shutdown) has passed.

    Attributes:
        deadline: the name of the deadline.
        seconds: its length.
    """

    def __init__(self, deadline: str, seconds: float, doing: str) -> None:
        super().__init__(f"the {deadline} deadline of {seconds:g} s passed while {doing}")
        self.deadline = deadline
        self.seconds = seconds


class GuestGoneError(BpfmatrixError):
    """QEMU ended while the guest was still needed."""


class GuestConnectionError(BpfmatrixError):
    """The guest runs, but its SSH service answers wrongly or broke off."""


class WrongKernelError(BpfmatrixError):
    """The guest reports another kernel release than the one that was booted."""


class GuestClockError(BpfmatrixError):
    """The guest's clock runs at another speed than the host's."""


class AgentError(BpfmatrixError):
    """The guest agent ended early or wrote something that is not its protocol."""


class AgentEndedError(AgentError):
    """The stream of the agent's lines ended before its last line: the agent, or what brings its lines, is gone."""


class ReportError(BpfmatrixError):
    """A report cannot be written (a full disk, permissions), or its renderer failed."""

    of_host = True


class JournalError(BpfmatrixError):
    """The journal of a run is missing, or is not what a run writes."""

    exit_code = EXIT_USAGE


class JournalWriteError(BpfmatrixError):
    """The journal of a run cannot be written."""

    of_host = True


class SiteError(BpfmatrixError):
    """The site of the docs cannot be built: a link leads nowhere, a page is in no menu."""

    exit_code = EXIT_USAGE


class HistoryError(BpfmatrixError):
    """The file of a history cannot be read or written, or is none."""

    exit_code = EXIT_USAGE


class BisectError(BpfmatrixError):
    """One of the two builds between which a change is looked for has no answer."""


class BenchError(BpfmatrixError):
    """A measurement of `invoke bench` cannot be made."""


class InterruptedRunError(BpfmatrixError):
    """Ctrl-C or SIGTERM ended the run; the reports say what was known by then."""
