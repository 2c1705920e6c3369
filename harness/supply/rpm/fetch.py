"""Files of an RPM repository from any of its addresses: over HTTP, or out of a folder of this machine."""

from __future__ import annotations

import functools
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar
from urllib.parse import unquote, urljoin, urlsplit

from harness.errors import BpfmatrixError, FetchError, MirrorError, PackageGoneError
from harness.host.process import has_tool
from harness.host.scratch import scratch_folder
from harness.supply.debian.archive import apt_proxies
from harness.supply.debian.complaints import in_short
from harness.supply.rpm.mirror_lists import MOST_LIST, Checksum, Mirrors, read_list
from harness.supply.rpm.pin import marks_of

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from urllib.request import OpenerDirector

SILENT_SECONDS = 30.0
"""How long a server may say nothing."""
LEAST_RATE = 16 << 10
"""Bytes a second that a server must give on average, once SILENT_SECONDS have passed."""
TRIES = 2
"""How often one address is asked where its answer breaks off, or never begins."""
_PIECE = 1 << 18
_GONE = (404, 410)
_HERE = re.compile(r"localhost|127\.[0-9.]+|\[?::1\]?")

Found = TypeVar("Found")


class Repository:
    """The addresses of one repository: each has the same files, and the next is asked where one fails.

    `index` is what repomd.xml may be, where a list of mirrors says so. `marks` tell the addresses, or that of the list,
    from others in a lock that names no host. `silent` is how long a server may say nothing, in seconds.
    """

    def __init__(
        self,
        bases: Sequence[str],
        *,
        marks: tuple[str, ...] = (),
        index: tuple[Checksum, ...] = (),
        silent: float = SILENT_SECONDS,
    ) -> None:
        self.bases = tuple(base.rstrip("/") + "/" for base in bases)
        self.marks = marks or marks_of(self.bases)
        self.index = index
        self._passed: dict[str, str] = {}
        self._silent = silent

    @property
    def notices(self) -> Sequence[str]:
        """What the user must know of the addresses that failed until now while another did not: a line for each."""
        return tuple(self._passed.values())

    def first(self, ask: Callable[[str], Found]) -> Found:
        """Return what `ask` gives for the first of the addresses for which it raises no error of fetching.

        Where all fail: what the only one raised; of several PackageGoneError where the file is gone from all of them,
        FetchError where one had a file that is not what it should be, else MirrorError.
        """
        errors: list[BpfmatrixError] = []
        for base in self.bases:
            try:
                found = ask(base)
            except (PackageGoneError, MirrorError, FetchError) as error:
                errors.append(error)
            else:
                for passed, reason in zip(self.bases, errors, strict=False):
                    why = in_short(str(reason).removeprefix(f"{passed}: "))
                    self._passed.setdefault(passed, f"{passed} was passed over for {base}: {why}")
                return found
        if len(errors) == 1:
            raise errors[0]
        kinds = {type(error) for error in errors}
        worst = next(kind for kind in (FetchError, MirrorError, PackageGoneError) if kind in kinds)
        raise worst("none of the addresses of the repository would do:\n" + "\n".join(f"  {error}" for error in errors))

    def get(self, base: str, file: str, target: Path, *, most: int) -> None:
        """Write a file, whose address is relative to `base`, to `target`.

        Raises PackageGoneError where the server says that it is not there, MirrorError where it does not answer, or
        its answer breaks off, FetchError where the file has more than `most` bytes or cannot be written.
        """
        address = urljoin(base, file)
        for left in reversed(range(TRIES)):
            try:
                with target.open("wb") as out:
                    self._copy(address, out, most=most)
            except MirrorError:
                if not left:
                    raise
            except OSError as error:
                raise FetchError(f"{target} cannot be written: {error.strerror}") from error
            else:
                return

    def gone(self, base: str, file: str) -> bool:
        """Say whether a server answers that there is no such file. Any other answer, or none, is a no."""
        address = urljoin(base, file)
        if address.startswith("file:"):
            return not _path(address).is_file()
        try:
            with self._opened(address, method="HEAD"):
                return False
        except PackageGoneError:
            return True
        except (MirrorError, FetchError):
            return False

    def _copy(self, address: str, out: IO[bytes], *, most: int) -> None:
        size, begun = 0, time.monotonic()
        for piece in self._pieces(address, most=most):
            size += len(piece)
            if size > most:
                raise FetchError(f"{address} has more than the {most} bytes that it may have")
            out.write(piece)
            seconds = time.monotonic() - begun
            if seconds > self._silent and size / seconds < LEAST_RATE:
                raise MirrorError(f"{address} comes too slowly: {size} bytes in {seconds:.0f} s")

    def _pieces(self, address: str, *, most: int) -> Iterator[bytes]:
        """Yield what is at an address; raise as `get` does."""
        if address.startswith("file:"):
            yield from _of_file(address)
            return
        from http.client import HTTPException  # noqa: PLC0415  (expensive, and only who fetches needs it)

        with self._opened(address) as answer:
            length = int(answer.headers.get("Content-Length") or -1)
            if length > most:
                raise FetchError(f"{address} has {length} bytes, more than the {most} that it may have")
            size = 0
            while True:
                try:
                    # As much as there is, so that a server that gives little is noticed.
                    piece = answer.read1(_PIECE)
                except (OSError, ValueError, HTTPException) as error:
                    raise MirrorError(f"{address} broke off after {size} bytes: {error}") from error
                if not piece:
                    break
                size += len(piece)
                yield piece
            if size < length:
                raise MirrorError(f"{address} broke off after {size} of {length} bytes")

    def _opened(self, address: str, *, method: str = "GET") -> HTTPResponse:
        from http.client import HTTPException  # noqa: PLC0415
        from urllib.error import HTTPError  # noqa: PLC0415
        from urllib.request import Request  # noqa: PLC0415

        opener = _direct() if _HERE.fullmatch(urlsplit(address).hostname or "") else _opener()
        request = Request(address, method=method, headers={"User-Agent": "bpfmatrix"})
        try:
            answer: HTTPResponse = opener.open(request, timeout=self._silent)
        except HTTPError as error:
            with error:
                if error.code in _GONE:
                    raise PackageGoneError(f"{address} is not there ({error.code} {error.reason})") from error
                raise MirrorError(f"{address}: the server answers {error.code} {error.reason}") from error
        except (OSError, ValueError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise MirrorError(f"{address} cannot be reached: {reason}") from error
        return answer


def mirrors_at(address: str, *, architecture: str, silent: float = SILENT_SECONDS) -> Mirrors:
    """Return what the list of mirrors at an address says; `architecture` is RPM's name of the one that is wanted.

    Raises MirrorError where there is no list, or nobody answers; FetchError where it is none.
    """
    with scratch_folder() as scratch:
        target = scratch / "list"
        try:
            Repository([], silent=silent).get(address, "", target, most=MOST_LIST)
        except PackageGoneError as error:
            raise MirrorError(f"there is no list of mirrors: {error}") from error
        return read_list(target.read_bytes(), where=address, architecture=architecture)


@functools.cache
def _opener() -> OpenerDirector:
    from urllib.request import ProxyHandler, build_opener, getproxies  # noqa: PLC0415

    of_apt = apt_proxies() if has_tool("apt-config") else {}
    return build_opener(ProxyHandler({scheme: proxy for scheme, proxy in {**of_apt, **getproxies()}.items() if proxy}))


@functools.cache
def _direct() -> OpenerDirector:
    from urllib.request import ProxyHandler, build_opener  # noqa: PLC0415

    return build_opener(ProxyHandler({}))


def _path(address: str) -> Path:
    return Path(unquote(urlsplit(address).path))


def _of_file(address: str) -> Iterator[bytes]:
    try:
        with _path(address).open("rb") as file:
            while piece := file.read(_PIECE):
                yield piece
    except (FileNotFoundError, NotADirectoryError) as error:
        raise PackageGoneError(f"{address} is not there") from error
    except OSError as error:
        raise MirrorError(f"{address} cannot be read: {error.strerror}") from error
