"""The interactive shell: with commands on its standard input, and on a terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from projects import KERNEL, ROOT, alive, command, guests, start, until

from harness.supply.debian.pin import DebianPin
from harness.supply.lock import read_lock

pytestmark = pytest.mark.vm


def release() -> str:
    pin: DebianPin = read_lock(ROOT / "matrix.lock").kernels[KERNEL].pin
    return pin.packages[0].name.removeprefix("linux-image-")


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A service on the host's loopback, which no guest may reach."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        found.setblocking(False)
        yield found


def test_commands_on_standard_input(temporary: Path, listener: socket.socket) -> None:
    """The shell's output is the guest's, its exit code the shell's; the guest does not reach the host's loopback."""
    commands = f"""\
uname -r
echo to stderr >&2
nc -w 3 10.0.2.2 {listener.getsockname()[1]} </dev/null 2>/dev/null || echo alone
test -d /sys/fs/bpf && exit 7
"""
    process = start("shell", "--kernel", KERNEL, env={"TMPDIR": str(temporary)}, stdin=subprocess.PIPE)
    try:
        output, _ = process.communicate(commands, timeout=240)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 7, output
    lines = output.splitlines()
    assert lines[0].startswith(f"{KERNEL}: booting {release()} under ")
    assert lines[1:] == [release(), "to stderr", "alone"]
    with pytest.raises(BlockingIOError):
        listener.accept()
    assert not list(temporary.iterdir()), "temporary folders were left"


def test_a_terminal(temporary: Path) -> None:
    """Keys go to the guest as they are: its own shell echoes them, and Ctrl-C ends the guest's command, not ours."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TMPDIR": str(temporary), "TERM": "xterm"}
    process = subprocess.Popen(
        command("shell", "--kernel", KERNEL),
        cwd=ROOT,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    os.set_blocking(ours, False)  # so that what never comes ends at a deadline
    seen = b""

    def shows(text: str) -> None:
        nonlocal seen

        def read() -> bool:
            nonlocal seen
            with contextlib.suppress(OSError):  # nothing there yet; EIO: the other end was closed
                seen += os.read(ours, 65536)
            return text.encode() in seen or process.poll() is not None

        until(read, what=text)
        assert text.encode() in seen, seen
        seen = seen.split(text.encode(), 1)[1]

    try:
        shows("# ")  # root's prompt
        # One process group: between two commands of a list there is a moment in which Ctrl-C reaches neither.
        os.write(ours, b"sh -c 'tty; exec sleep 3600'\n")
        shows("/dev/pts/0")
        os.write(ours, b"\x03")
        shows("# ")
        os.write(ours, b"echo was=$?; exit 5\n")
        shows(f"was={128 + signal.SIGINT}")
        assert process.wait(timeout=120) == 5
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert not list(temporary.iterdir()), "temporary folders were left"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_shell_that_is_ended_leaves_no_guest(temporary: Path, number: signal.Signals) -> None:
    process = start("shell", "--kernel", KERNEL, env={"TMPDIR": str(temporary)}, stdin=subprocess.PIPE)
    try:
        until(lambda: bool(guests(process.pid)) or process.poll() is not None, what="a QEMU is there")
        pids = guests(process.pid)
        assert pids
        process.send_signal(number)
        process.communicate(timeout=60)
        until(lambda: not any(map(alive, pids)), seconds=2, what=f"QEMU processes {pids} are gone")
        if number != signal.SIGKILL:
            assert process.returncode == 128 + number
            assert not list(temporary.iterdir()), "temporary folders were left"
    finally:
        process.kill()
        process.wait()
