"""The guest's service as a module on the host: it takes what the session sends, and gives the agent its job."""

# ruff: noqa: ARG002, ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import ast
import importlib
import io
import json
import os
import struct
import sys
import tempfile
import threading
import zlib
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit_samples import ROOT, guest_plan, sample_case

from harness.guest import session, snapshots
from harness.guest.protocol import Transcript

service: Any = importlib.import_module("harness.guest_service")
# It puts its own folder first, where the guest has nothing else; here harness/debian would stand before python-debian.
sys.path.remove(str(ROOT / "harness"))


def test_it_needs_nothing_but_the_standard_library_and_the_agent() -> None:
    tree = ast.parse((ROOT / "harness/guest_service.py").read_text())
    found = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    found |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert found - set(sys.stdlib_module_names) == {"guest_agent"}


def test_host_and_guest_mean_the_same_places_and_words() -> None:
    assert str(session.IN_GUEST) == service.FOLDER
    assert f"{service.FOLDER}/in" in session.AGENT_COMMAND
    assert f"{service.FOLDER}/out" in session.AGENT_COMMAND
    assert snapshots.STANDBY == service.STANDBY
    init = (ROOT / "images/init").read_text()
    for name in ("in", "out", "go"):
        assert f"{service.FOLDER}/{name}" in init
    assert "standby=standby" in init, "the service's word, and init's"


@pytest.fixture
def sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, dict[str, bytes]]:
    """What a session with two cases sends, and the files that it has to bring; they go below tmp_path."""
    monkeypatch.setattr(session, "IN_GUEST", PurePosixPath(tmp_path / "guest"))
    objects: dict[str, dict[str, Path]] = {}
    files: dict[str, bytes] = {}
    for case in ("first", "second"):
        for name, data in (("target.bpf.c", os.urandom(70_000)), ("tracer.bpf.c", b"{}\nlines\n\n"), ("e.bpf.c", b"")):
            path = tmp_path / f"{case}-{name}"
            path.write_bytes(data)
            objects.setdefault(case, {})[name] = path
            files[str(tmp_path / "guest" / case / f"{name}.o")] = data
    plan = guest_plan(tmp_path, objects=objects)
    return session._job(plan, [sample_case(id=case) for case in objects]), files


def test_the_service_takes_what_the_session_sends(sent: tuple[bytes, dict[str, bytes]]) -> None:
    data, files = sent
    stream = io.BytesIO(data)
    job = service.receive(stream)
    assert stream.read() == b"", "nothing is left over"
    assert {path: Path(path).read_bytes() for path in files} == files
    assert [case["id"] for case in job["cases"]] == ["first", "second"]
    opened = {step["path"] for case in job["cases"] for step in case["steps"] if step["op"] == "open"}
    assert opened and opened <= set(files), "what the job opens is there"


def test_the_first_line_is_json_and_says_what_follows(sent: tuple[bytes, dict[str, bytes]]) -> None:
    data, files = sent
    line, _, rest = zlib.decompress(data).partition(b"\n")
    head = json.loads(line)
    assert set(head) == {"files", "job"}
    assert head["files"] == [[path, len(content)] for path, content in files.items()]
    assert rest == b"".join(files.values())


@settings(deadline=None, max_examples=40)
@given(st.lists(st.binary(max_size=300), max_size=5), st.text())
def test_any_files_and_any_job(contents: list[bytes], word: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        files = [(f"{name}/{number}/x.o", content) for number, content in enumerate(contents)]
        head = {"files": [(path, len(content)) for path, content in files], "job": {"cases": [word]}}
        data = json.dumps(head).encode() + b"\n" + b"".join(contents)
        assert service.receive(io.BytesIO(zlib.compress(data))) == {"cases": [word]}
        assert [Path(path).read_bytes() for path, _ in files] == contents


@pytest.mark.parametrize("data", [b"", b"{", b"[]\n", b'{"files": []}\n', b'{"files": [["x"]], "job": {}}\n'])
def test_what_is_no_job_ends_the_service(data: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        service.receive(io.BytesIO(zlib.compress(data)))


def test_what_was_cut_short_ends_the_service(sent: tuple[bytes, dict[str, bytes]]) -> None:
    with pytest.raises(zlib.error):
        service.receive(io.BytesIO(sent[0][:-5]))


@pytest.fixture
def fifos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("in", "out", "go"):
        os.mkfifo(folder / name)
    monkeypatch.setattr(service, "FOLDER", str(folder))
    monkeypatch.setattr(service.gc, "freeze", lambda: None)  # of the tests' own process, it would be for ever
    return folder


class Lib:
    """Stands for libbpf."""

    def version(self) -> str:
        return "v0"


class Quiet:
    """A kernel log without a word."""

    def read(self) -> list[str]:
        return []


def test_a_job_through_the_pipes_and_its_lines_back(
    fifos: Path, sent: tuple[bytes, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As AGENT_COMMAND does it: all into one pipe, then all out of the other."""
    agent = service.guest_agent
    monkeypatch.setattr(agent, "Libbpf", Lib)
    monkeypatch.setattr(agent, "KernelLog", Quiet)
    monkeypatch.setattr(agent, "run_case", lambda reporter, lib, log, case: reporter.send("case", case=case["id"]))
    monkeypatch.setattr(agent.resource, "setrlimit", lambda *words: None)
    thread = threading.Thread(target=service.main, kwargs={"standby": False}, daemon=True)
    thread.start()
    with (fifos / "in").open("wb") as source:
        source.write(sent[0])
    with (fifos / "out").open("rb") as lines:
        said = [json.loads(lines.readline()) for _ in range(4)]  # the end comes only with the process's own
        thread.join(10)
    assert [line["type"] for line in said] == ["hello", "case", "case", "done"]
    transcript = Transcript()
    transcript.feed(json.dumps(said[0]).encode())
    assert transcript.environment["libbpf"] == "v0"


class Places:
    """Stands for the places that a greeting's words go to; `order` has what befell them."""

    def __init__(self, order: list[Any]) -> None:
        self.order = order
        order.append("places")

    def fill(self, words: dict[str, Any]) -> None:
        self.order.append(words)


@pytest.mark.parametrize("gate", [False, True])
def test_a_guest_that_stands_by_is_greeted_before_it_takes_a_job(
    gate: bool, fifos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[Any] = []
    agent = service.guest_agent

    def greeting(console: Any) -> bytes:
        order.append("standing by")
        return b'{"time": 1}\n'

    monkeypatch.setattr(agent, "Libbpf", lambda: order.append("libbpf"))
    monkeypatch.setattr(agent, "KernelLog", lambda: order.append("log"))
    monkeypatch.setattr(service, "Places", lambda: Places(order))
    console = fifos / "console"
    console.touch()
    monkeypatch.setattr(service, "CONSOLE", str(console))
    monkeypatch.setattr(service, "greeting", greeting)
    monkeypatch.setattr(service, "receive", lambda source: order.append("receive"))
    monkeypatch.setattr(agent, "serve", lambda job, *, lib, log, fd: os.close(fd))
    thread = threading.Thread(target=service.main, kwargs={"standby": True, "gate": gate}, daemon=True)
    thread.start()
    if gate:
        assert (fifos / "go").read_bytes() == b"go\n"
    with (fifos / "in").open("wb"):
        pass
    with (fifos / "out").open("rb"):
        thread.join(10)
    before = order.index("standing by")
    assert set(order[:before]) == {"libbpf", "log", "places"}, "all of that is in the snapshot"
    assert order[before + 1 :] == [{"time": 1}, "receive"]
    assert console.read_text() == f"{service.GREETED}\n" == f"{snapshots.GREETED}\n"


class Libc:
    """Stands for the C library: keeps what ioctl(2) is given, and returns `result`."""

    def __init__(self, result: int = 0) -> None:
        self.calls: list[tuple[int, bytes | None]] = []
        self.result = result

    def ioctl(self, fd: int, request: Any, argument: bytes | None) -> int:
        self.calls.append((request.value, argument))
        return self.result


WORDS: dict[str, Any] = {
    "time": 1.5,
    "entropy": "00ff" * 32,
    "host_key": b"dropbear's file".hex(),
    "authorized_key": "ssh-ed25519 A b",
}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(service, "HOST_KEY", str(tmp_path / "host"))
    monkeypatch.setattr(service, "AUTHORIZED_KEYS", str(tmp_path / "ssh/authorized"))
    return tmp_path


def test_a_greeting_makes_a_guest_one_of_its_own(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[tuple[int, float]] = []
    monkeypatch.setattr(service.time, "clock_settime", lambda clock, value: times.append((clock, value)))
    place = service.Places()
    assert (places / "host").read_bytes() == b"", "images/init takes an empty one for none"
    place._libc = libc = Libc()
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    place.fill(WORDS)
    assert times == [(service.time.CLOCK_REALTIME, 1.5)]
    # RNDADDENTROPY with 512 bits in 64 bytes, then RNDRESEEDCRNG (include/uapi/linux/random.h)
    entropy = bytes.fromhex(WORDS["entropy"])
    assert [argument for _, argument in libc.calls] == [struct.pack("=ii", 512, 64) + entropy, None]
    assert [request & 0xFF for request, _ in libc.calls] == [3, 7]
    assert (places / "host").read_bytes() == b"dropbear's file"
    assert (places / "ssh/authorized").read_text() == "ssh-ed25519 A b\n"
    assert {path.stat().st_mode & 0o777 for path in (places / "host", places / "ssh/authorized")} == {0o600}
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before - 3


def test_a_guest_whose_random_numbers_cannot_be_its_own_ends(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.time, "clock_settime", lambda clock, value: None)
    place = service.Places()
    place._libc = Libc(result=-1)
    with pytest.raises(OSError, match="random numbers cannot be made its own"):
        place.fill(WORDS)
    assert (places / "host").read_bytes() == b"", "and has no keys"


def test_a_write_goes_on_until_all_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.write
    monkeypatch.setattr(service.os, "write", lambda fd, data: really(fd, data[:3]))
    service.write(os.open(tmp_path / "f", os.O_WRONLY | os.O_CREAT), b"0123456789")
    assert (tmp_path / "f").read_bytes() == b"0123456789"


def test_only_the_objects_of_the_cases_that_run_are_sent(sent: tuple[bytes, dict[str, bytes]], tmp_path: Path) -> None:
    paths = {case: {"target.bpf.c": tmp_path / f"{case}-target.bpf.c"} for case in ("first", "second")}
    for objects in paths.values():
        objects["tracer.bpf.c"] = tmp_path / "first-tracer.bpf.c"
    data = session._job(guest_plan(tmp_path, objects=paths), [sample_case(id="second")])
    assert {
        PurePosixPath(path).parent.name for path, _ in json.loads(zlib.decompress(data).partition(b"\n")[0])["files"]
    } == {"second"}
