"""Which build of a kernel is run: the one that is pinned, else the newest, and what the user learns of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Protocol

from harness.config.matrix import Kernel
from harness.errors import KernelFileError, PackageGoneError
from harness.host.called_as import command
from harness.supply.kernels.files import KernelFiles
from harness.supply.kernels.needs import why_no_guest
from harness.supply.kernels.source import KernelSource


class Obtain(Protocol):
    """`KernelSource.obtain` for one kernel, whose modules are known."""

    def __call__(self, pin: Any, /) -> KernelFiles:
        """Return the files of a build."""


def checked(files: KernelFiles) -> KernelFiles:
    """Return the files of a kernel of which a guest can be made, as far as can be seen; else raise KernelFileError."""
    config = files.config.read_text(errors="replace") if files.config is not None else None
    why = why_no_guest(files.arch, config=config, has_network=files.has_network)
    if why:
        raise KernelFileError(f"kernel {files.name}: no guest can be made of {files.release or files.image}: {why}")
    return files


def obtain_chosen(
    source: KernelSource[Any, Any], kernel: Kernel, pin: Any, *, obtain: Obtain, locked_only: bool
) -> KernelFiles:
    """Return the files of the build that `pin` stands for, else of the newest one, with a notice.

    `pin` is the kernel's entry of the lock, None where it has none that answers its request. A build whose files are
    gone is replaced by the newest. `locked_only` forbids any but the pinned build, and so does the row of a sweep: then
    both are PackageGoneError.
    Raises what `obtain` and the source's `pin` raise, and KernelFileError where no guest can be made of the kernel.
    """
    return checked(_chosen(source, kernel, pin, obtain=obtain, locked_only=locked_only))


def _chosen(
    source: KernelSource[Any, Any], kernel: Kernel, pin: Any, *, obtain: Obtain, locked_only: bool
) -> KernelFiles:
    about = source.describe(kernel, pin)
    never = _why_no_other(kernel, locked_only=locked_only)
    if not about.pinnable:
        return obtain(None)
    if pin is None:
        if never:
            raise PackageGoneError(
                f"kernel {kernel.name}: matrix.lock has no entry for {about.what} of {about.where}; "
                f"run `{command('lock')}`{', or leave out --locked' if locked_only else ''}"
            )
        why = (
            f"{kernel.name}: not in matrix.lock, so the newest {about.what} of {about.where} was taken; "
            f"run `{command('lock')}` to pin it"
        )
    else:
        try:
            return obtain(pin)
        except PackageGoneError as error:
            if never:
                raise PackageGoneError(f"kernel {kernel.name}: {error}\n({never})") from error
        why = f"{kernel.name}: {about.where} no longer has the pinned {about.version}"
    found = source.pin(kernel)
    files = obtain(found.pin)
    if pin is not None:
        current = source.describe(kernel, found.pin).version
        why += f"; its current {current} was run instead. Run `{command('lock')}` to pin it"
    return noticed(files, "; ".join(text for text in (why, found.notice, files.notice) if text))


def _why_no_other(kernel: Kernel, *, locked_only: bool) -> str:
    """Return why no build does but the pinned one, "" where another does."""
    if locked_only:
        return "--locked forbids another"
    return f"a row of a sweep is one build; `{command('lock')}` lists those that there are" if kernel.sweeping else ""


def noticed(files: KernelFiles, notice: str) -> KernelFiles:
    """Return a kernel's files with a notice, which the reports show beside its package as well."""
    return replace(files, notice=notice, package=replace(files.package, notice=notice))
