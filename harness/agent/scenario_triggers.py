"""What a scenario.py can make happen: `guest.trigger`."""

from __future__ import annotations

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from harness.agent.scenario_base import Runner
    from harness.agent.scenario_objects import Link, Object


class Triggers:
    """What makes programs run, beside all that Python can do."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner

    def tcp_connect(self, address: str = "127.0.0.1") -> Connection:
        """Make one TCP connection inside the guest to a listener at an IP address; return its two ends."""
        ends = self._runner.step("trigger", "trigger", "tcp-connect", kind="tcp-connect", address=address)["ends"]
        return Connection(tuple(ends["client"]), tuple(ends["server"]))

    def run(
        self,
        owner: Object,
        program: str,
        *,
        data: int = 64,
        context: int = 0,
        words: Sequence[int] = (),
        repeat: int = 0,
    ) -> int:
        """Let the kernel run a program by itself (BPF_PROG_TEST_RUN); return what it returned.

        `data` is how many bytes of packet it gets (an Ethernet frame with IPv4 and TCP), `context` how many bytes of
        context, whose first 32-bit words are `words`; `repeat` is how many times it runs.
        """
        owner.program(program)
        run = {"data": data, "context": context, "words": list(words), "repeat": repeat}
        reference = f"{owner.name}.{program}"
        found: int = self._runner.step("trigger", "trigger", "run", kind="run", program=reference, **run).get(
            "retval", 0
        )
        return found

    def call(self, name: str) -> None:
        """Make one of the calls that a case in YAML can make (`getpgid`, `prctl`, `udp-loopback`, ...)."""
        self._runner.step("trigger", "trigger", name, kind="call", name=name)

    def read_iterator(self, link: Link) -> None:
        """Make an iterator of an attached program, and read it to its end."""
        self._runner.step("trigger", "trigger", "read-iterator", kind="read-iterator", program=f"link.{link.name}")

    def exec(self, command: Sequence[str], *, env: Mapping[str, str] | None = None, deadline: float = 10.0) -> Ended:
        """Start a program, wait for its end, and return that; kill it after `deadline` seconds.

        It is one of the guest, or of the case's `files`; a relative path begins at the case's own folder. What it
        writes is in the reports.
        """
        return self._ended("exec", command=list(command), env=dict(env or {}), deadline=deadline)

    def fork(self, exit: int = 0) -> Ended:
        """Fork a child that ends at once with an exit code, and wait for it."""
        return self._ended("fork", exit=exit)

    def signal(self, number: int, *, child: bool = False) -> None:
        """Send a signal to this process, to which it does nothing, or to a child that is made for it."""
        self._make("signal", number=int(number), to="child" if child else "self")

    def open(self, path: str = "", *, mode: str = "read", bytes: int = 0) -> None:
        """Open a file by openat(2), and read or write so many bytes; `mode` is as in a case's trigger.

        A file that is missing is made, and removed when the scenario ends; without a path it is one of the agent's own.
        """
        self._make("open", path=path, mode=mode, bytes=bytes)

    def rename(self, path: str = "", to: str = "") -> None:
        """Rename a file, which is made where it is missing."""
        self._make("rename", path=path, to=to)

    def unlink(self, path: str = "") -> None:
        """Remove a file, which is made where it is missing."""
        self._make("unlink", path=path)

    def mkdir(self, path: str = "") -> None:
        """Make a folder, which is removed when the scenario ends."""
        self._make("mkdir", path=path)

    def mount(self, type: str = "tmpfs", at: str = "") -> None:
        """Mount a file system, and unmount it."""
        self._make("mount", type=type, at=at)

    def udp(
        self,
        to: str = "127.0.0.1",
        *,
        port: int = 0,
        bytes: int = 16,
        count: int = 1,
        arrive: int | None = None,
        from_namespace: str = "",
        to_namespace: str = "",
    ) -> int:
        """Send datagrams to a socket at an IP address, and return how many arrived.

        As many as `arrive` says are waited for; without it those that come at once. The namespaces are those of
        `setup`, by name.
        """
        places = {"from_namespace": from_namespace, "to_namespace": to_namespace}
        return self._sent("udp", to=to, port=port, bytes=bytes, count=count, arrive=arrive, **places)

    def tcp(
        self,
        to: str = "127.0.0.1",
        *,
        port: int = 0,
        bytes: int = 16,
        count: int = 1,
        arrive: int | None = None,
        from_namespace: str = "",
        to_namespace: str = "",
    ) -> int:
        """Make connections to an IP address, send bytes both ways, and return over how many all came; as `udp`."""
        places = {"from_namespace": from_namespace, "to_namespace": to_namespace}
        return self._sent("tcp", to=to, port=port, bytes=bytes, count=count, arrive=arrive, **places)

    def ping(
        self,
        to: str = "127.0.0.1",
        *,
        bytes: int = 16,
        count: int = 1,
        arrive: int | None = None,
        from_namespace: str = "",
    ) -> int:
        """Send echo requests (ICMP, ICMPv6), and return how many were answered; as `udp`."""
        return self._sent("ping", to=to, bytes=bytes, count=count, arrive=arrive, from_namespace=from_namespace)

    def workload(self, *pieces: str) -> list[str]:
        """Do what `check` does to make programs run, or these pieces of it; return those that were done."""
        found: list[str] = self._make("workload", pieces=list(pieces))["pieces"]
        return found

    def _make(self, kind: str, **args: Any) -> dict[str, Any]:
        return self._runner.step("trigger", "trigger", kind, kind=kind, **args)

    def _ended(self, kind: str, **args: Any) -> Ended:
        report = self._make(kind, **args)
        return Ended(report["exit"], report["signal"] or "", report["timed_out"], report["child"])

    def _sent(self, kind: str, **args: Any) -> int:
        found: int = self._make(kind, **args)["arrived"]
        return found


class Ended:
    """How a process ended: by its exit code `exit`, else by `signal` (its name), perhaps since it `timed_out`."""

    def __init__(self, exit: int | None, signal: str, timed_out: bool, pid: int) -> None:
        self.exit: int | None = exit
        self.signal: str = signal
        self.timed_out: bool = timed_out
        self.pid: int = pid


class Connection:
    """Both ends of a TCP connection, each as (address, port)."""

    def __init__(self, client: tuple[str, int], server: tuple[str, int]) -> None:
        self.client: tuple[str, int] = client
        self.server: tuple[str, int] = server
