"""The guest's service as a module on the host: it takes what the session sends, and gives the agent its job."""

# ruff: noqa: ARG002, ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import functools
import importlib
import json
import os
import struct
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from agent_samples import Clean, Played, Quiet
from hypothesis import given
from hypothesis import strategies as st
from unit_samples import ROOT, guest_plan, kernel_files, sample_case

from harness.agent.serve import serve
from harness.facts.transcript import Transcript
from harness.guest import parcel, session, snapshots
from harness.supply.image.programs import GuestPrograms
from harness.supply.kernels.modules import CaseModule

service: Any = importlib.import_module("harness.guest_service")
AGENT = b"# the agent, in whatever form\n"


def test_host_and_guest_mean_the_same_places_and_words() -> None:
    assert str(parcel.IN_GUEST) == service.FOLDER
    assert f"{service.FOLDER}/in" == parcel.PARCELS
    assert f"{service.FOLDER}/out" in session.AGENT_COMMAND
    assert snapshots.STANDBY == service.STANDBY
    assert snapshots.READY == service.READY
    assert snapshots.GREETED == service.GREETED
    init = (ROOT / "images/init").read_text()
    for name in ("in", "out", "go"):
        assert f"{service.FOLDER}/{name}" in init
    assert "standby=standby" in init, "the service's word, and init's"


@pytest.fixture
def sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, dict[str, bytes]]:
    """What a session with two cases pushes, and the files that it has to bring; they go below tmp_path."""
    monkeypatch.setattr(parcel, "IN_GUEST", PurePosixPath(tmp_path / "guest"))
    objects: dict[str, dict[str, Path]] = {}
    files: dict[str, bytes] = {}
    for case in ("first", "second"):
        for name, data in (("target.bpf.c", os.urandom(70_000)), ("tracer.bpf.c", b"{}\nlines\n\n"), ("e.bpf.c", b"")):
            path = tmp_path / f"{case}-{name}"
            path.write_bytes(data)
            objects.setdefault(case, {})[name] = path
            files[str(tmp_path / "guest" / case / f"{name}.o")] = data
    plan = guest_plan(tmp_path, objects=objects, programs=GuestPrograms(agent=AGENT))
    return parcel.job_parcel(plan, [sample_case(id=case) for case in objects], agent=True), files


def test_the_service_takes_what_the_session_pushes(sent: tuple[bytes, dict[str, bytes]]) -> None:
    data, files = sent
    agent, job = service.unpack(data)
    assert agent == AGENT
    assert {path: Path(path).read_bytes() for path in files} == files
    assert [case["id"] for case in job["cases"]] == ["first", "second"]
    opened = {step["path"] for case in job["cases"] for step in case["steps"] if step["op"] == "open"}
    assert opened and opened <= set(files), "what the job opens is there"


def test_the_first_line_is_json_and_says_what_follows(sent: tuple[bytes, dict[str, bytes]]) -> None:
    data, files = sent
    line, _, rest = zlib.decompress(data).partition(b"\n")
    head = json.loads(line)
    assert set(head) == {"agent", "files", "job"}
    assert head["agent"] == len(AGENT)
    assert head["files"] == [[path, len(content)] for path, content in files.items()]
    assert rest == AGENT + b"".join(files.values())


def test_modules_are_pushed_for_the_cases_that_name_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parcel, "MODULES", PurePosixPath(tmp_path / "guest/.modules"))
    files = []
    for name in ("tunnel4.ko", "sit.ko"):
        files.append(tmp_path / name)
        files[-1].write_bytes(name.encode())
    modules = {"sit": CaseModule(tuple(files)), "tls": CaseModule(built_in=True), "veth": CaseModule(tuple(files[:1]))}
    kernel = kernel_files(tmp_path, case_modules=modules)
    objects = dict.fromkeys(("target.bpf.c", "tracer.bpf.c"), files[0])
    plan = guest_plan(tmp_path, objects={"a": objects, "b": objects}, kernel=kernel)
    monkeypatch.setattr(parcel, "IN_GUEST", PurePosixPath(tmp_path / "guest"))
    cases = [sample_case(id="a", modules=["sit", "tls"]), sample_case(id="b", modules=["vehth"])]
    _, job = service.unpack(parcel.job_parcel(plan, cases, agent=False))
    pushed = [str(tmp_path / "guest/.modules" / path.name) for path in files]
    assert [case["modules"] for case in job["cases"]] == [
        [{"name": "sit", "files": pushed, "built_in": False}, {"name": "tls", "files": [], "built_in": True}],
        [{"name": "vehth", "files": [], "built_in": False}],
    ]
    assert [Path(path).read_bytes() for path in pushed] == [b"tunnel4.ko", b"sit.ko"]


def test_the_agent_goes_by_itself_or_with_a_job_or_is_there_already(tmp_path: Path) -> None:
    plan = guest_plan(tmp_path, programs=GuestPrograms(agent=AGENT))
    assert service.unpack(parcel.agent_parcel(plan)) == (AGENT, None)
    for agent in (True, False):
        code, job = service.unpack(parcel.job_parcel(plan, [], agent=agent))
        assert (code, job["cases"]) == (AGENT if agent else b"", [])


@given(st.binary(max_size=300), st.lists(st.binary(max_size=300), max_size=5), st.text())
def test_any_agent_any_files_and_any_job(agent: bytes, contents: list[bytes], word: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        files = [(f"{name}/{number}/x.o", content) for number, content in enumerate(contents)]
        head = {
            "agent": len(agent),
            "files": [(path, len(content)) for path, content in files],
            "job": {"cases": [word]},
        }
        data = json.dumps(head).encode() + b"\n" + agent + b"".join(contents)
        assert service.unpack(zlib.compress(data)) == (agent, {"cases": [word]})
        assert [Path(path).read_bytes() for path, _ in files] == contents


@pytest.mark.parametrize(
    "data", [b"", b"{", b"[]\n", b'{"agent": 0, "files": []}\n', b'{"agent": 0, "files": [["x"]], "job": {}}\n']
)
def test_what_is_no_parcel_ends_the_service(data: bytes) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        service.unpack(zlib.compress(data))


def test_what_was_cut_short_ends_the_service(sent: tuple[bytes, dict[str, bytes]]) -> None:
    with pytest.raises(zlib.error):
        service.unpack(sent[0][:-5])


def test_the_service_is_alone_when_ssh_serves_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"1": "init", "7": "dropbear", "8": "dropbear", "9": ""}
    monkeypatch.setattr(service.os, "listdir", lambda path: [*names, "self", "cpuinfo"])
    monkeypatch.setattr(service, "name_of", lambda pid: names[pid])
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            del names["8"]

    monkeypatch.setattr(service.time, "sleep", sleep)
    service.wait_until_alone()
    assert len(slept) == 3


def test_the_name_of_a_process() -> None:
    assert service.name_of(os.getpid()) == Path("/proc/self/comm").read_text().strip()
    assert service.name_of(0) == ""


@pytest.fixture
def fifos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("in", "out", "go"):
        os.mkfifo(folder / name)
    monkeypatch.setattr(service, "FOLDER", str(folder))
    monkeypatch.setattr(service.gc, "freeze", lambda: None)  # of the tests' own process, it would be for ever
    return folder


def test_a_job_through_the_pipes_and_its_lines_back(
    fifos: Path, sent: tuple[bytes, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the session does it: all into one pipe, then all out of the other."""
    loaded: list[bytes] = []

    def load(code: bytes) -> Callable[..., None]:
        loaded.append(code)
        return functools.partial(serve, lib=Played(), log=Quiet())

    def run_case(reporter: Any, lib: Any, log: Any, case: Any, *, before: Any, loads: Any) -> None:
        reporter.send("case", case=case["id"])

    monkeypatch.setattr(service, "load", load)
    monkeypatch.setattr(service.ctypes, "CDLL", lambda name: None)
    monkeypatch.setattr("harness.agent.serve.run_case", run_case)
    monkeypatch.setattr("harness.agent.serve.Surroundings", Clean)
    monkeypatch.setattr("resource.setrlimit", lambda *status: None)
    thread = threading.Thread(target=service.main, kwargs={"standby": False}, daemon=True)
    thread.start()
    with (fifos / "in").open("wb") as source:
        source.write(sent[0])
    with (fifos / "out").open("rb") as lines:
        said = [json.loads(lines.readline()) for _ in range(4)]  # the end comes only with the process's own
        thread.join(10)
    assert loaded == [AGENT]
    assert [line["type"] for line in said] == ["hello", "case", "case", "done"]
    transcript = Transcript()
    transcript.feed(json.dumps(said[0]).encode())
    assert transcript.environment["libbpf"] == "v0"


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 10
    while not condition() and time.monotonic() < end:
        time.sleep(0.002)
    assert condition()


class Places:
    """Stands for the places that a greeting's words go to; `order` has what befell them."""

    def __init__(self, order: list[Any]) -> None:
        self.order = order
        order.append("no keys")

    def fill(self, given: dict[str, Any]) -> None:
        self.order.append(given)


@pytest.mark.parametrize("gate", [False, True])
def test_a_guest_that_stands_by_takes_the_agent_then_stands_by_again_and_takes_a_job(
    gate: bool, fifos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[Any] = []
    greetings = iter([b'{"time": 1}\n', b'{"time": 2}\n'])

    def greeting(console: Any, status: str) -> bytes:
        order.append(status)
        return next(greetings)

    def serve(job: Any, *, fd: int) -> None:
        order.append(job)
        os.close(fd)

    def load(code: bytes) -> Callable[..., None]:
        order.append(code)
        return serve

    monkeypatch.setattr(service.ctypes, "CDLL", order.append)
    monkeypatch.setattr(service, "load", load)
    monkeypatch.setattr(service, "Places", lambda: Places(order))
    monkeypatch.setattr(service, "wait_until_alone", lambda: order.append("alone"))
    console = fifos / "console"
    console.touch()
    monkeypatch.setattr(service, "CONSOLE", str(console))
    monkeypatch.setattr(service, "greeting", greeting)
    plan = guest_plan(tmp_path, programs=GuestPrograms(agent=AGENT))
    thread = threading.Thread(target=service.main, kwargs={"standby": True, "gate": gate}, daemon=True)
    thread.start()
    for number, data in enumerate((parcel.agent_parcel(plan), parcel.job_parcel(plan, [], agent=False))):
        until(lambda: len({service.STANDBY, service.READY} & set(map(str, order))) > number)  # noqa: B023
        if gate:
            assert (fifos / "go").read_bytes() == b"go\n"
        (fifos / "in").write_bytes(data)
        assert (fifos / "go").exists() == (number == 0 or not gate), "from the last greeting on, init need not ask"
    with (fifos / "out").open("rb"):
        thread.join(10)
    assert order == [
        *("libbpf.so.1", "no keys", service.STANDBY, {"time": 1}),
        *("no keys", AGENT, "alone", service.READY, {"time": 2}),
        {"cases": []},
    ]
    assert console.read_text() == f"{service.GREETED}\n", "each time from the start of the file"


def test_a_guest_that_does_not_get_the_agent_has_no_keys(fifos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that init powers it off."""
    order: list[Any] = []
    monkeypatch.setattr(service.ctypes, "CDLL", order.append)
    monkeypatch.setattr(service, "Places", lambda: order.append("no keys"))
    monkeypatch.setattr(service, "stand_by", lambda places, status, *, gate, last: order.append(status))

    def receive() -> None:
        raise ValueError("no parcel")

    monkeypatch.setattr(service, "receive", receive)
    with pytest.raises(ValueError, match="no parcel"):
        service.main(standby=True)
    assert order == ["libbpf.so.1", "no keys", service.STANDBY, "no keys"]


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
def libc(monkeypatch: pytest.MonkeyPatch) -> Libc:
    libc = Libc()
    monkeypatch.setattr(service.ctypes, "CDLL", lambda name, use_errno: libc)
    return libc


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(service, "HOST_KEY", str(tmp_path / "host"))
    monkeypatch.setattr(service, "AUTHORIZED_KEYS", str(tmp_path / "ssh/authorized"))
    return tmp_path


def test_a_greeting_makes_a_guest_one_of_its_own(places: Path, libc: Libc, monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[tuple[int, float]] = []
    monkeypatch.setattr(service.time, "clock_settime", lambda clock, value: times.append((clock, value)))
    place = service.Places()
    assert (places / "host").read_bytes() == b"", "images/init takes an empty one for none"
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


def test_a_guest_whose_random_numbers_cannot_be_its_own_ends(
    places: Path, libc: Libc, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.time, "clock_settime", lambda clock, value: None)
    place = service.Places()
    libc.result = -1
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
    data = parcel.job_parcel(guest_plan(tmp_path, objects=paths), [sample_case(id="second")], agent=False)
    assert {
        PurePosixPath(path).parent.name for path, _ in json.loads(zlib.decompress(data).partition(b"\n")[0])["files"]
    } == {"second"}
