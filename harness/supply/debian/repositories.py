"""Any apt repository as a source sees it: at several addresses, of which the next is tried where one fails."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from harness.errors import BpfmatrixError, FetchError, MirrorError, PackageGoneError
from harness.host.cache import Cache
from harness.supply.debian.apt import USUAL, Apt, PackageFile, Patience, download, kind_of
from harness.supply.debian.archive import still_has
from harness.supply.debian.complaints import in_short
from harness.supply.debian.repository import Line
from harness.supply.debian.resolve import Index

T = TypeVar("T")
_FAILURES = (PackageGoneError, MirrorError, FetchError)


class Repository:
    """One suite at one address or several (`Archive`). `notices` are what its reader must know of those that failed."""

    def __init__(self, lines: Sequence[Line], *, cache: Cache, patience: Patience = USUAL) -> None:
        self._lines = tuple(lines)
        self._cache = cache
        self._patience = patience
        self.notices: list[str] = []

    @contextlib.contextmanager
    def index(self, suite: str, architecture: str) -> Iterator[Index]:
        """Do what `Archive` says: hold the index of the first address that has it whole, `suite` being that of all."""
        with contextlib.ExitStack() as held:

            def fresh(line: Line) -> Apt:
                kind = kind_of(line)
                apt = Apt(
                    cache=self._cache, lines=[line], architecture=architecture, kind=kind, patience=self._patience
                )
                lock = self._cache.lock(f"apt-{suite}-{architecture}-{kind}".replace("/", "_"))
                with contextlib.ExitStack() as own:
                    own.enter_context(lock)
                    apt.update_whole()
                    held.push(own.pop_all())
                return apt

            yield self._first(fresh, what=f"the index of {suite} ({architecture}) could not be fetched")

    def has(self, package: PackageFile) -> bool:
        """Say whether any of the addresses has the file of a package."""
        return any(still_has(package, base=line.address, patience=self._patience) for line in self._lines)

    def fetch(self, package: PackageFile, folder: Path) -> Path:
        """Do what `Archive` says, from the first address that has the very file."""

        def there(line: Line) -> Path:
            return download(package, base=line.address, folder=folder, patience=self._patience)

        return self._first(there, what=f"{package.name} {package.version} could not be fetched")

    def _first(self, obtain: Callable[[Line], T], *, what: str) -> T:
        """Return what is obtained from the first line that gives it; remember why those before it did not.

        Raises PackageGoneError where none has it any more, else MirrorError or FetchError, with the reason of each.
        """
        failures: list[tuple[str, BpfmatrixError]] = []
        for line in self._lines:
            try:
                found = obtain(line)
            except _FAILURES as error:
                failures.append((line.address, error))
            else:
                self.notices += [text for each in failures if (text := _passed(each, line)) not in self.notices]
                return found
        raise _worst(error for _, error in failures)(f"{what}:\n{_each(failures)}")


def _passed(failure: tuple[str, BpfmatrixError], line: Line) -> str:
    address, error = failure
    return f"{address} was passed over for {line.address}: {in_short(str(error))}"


def _each(failures: Iterable[tuple[str, BpfmatrixError]]) -> str:
    return "\n".join(f"{address}: {error}" for address, error in failures)


def _worst(errors: Iterable[BpfmatrixError]) -> type[BpfmatrixError]:
    """Return the meaning of several failures: what is gone is gone only where each address says so."""
    kinds = {type(error) for error in errors}
    return next((kind for kind in (FetchError, MirrorError) if kind in kinds), PackageGoneError)
