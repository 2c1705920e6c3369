"""A shell in a guest, connected to the user's terminal."""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import termios
import tty
from dataclasses import replace
from types import FrameType

import paramiko

from harness.config.matrix import Kernel
from harness.guest.boot import booted, connected
from harness.guest.connection import Connection
from harness.host.scratch import scratch_folder
from harness.supply.image.keys import make_keys
from harness.supply.image.programs import GuestPrograms
from harness.supply.supplies import Supplies


def interactive_shell(supplies: Supplies, kernel: Kernel, *, accel: str | None) -> int:
    """Boot a kernel, give the user a shell in it, and return the shell's exit code.

    Without a terminal, commands are read from standard input. Raises what booting raises.
    """
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    with scratch_folder() as folder:
        plan = supplies.guest(kernel, (), keys=make_keys(), folder=folder, accel=accel)
        plan = replace(plan, programs=GuestPrograms())  # no case runs here, so nothing waits for one
        print(f"{kernel.name}: booting {plan.kernel.release} under {plan.accel}", file=sys.stderr)
        with booted(plan) as qemu, connected(plan, qemu) as connection:
            return attend(connection)


def attend(connection: Connection) -> int:
    """Give the user a shell over a connection, and return the shell's exit code.

    Without a terminal, commands are read from standard input.
    """
    if sys.stdin.isatty():
        size = shutil.get_terminal_size()
        return _attend(connection.shell(columns=size.columns, lines=size.lines))
    return _feed(connection.shell(columns=0, lines=0))


def _leave(number: int, _frame: FrameType | None) -> None:
    """End on a signal by way of all `finally`: the terminal is set back, the guest and its files are removed."""
    sys.exit(128 + number)


def _attend(channel: paramiko.Channel) -> int:
    """Pass keys and output between the terminal and the shell until it ends."""
    before = termios.tcgetattr(sys.stdin)
    try:
        tty.setraw(sys.stdin)
        return _pump(channel, sys.stdin.fileno())
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def _feed(channel: paramiko.Channel) -> int:
    return _pump(channel, sys.stdin.fileno())


def _pump(channel: paramiko.Channel, source: int) -> int:
    watched: list[int | paramiko.Channel] = [channel, source]
    while True:
        ready, _, _ = select.select(watched, [], [])
        if channel in ready:
            data = channel.recv(65536)
            if not data:
                return channel.recv_exit_status()
            os.write(sys.stdout.fileno(), data)
        if source in ready:
            typed = os.read(source, 4096)
            if typed:
                channel.sendall(typed)
            else:
                watched.remove(source)
                channel.shutdown_write()
