"""Files of a repository from any of its addresses, and all that a server can do wrong."""

from __future__ import annotations

import http.server
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rpm_repositories import Server, served

from harness.errors import BpfmatrixError, FetchError, MirrorError, PackageGoneError
from harness.supply.rpm import fetch
from harness.supply.rpm.fetch import TRIES, Repository

Handler = http.server.BaseHTTPRequestHandler


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    folder = tmp_path / "served"
    (folder / "repo/a").mkdir(parents=True)
    (folder / "repo/a/file.rpm").write_bytes(b"x" * 1000)
    (folder / "up.rpm").write_bytes(b"up")
    with served(folder) as server:
        yield server


def get(repository: Repository, target: Path, file: str = "a/file.rpm", *, most: int = 1000) -> bytes:
    repository.first(lambda base: repository.get(base, file, target, most=most))
    return target.read_bytes()


def answering(code: int) -> Callable[[Handler], None]:
    return lambda handler: handler.send_error(code)


def breaking_off(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    handler.wfile.write(b"x" * 300)


def breaking_off_in_chunks(handler: Handler) -> None:
    handler.protocol_version = "HTTP/1.1"
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"100\r\nabc")


def without_a_length(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b"x" * 1001)


def to_a_file(handler: Handler) -> None:
    handler.send_response(302)
    handler.send_header("Location", "file:///etc/passwd")
    handler.end_headers()


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_file_is_got_from_a_server_or_a_folder(server: Server, tmp_path: Path, slash: str) -> None:
    for base in (f"{server.address}/repo{slash}", f"file://{server.folder}/repo{slash}"):
        assert get(Repository([base]), tmp_path / "got") == b"x" * 1000
        assert get(Repository([base]), tmp_path / "got", "../up.rpm") == b"up"


@pytest.mark.parametrize(
    ("answer", "error", "complaint"),
    [
        (answering(404), PackageGoneError, r"/repo/a/file\.rpm is not there \(404 Not Found\)"),
        (answering(410), PackageGoneError, r"is not there \(410 Gone\)"),
        (answering(403), MirrorError, "the server answers 403 Forbidden"),
        (answering(500), MirrorError, "the server answers 500 Internal Server Error"),
        (breaking_off, MirrorError, "broke off after 300 of 1000 bytes"),
        (breaking_off_in_chunks, MirrorError, "broke off after"),
        (without_a_length, FetchError, "has more than the 1000 bytes that it may have"),
        (to_a_file, MirrorError, "the server answers 302"),
    ],
)
def test_what_a_server_does_wrong_is_named_with_the_address(
    server: Server,
    tmp_path: Path,
    answer: Callable[[Handler], None],
    error: type[BpfmatrixError],
    complaint: str,
) -> None:
    server.answers["/repo/a/file.rpm"] = answer
    with pytest.raises(error, match=complaint) as caught:
        get(Repository([f"{server.address}/repo"]), tmp_path / "got")
    assert f"{server.address}/repo/a/file.rpm" in str(caught.value)
    assert len(server.asked) == (TRIES if error is MirrorError else 1)


def test_a_larger_file_is_not_even_begun(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="has 1000 bytes, more than the 999 that it may have"):
        get(Repository([f"{server.address}/repo"]), tmp_path / "got", most=999)
    with pytest.raises(FetchError, match="has more than the 999 bytes"):
        get(Repository([f"file://{server.folder}/repo"]), tmp_path / "got", most=999)


def test_an_answer_that_breaks_off_once_is_asked_for_again(server: Server, tmp_path: Path) -> None:
    def once(handler: Handler) -> None:
        del server.answers["/repo/a/file.rpm"]
        breaking_off(handler)

    server.answers["/repo/a/file.rpm"] = once
    assert get(Repository([f"{server.address}/repo"]), tmp_path / "got") == b"x" * 1000


def test_a_server_that_says_nothing_is_left(server: Server, tmp_path: Path) -> None:
    def silent(_: Handler) -> None:
        server.ending.wait()

    server.answers["/repo/a/file.rpm"] = silent
    with pytest.raises(MirrorError, match="cannot be reached: timed out"):
        get(Repository([f"{server.address}/repo"], silent=0.05), tmp_path / "got")


def test_a_server_that_gives_a_byte_now_and_then_is_left(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dripping(handler: Handler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while not server.ending.is_set():
                handler.wfile.write(b"x")
                handler.wfile.flush()
        except OSError:  # nobody reads it any more
            pass

    server.answers["/repo/a/file.rpm"] = dripping
    monkeypatch.setattr(fetch, "LEAST_RATE", float("inf"))
    with pytest.raises(MirrorError, match=r"comes too slowly: \d+ bytes in 0 s|timed out"):
        get(Repository([f"{server.address}/repo"], silent=0.05), tmp_path / "got", most=1 << 62)


def test_the_next_address_is_asked_where_one_fails(server: Server, tmp_path: Path) -> None:
    nobody = "http://127.0.0.1:1/repo"
    repository = Repository([nobody, f"{server.address}/nothing", f"file://{server.folder}/repo"])
    assert get(repository, tmp_path / "got") == b"x" * 1000
    assert server.asked == ["GET /nothing/a/file.rpm"]


def test_where_all_fail_each_is_named(server: Server, tmp_path: Path) -> None:
    bases = ["http://127.0.0.1:1/repo", f"{server.address}/nothing"]
    with pytest.raises(MirrorError) as caught:
        get(Repository(bases), tmp_path / "got")
    first, *lines = str(caught.value).splitlines()
    assert first == "none of the addresses of the repository would do:"
    assert ["127.0.0.1:1/repo" in lines[0], "is not there (404" in lines[1]] == [True, True]


def failing(*errors: BpfmatrixError) -> type[BpfmatrixError]:
    """Which error is raised where each of the addresses of a repository raises one of `errors`."""
    left = list(errors)

    def fail(_: str) -> None:
        raise left.pop(0)

    with pytest.raises(BpfmatrixError) as caught:
        Repository(["http://a.example"] * len(errors)).first(fail)
    return type(caught.value)


def test_only_what_is_gone_from_all_addresses_is_gone() -> None:
    gone, silent, wrong = PackageGoneError("a"), MirrorError("b"), FetchError("c")
    assert failing(gone, gone) is PackageGoneError
    assert failing(gone, silent) is MirrorError
    assert failing(silent, wrong, gone) is FetchError


@pytest.mark.parametrize("method", ["http", "file"])
def test_whether_a_file_is_gone_is_asked_without_getting_it(server: Server, method: str) -> None:
    repository = Repository([f"{server.address}/repo" if method == "http" else f"file://{server.folder}/repo"])
    (base,) = repository.bases
    assert not repository.gone(base, "a/file.rpm")
    assert repository.gone(base, "a/other.rpm")
    assert not [each for each in server.asked if each.startswith("GET")]


def test_who_does_not_answer_says_nothing_of_a_file() -> None:
    repository = Repository(["http://127.0.0.1:1/repo"])
    assert not repository.gone(repository.bases[0], "a/file.rpm")


def test_a_folder_that_is_not_there_or_not_to_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    repository = Repository([f"file://{tmp_path}"])
    with pytest.raises(PackageGoneError, match=r"file\.rpm is not there"):
        get(repository, tmp_path / "got", "file.rpm/file.rpm")
    with pytest.raises(MirrorError, match="cannot be read: Is a directory"):
        get(repository, tmp_path / "got", "folder")


def test_a_target_that_cannot_be_written_is_said(server: Server, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match="cannot be written: No such file"):
        get(Repository([f"{server.address}/repo"]), tmp_path / "no/got")
