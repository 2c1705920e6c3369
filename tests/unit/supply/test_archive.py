"""Which files a mirror still has: by its own answer, and then by apt's."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from unit_samples import package_file

from harness.errors import FetchError, PackageGoneError
from harness.host.cache import Cache
from harness.supply.debian import archive as archive_module
from harness.supply.debian.apt import PackageFile, Patience
from harness.supply.debian.archive import MirroredArchive, apt_proxies, parse_proxies, seems_gone
from harness.supply.debian.mirrors import Mirrors


class Server(http.server.BaseHTTPRequestHandler):
    """Answers `/CODE/...` with that code."""

    def do_HEAD(self) -> None:
        self.server.asked.append((self.command, self.path))  # type: ignore[attr-defined]
        self.send_response(int(self.path.removeprefix("http:/").split("/")[1]))
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[http.server.HTTPServer]:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(archive_module, "apt_proxies", dict)
    with http.server.HTTPServer(("127.0.0.1", 0), Server) as found:
        found.asked = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield found
        found.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("code", "gone"), [(200, False), (404, True), (410, True), (403, False), (405, False), (500, False), (503, False)]
)
def test_only_a_plain_no_is_an_absence(code: int, gone: bool, server: http.server.HTTPServer) -> None:
    assert seems_gone(f"http://127.0.0.1:{server.server_port}/{code}/pool/x.deb") == gone
    assert server.asked == [("HEAD", f"/{code}/pool/x.deb")], "no byte of the file is fetched"  # type: ignore[attr-defined]


def test_a_server_that_does_not_answer_says_nothing_of_a_file(server: http.server.HTTPServer) -> None:
    server.server_close()
    assert not seems_gone(f"http://127.0.0.1:{server.server_port}/404/x.deb")


def test_a_mirror_in_a_folder(tmp_path: Path) -> None:
    (tmp_path / "x.deb").touch()
    assert not seems_gone(f"file://{tmp_path}/x.deb")
    assert seems_gone(f"file://{tmp_path}/y.deb")


def test_apts_proxies_are_asked_through(server: http.server.HTTPServer, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(archive_module, "apt_proxies", lambda: {"http": proxy})
    assert seems_gone("http://404/pool/x.deb"), "a proxy is asked for the whole address"
    assert server.asked == [("HEAD", "http://404/pool/x.deb")]  # type: ignore[attr-defined]


DUMP = """\
Acquire::http "";
Acquire::http::Proxy "http://proxy.example:3142";
Acquire::http::Proxy::mirror.example "DIRECT";
Acquire::https::Proxy "DIRECT";
Acquire::ftp::Proxy "ftp://proxy.example";
"""


def test_the_proxies_of_apts_configuration() -> None:
    assert parse_proxies(DUMP) == {"http": "http://proxy.example:3142", "https": ""}
    assert parse_proxies("") == {}
    assert apt_proxies().keys() <= {"http", "https"}, "the host's own apt-config cannot be read"


# --- apt's word -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("suspected", "error", "there"),
    [
        (False, PackageGoneError("never asked"), True),
        (True, PackageGoneError("404"), False),
        (True, FetchError("503"), True),
        (True, None, True),
    ],
)
def test_apt_has_the_last_word_on_an_absence(
    suspected: bool, error: Exception | None, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def download(package: PackageFile, *, base: str, folder: Path, patience: Patience) -> Path:
        asked.append(base)
        if error is not None:
            raise error
        return folder / "x.deb"

    monkeypatch.setattr(archive_module, "seems_gone", lambda _: suspected)
    monkeypatch.setattr(archive_module, "download", download)
    mirrors = Mirrors({"debian": "http://mirror.example/debian"}, {})
    archive = MirroredArchive(cache=Cache(tmp_path / "cache"), mirrors=lambda: mirrors)
    assert archive.has(package_file()) == there
    assert asked == (["http://mirror.example/debian"] if suspected else [])
