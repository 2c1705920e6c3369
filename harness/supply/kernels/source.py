"""What a source of kernels is: the protocol behind which Debian's suites, files of the user's own and others lie."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

from harness.host.cache import Cache
from harness.supply.debian.mirrors import Mirrors
from harness.supply.kernels.files import KernelFiles

KernelT_contra = TypeVar("KernelT_contra", contravariant=True)
PinT = TypeVar("PinT")


@dataclass(frozen=True, kw_only=True)
class SourceContext:
    """What a source is made with.

    `mirrors` finds Debian's mirrors, which takes a moment: it is called when needed. `registry` is where images are
    whose names have no host, "" where nobody says it. `locked_only` says that nothing is asked that a pin answers.
    `named` are the other mirrors of the matrix: name -> addresses, of which the next is tried where one fails.
    `progress` is given a kernel's name and how far it is, where obtaining it takes minutes; that ends soon, with an
    error, once `stopping` is set.
    """

    cache: Cache
    mirrors: Callable[[], Mirrors]
    registry: str = ""
    locked_only: bool = False
    named: Mapping[str, Sequence[str]] = field(default_factory=dict)
    progress: Callable[[str, str], None] = lambda kernel, text: None  # noqa: ARG005
    stopping: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, kw_only=True)
class Description:
    """What can be said of a kernel of the matrix before it is obtained.

    `what` is what its entry names, a package or a file; `where` is where that is looked for, "" where `what` says all.
    The others are about the pinned build, and empty without a pin: its `version`; `remark`, a few words on what is
    special about it; `missing`, the names of its parts that the source does not have; `size`, the bytes that are
    fetched for it; `files`, the sha256 of each of its files, which tell it from other builds wherever it is listed;
    `moved`, what it means that its version is another one than that of an earlier pin, "" where that says it all.
    `pinnable` says whether the lock can keep a build at all.
    """

    what: str
    where: str = ""
    pinnable: bool = True
    version: str = ""
    remark: str = ""
    missing: tuple[str, ...] = ()
    size: int | None = None
    files: tuple[str, ...] = ()
    moved: str = ""

    @property
    def origin(self) -> str:
        """Where the kernel comes from, in one line."""
        return f"{self.where}: {self.what}" if self.where else self.what


@dataclass(frozen=True, kw_only=True)
class Resolution(Generic[PinT]):
    """The build that a request stands for now: the newest whose files are all there.

    `passed_over` names the newer builds that are listed, but have files that are gone, the newest first. `remarks` are
    what else the user must know of how it was found, such as addresses that failed.
    """

    pin: PinT
    passed_over: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def notice(self) -> str:
        """What the user must know of the builds that were passed over, and the remarks; "" where there is nothing."""
        over = f"passed over, since files of theirs are gone: {', '.join(self.passed_over)}" if self.passed_over else ""
        return "; ".join(text for text in (over, *self.remarks) if text)


class KernelSource(Protocol[KernelT_contra, PinT]):
    """Where kernels come from. One object serves a whole run; it is safe to use from several threads.

    `KernelT_contra` is the model of its entries (harness/config/matrix.py). `PinT` is what it pins: a frozen
    dataclass of plain values, which matrix.lock keeps and gives back without understanding it. It says exactly which
    files a build is made of, with a sha256 each, and no host.
    """

    pin_type: ClassVar[type[Any] | None]
    """The class `PinT`. None: there is nothing to pin; then `pin` and `builds` give None, and `obtain` takes it."""

    def check(self, kernel: KernelT_contra, *, modules: Sequence[str], case_modules: Sequence[str]) -> None:
        """Find the user's mistakes in an entry, before any guest and without a network.

        `modules` and `case_modules` are as in `obtain`. Raises KernelFileError or ConfigError.
        """

    def builds(self, kernel: KernelT_contra) -> Sequence[PinT]:
        """Return all builds that the source lists for an entry, the newest first, whether or not their files are there.

        There is at least one. Raises PackageGoneError where there is none, MirrorError where nobody answers.
        """

    def pin(self, kernel: KernelT_contra) -> Resolution[PinT]:
        """Return the newest build whose files are all there now.

        Raises PackageGoneError where the source lists none, or none that is whole; MirrorError where nobody answers.
        """

    def gone(self, kernel: KernelT_contra, pin: PinT) -> Sequence[str]:
        """Return what of a build's files the source says it has no more; where that is not known, it is there."""

    def answers(self, kernel: KernelT_contra, pin: PinT) -> bool:
        """Say whether a pin was made for this very entry; after a change in matrix.yaml it was not. No network."""

    def obtain(
        self, kernel: KernelT_contra, pin: PinT, *, modules: Sequence[str], case_modules: Sequence[str] = ()
    ) -> KernelFiles:
        """Return the files of exactly the pinned build, from the cache or fetched now, each checked by its sha256.

        `modules` are those that every guest loads when it starts; `case_modules` those that cases name. Raises
        PackageGoneError where a file is gone for good; MirrorError, FetchError or CacheError where it cannot be had
        now; KernelFileError where a file of the user's own is missing or is not such a kernel.
        """

    def unpack(self, kernel: KernelT_contra, pin: PinT, folder: Path) -> None:
        """Write all of a build to `folder`, which is empty: boot/KIND-RELEASE and lib/modules/RELEASE, all modules.

        Raises what `obtain` raises.
        """

    def changelog(self, kernel: KernelT_contra, pin: PinT) -> str:
        """Return the changelog that a build's packages carry, the newest entry first; "" where they have none.

        The packages are fetched for it. Raises what `obtain` raises.
        """

    def describe(self, kernel: KernelT_contra, pin: PinT | None) -> Description:
        """Return what the user is shown of an entry, and of its pin if there is one. No network."""


class SourceKind(Protocol):
    """The class of a source."""

    @property
    def pin_type(self) -> type[Any] | None:
        """As in `KernelSource`."""

    def __call__(self, context: SourceContext, /) -> KernelSource[Any, Any]:
        """Make the source."""
