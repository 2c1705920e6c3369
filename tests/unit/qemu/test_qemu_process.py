"""The life of a QEMU process, with programs that stand for QEMU."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from qemu_samples import GREETING
from unit_samples import ROOT, X86

from harness.errors import MissingToolError, QemuError
from harness.qemu import monitor as module
from harness.qemu.argv import GuestSpec
from harness.qemu.process import STDERR, Death, end_all, running, wait_until

FAKE = """\
#!{python}
import json, os, re, socket, sys, time
argv = sys.argv[1:]
fd = int(re.search(r"id=monitor,fd=(\\d+)", " ".join(argv)).group(1))
console = re.search(r"id=console,path=(\\S+)", " ".join(argv)).group(1)
monitor = socket.socket(fileno=fd)
def say(message):
    monitor.sendall(json.dumps(message).encode() + b"\\r\\n")
def greet():
    say({greeting})
    request = json.loads(monitor.recv(65536))
    say({{"return": {{}}, **({{"id": request["id"]}} if "id" in request else {{}})}})
def asked():
    while not os.path.exists(console + ".go"):
        time.sleep(0.002)
def end(reason):
    now = {{"seconds": 1, "microseconds": 0}}
    say({{"event": "SHUTDOWN", "data": {{"guest": True, "reason": reason}}, "timestamp": now}})
{body}
"""


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Callable[[int], GuestSpec]]:
    """Put a program in QEMU's place; returns what makes the specification of its guest."""

    def install(body: str) -> Callable[[int], GuestSpec]:
        program = tmp_path / "bin" / X86.qemu
        program.parent.mkdir(exist_ok=True)
        program.write_text(FAKE.format(python=f"{sys.executable} -IS", greeting=repr(GREETING), body=body))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        return specification(tmp_path)

    return install


def specification(folder: Path) -> Callable[[int], GuestSpec]:
    def make(monitor_fd: int) -> GuestSpec:
        return GuestSpec(
            arch=X86,
            accel="tcg",
            memory=64,
            cpus=1,
            kernel=folder / "vmlinuz",
            initrd=folder / "initrd",
            cmdline="panic=-1",
            console=folder / "console",
            monitor_fd=monitor_fd,
            network=False,
        )

    return make


def tell(folder: Path) -> None:
    """Let the program go on that stands for QEMU: the monitor is connected by now."""
    (folder / "console.go").touch()


def gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return True
    return state == "Z"


def test_a_guest_that_resets_itself(fake: Any, tmp_path: Path) -> None:
    spec = fake('greet()\nasked()\nopen(console, "w").write("last \\xff line")\nend("guest-reset")')
    with running(spec, folder=tmp_path) as qemu:
        tell(tmp_path)
        assert qemu.wait(10)
        assert not qemu.alive()
        death = qemu.death()
        assert death == Death(reason="guest-reset", returncode=0, stderr="")
        assert death.describe() == "QEMU ended with exit code 0 (guest-reset)"
        assert qemu.console_text().startswith("last ")


def huge_pages_of(pid: int | str) -> str:
    """Whether a process has transparent huge pages: "1" or "0", as Documentation/filesystems/proc.rst has it."""
    return Path(f"/proc/{pid}/status").read_text().partition("THP_enabled:")[2].split()[0]


@pytest.mark.skipif(huge_pages_of("self") != "1", reason="this host has no transparent huge pages")
@pytest.mark.parametrize(("accel", "wanted", "has"), [("tcg", False, "0"), ("tcg", True, "1"), ("kvm", False, "1")])
def test_an_emulating_qemu_does_without_huge_pages(
    accel: str, wanted: bool, has: str, fake: Any, tmp_path: Path
) -> None:
    make = fake("greet()\ntime.sleep(60)")
    with running(lambda fd: replace(make(fd), accel=accel), folder=tmp_path, huge_pages=wanted) as qemu:
        assert huge_pages_of(qemu.pid) == has
        assert huge_pages_of("self") == "1", "the harness keeps them"


def test_a_qemu_that_runs_has_no_death_and_is_ended_with_the_block(fake: Any, tmp_path: Path) -> None:
    spec = fake("greet()\ntime.sleep(60)")
    with running(spec, folder=tmp_path) as qemu:
        assert qemu.alive()
        assert qemu.death() is None
        assert qemu.console_text() == ""
        assert not qemu.wait(0.05)
        pid = qemu.pid
    assert gone(pid)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("bug"), QemuError("no")])
def test_no_qemu_is_left_however_the_block_ends(fake: Any, tmp_path: Path, error: BaseException) -> None:
    spec = fake("greet()\ntime.sleep(60)")
    pid = 0
    with pytest.raises(type(error)), running(spec, folder=tmp_path) as qemu:
        pid = qemu.pid
        raise error
    assert gone(pid)


def test_a_qemu_that_does_not_start_is_told_in_its_own_words(fake: Any, tmp_path: Path) -> None:
    spec = fake('sys.stderr.write("qemu-system-x86_64: no such machine\\n")\nsys.exit(1)')
    with pytest.raises(QemuError) as caught, running(spec, folder=tmp_path):
        pytest.fail("it did not start")
    complaint = str(caught.value)
    assert "QEMU did not start: QEMU ended with exit code 1" in complaint
    assert "it said: qemu-system-x86_64: no such machine" in complaint
    assert "-nodefaults" in complaint, "the command must be there to be tried by hand"
    assert (tmp_path / STDERR).read_text() == "qemu-system-x86_64: no such machine\n"


def test_a_qemu_that_says_nothing_is_given_up(fake: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.3)
    spec = fake(f'open("{tmp_path}/pid", "w").write(str(os.getpid()))\ntime.sleep(60)')
    with pytest.raises(QemuError, match="failed while greeting"), running(spec, folder=tmp_path):
        pytest.fail("it did not start")
    assert gone(int((tmp_path / "pid").read_text()))


def test_a_signals_death_is_described(fake: Any, tmp_path: Path) -> None:
    spec = fake("greet()\nasked()\nos.kill(os.getpid(), 9)")
    with running(spec, folder=tmp_path) as qemu:
        tell(tmp_path)
        assert qemu.wait(10)
        death = qemu.death()
    assert death is not None
    assert death.returncode == -9
    assert death.describe() == "QEMU was killed by SIGKILL"


def test_qemu_never_gets_the_terminal(fake: Any, tmp_path: Path) -> None:
    body = (
        "greet()\nasked()\n"
        'open(console, "w").write(repr((os.readlink("/proc/self/fd/0"), os.getsid(0) == os.getpid())))\n'
        'end("guest-shutdown")'
    )
    with running(fake(body), folder=tmp_path) as qemu:
        tell(tmp_path)
        assert qemu.wait(10)
        assert qemu.console_text() == repr(("/dev/null", True))


def test_all_guests_can_be_ended_at_once(fake: Any, tmp_path: Path) -> None:
    spec = fake("greet()\ntime.sleep(60)")
    (tmp_path / "b").mkdir()
    with running(spec, folder=tmp_path) as one, running(spec, folder=tmp_path / "b") as other:
        end_all()
        assert one.wait(5)
        assert other.wait(5)
    end_all()


PARENT = """
import sys, time
from dataclasses import replace
from pathlib import Path
from harness.qemu.process import running
sys.path[:0] = {tests!r}
from test_qemu_process import specification
folder = Path(sys.argv[1])
with running(specification(folder), folder=folder) as qemu:
    print(qemu.pid, flush=True)
    time.sleep(60)
"""


def test_qemu_does_not_outlive_a_harness_that_is_killed(fake: Any, tmp_path: Path) -> None:
    fake("greet()\ntime.sleep(60)")
    script = PARENT.format(tests=[str(Path(__file__).parent), str(Path(__file__).parent.parent)])
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=os.environ.copy(),
    )
    try:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert not gone(pid)
        parent.send_signal(signal.SIGKILL)
        parent.wait(10)
        assert wait_until(lambda: gone(pid), seconds=5), "QEMU is still there"
    finally:
        parent.kill()
        parent.wait()


def test_a_missing_qemu_is_told_with_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.qemu.process.find_tool", find_all_but_qemu)
    with pytest.raises(MissingToolError, match=X86.qemu_package), running(specification(tmp_path), folder=tmp_path):
        pytest.fail("it did not start")


def find_all_but_qemu(name: str, *, package: str, purpose: str) -> str:
    if name.startswith("qemu"):
        raise MissingToolError(f"{name} is not installed: apt-get install {package}")
    return name


def test_waiting_for_a_condition() -> None:
    begun = time.monotonic()
    assert not wait_until(lambda: False, seconds=0.05)
    assert time.monotonic() - begun < 2
    answers = iter([False, False, True])
    assert wait_until(lambda: next(answers), seconds=5, step=0.001)
    assert wait_until(lambda: True, seconds=0)


def test_a_condition_is_waited_for_by_the_clock_that_is_given() -> None:
    looked: list[int] = []

    def never() -> bool:
        looked.append(1)
        return False

    ticks = iter([0.0, 1.0, 1.0, 1.0, 60.0])
    assert not wait_until(never, seconds=60, step=0, clock=lambda: next(ticks))
    assert len(looked) == 4, "it looks as often as the clock says that there is time"
    ticks = iter([0.0, 0.1, 0.1, 0.1])
    assert not wait_until(lambda: False, seconds=0.1, step=0, clock=lambda: next(ticks))


def test_the_deadlines_clock_is_that_of_the_process(
    fake: Callable[[str], Callable[[int], GuestSpec]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def waited(pid: int, *, proc: Path) -> float:
        asked.append(pid)
        return 1000.0

    monkeypatch.setattr("harness.host.run_clock.waited_for_processor", waited)
    with running(fake("greet()\nasked()\nend('guest-shutdown')"), folder=tmp_path) as qemu:
        assert qemu.clock() == pytest.approx(time.monotonic() - 1000, abs=100)
        assert asked == [qemu.pid]
        tell(tmp_path)
