"""What makes programs run, as a case says it: a model for each kind of trigger."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, Strict, WithJsonSchema

from harness.config.base import Line, Seconds
from harness.config.programs import ExitCode, VariableName, VariableValue, Words
from harness.config.reading.models import CheckedModel, Expects, OneOf, unexpected
from harness.config.reading.yaml_source import Loc

_ANY_INT = Annotated[int, Strict()]


def _check_address(value: str) -> str:
    import ipaddress  # noqa: PLC0415

    try:
        ipaddress.ip_address(value)
    except ValueError as error:
        raise unexpected('an IP address, such as "127.0.0.1" or "::1"') from error
    return value


def _as_number(value: object) -> object:
    """Return the number of a signal that is given by its name; the same on all our architectures (signal(7))."""
    if not isinstance(value, str):
        return value
    number = getattr(signal.Signals, value, None)
    if number is None:
        raise unexpected('a signal by its name or number, such as "SIGUSR1" or 10')
    return int(number)


Reference = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9-]*\.[A-Za-z_][A-Za-z0-9_]*$"),
    Expects('an object and a name in it, such as "target.k_tcp_connect"'),
]
Address = Annotated[str, AfterValidator(_check_address)]
GuestPath = Annotated[str, Field(pattern=r"^/[^\r\n]*[^\r\n/]$"), Expects("an absolute path of the guest")]
Signal = Annotated[
    int,
    BeforeValidator(_as_number),
    Field(ge=1, le=64),
    Expects('a signal by its name or number, such as "SIGUSR1" or 10'),
    WithJsonSchema({"type": ["string", "integer"]}),
]
NamespaceName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"), Expects("the name of a network namespace of `setup`")
]
Port = Annotated[int, Strict(), Field(ge=0, le=65535)]
Times = Annotated[int, Strict(), Field(ge=1, le=10_000)]
_COUNT = Annotated[int, Strict(), Field(ge=0, le=10_000)]
Arrival = Annotated[
    Literal["all", "none", "any"] | _COUNT,
    Expects("all, none, any, or a number"),
    WithJsonSchema({"anyOf": [{"enum": ["all", "none", "any"]}, {"type": "integer", "minimum": 0}]}),
]
CALL_NAMES = (
    *("getpgid", "prctl", "nanosleep", "labs", "socket-send", "udp-loopback", "touch-memory", "rename-task", "atoi"),
    *("udp-bind", "socket-options", "write-sysctl", "open-device", "sockmap-send", "udp-routes", "udp-device"),
    *("openat", "read", "write", "rename", "unlink", "mkdir", "rmdir", "link", "chmod", "kill", "mount", "fork"),
    *("getpid", "getuid", "setuid"),
)
"""The calls that the agent can make (harness/agent/calls.py)."""
PIECE_NAMES = (
    *("calls", "iterators", "sockets", "routes", "files", "processes", "tcp", "udp", "memory", "clocks", "signals"),
    *("pipes", "credentials", "sysctls", "reading", "bpf", "unix", "devices", "netlink", "ping", "tcp6", "udp6"),
    *("mounts", "cgroups"),
)
"""The pieces of the workload (harness/agent/workload.py)."""
HANDLED_SIGNALS = (9, 19)
"""SIGKILL and SIGSTOP, which no process can handle."""
_MADE = "the agent makes it where it is missing, and removes it after the case; without a path one of its own."


class TriggerModel(CheckedModel):
    """What every kind of trigger has: what the agent gets of it, and what must come of it."""

    kind: str

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:  # noqa: ARG003
        """Most kinds have no rules between their keys."""
        return iter(())

    def args(self) -> dict[str, Any]:
        """Return what the agent gets, by the names of its keys in Python."""
        return {key: value for key, value in self.model_dump(mode="json").items() if key not in self.must()}

    def must(self) -> dict[str, Any]:
        """Return what its step must show, by the field of `AgentStep` (harness/scenario/case.py)."""
        return {}

    def namespaces(self) -> dict[str, str]:
        """Return the network namespaces that it names, by key."""
        return {}

    def program_started(self) -> str | None:
        """Return the program that it starts, as it is written; None where it starts none."""
        return None


class TcpConnectTrigger(TriggerModel):
    """A TCP connection inside the guest, from a client to a listener at `address`."""

    kind: Literal["tcp-connect"] = Field(description="A TCP connection over the loopback device.")
    address: Address = Field(default="127.0.0.1", description="The IP address that the listener binds.")


class RunTrigger(TriggerModel):
    """BPF_PROG_TEST_RUN of a program."""

    kind: Literal["run"] = Field(description="The kernel runs the program by itself (BPF_PROG_TEST_RUN).")
    program: Reference = Field(description="The program to run, as object.program.")
    data: Annotated[int, Strict(), Field(ge=0, le=4096)] = Field(
        default=64, description="Bytes of packet to run it on (an Ethernet frame with IPv4 and TCP); 0 for none."
    )
    context: Annotated[int, Strict(), Field(ge=0, le=4096)] = Field(
        default=0, description="Bytes of context (zeroes) to run it on; 0 for none."
    )
    words: tuple[Annotated[int, Strict(), Field(ge=0, le=0xFFFFFFFF)], ...] = Field(
        default=(), description="The first 32-bit words of that context, in the guest's byte order."
    )
    repeat: Annotated[int, Strict(), Field(ge=0, le=100_000)] = Field(default=0, description="How many times to run.")
    retval: _ANY_INT | None = Field(default=None, description="What the program must return; without it anything.")

    def must(self) -> dict[str, Any]:
        """What the program must return."""
        return {"retval": self.retval}


class CallTrigger(TriggerModel):
    """A system or library call that the agent makes."""

    kind: Literal["call"] = Field(description="The agent makes a call.")
    name: Annotated[str, OneOf(CALL_NAMES)] = Field(
        description="Which one: a system call (prctl with the unknown option 23456), a function of libc (labs and "
        "atoi, for uprobes), a datagram sent to a filtered socket, over the loopback device, to the routes of lwt "
        "programs or to a netkit device, 16 bytes between sockets of a map, page faults, ..."
    )


class ReadLinkTrigger(TriggerModel):
    """Reading an iterator to its end."""

    kind: Literal["read-iterator"] = Field(description="Make an iterator of an attached program and read it.")
    program: Reference = Field(description="The attached iterator program, as object.program.")


class ExecTrigger(TriggerModel):
    """A program that is started and waited for."""

    kind: Literal["exec"] = Field(description="Start a program and wait for its end.")
    command: Words = Field(
        description="The program with its arguments: one of the guest, or of the case's `files`; a relative path "
        "begins at the case's own folder. A text is taken apart as a shell does, but no shell runs it."
    )
    env: Mapping[VariableName, VariableValue] = Field(
        default={},
        description="Variables of the program, beside PATH, HOME and USER.",
        json_schema_extra={"additionalProperties": False},
    )
    exit: ExitCode | Literal["any"] = Field(default=0, description="The exit code that it must end with, or any.")
    deadline: Seconds = Field(default=10.0, description="Seconds after which it is killed, which is red.")

    def must(self) -> dict[str, Any]:
        """How the program must end."""
        return {"exit": None if self.exit == "any" else self.exit}

    def program_started(self) -> str | None:
        """The first word of the command."""
        return self.command[0]


class ForkTrigger(TriggerModel):
    """A child process that ends at once."""

    kind: Literal["fork"] = Field(description="Fork a child that ends at once, and wait for it.")
    exit: ExitCode = Field(default=0, description="The exit code that the child ends with.")

    def args(self) -> dict[str, Any]:
        """The child must know its exit code."""
        return self.model_dump(mode="json")

    def must(self) -> dict[str, Any]:
        """How the child must end."""
        return {"exit": self.exit}


class SignalTrigger(TriggerModel):
    """A signal that is sent."""

    kind: Literal["signal"] = Field(description="Send a signal.")
    number: Signal = Field(description="The signal, by its name or number.")
    to: Literal["self", "child"] = Field(
        default="self",
        description="Whom to: the case's own process, to which it does nothing, or a child made for it, to which it "
        "does what it does to any process.",
    )

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """What nobody can handle would end the case."""
        number = getattr(signal.Signals, str(data.get("number")), data.get("number"))
        if data.get("to", "self") == "self" and number in HANDLED_SIGNALS:
            yield ("number",), "would end or stop the case's own process; send it `to: child`"


class OpenTrigger(TriggerModel):
    """A file that is opened."""

    kind: Literal["open"] = Field(description="Open a file by openat(2).")
    path: GuestPath | None = Field(default=None, description=f"The file; {_MADE}")
    mode: Literal["read", "write", "read-write", "append", "create"] = Field(
        default="read", description="What for; `create` makes a new file by opening it."
    )
    bytes: Annotated[int, Strict(), Field(ge=0, le=1 << 20)] = Field(
        default=0, description="How many bytes are then read (mode read) or written."
    )


class RenameTrigger(TriggerModel):
    """A file that is renamed."""

    kind: Literal["rename"] = Field(description="Rename a file.")
    path: GuestPath | None = Field(default=None, description=f"The file; {_MADE}")
    to: GuestPath | None = Field(default=None, description="Its new path; without it one of the agent's own.")


class UnlinkTrigger(TriggerModel):
    """A file that is removed."""

    kind: Literal["unlink"] = Field(description="Remove a file.")
    path: GuestPath | None = Field(default=None, description=f"The file; {_MADE}")


class MkdirTrigger(TriggerModel):
    """A folder that is made."""

    kind: Literal["mkdir"] = Field(description="Make a folder, which is removed after the case.")
    path: GuestPath | None = Field(default=None, description="The folder; without it one of the agent's own.")


class MountTrigger(TriggerModel):
    """A file system that is mounted and unmounted."""

    kind: Literal["mount"] = Field(description="Mount a file system, and unmount it.")
    type: Line = Field(default="tmpfs", description="The file system, one that needs no device.")
    at: GuestPath | None = Field(default=None, description="The folder; without it one of the agent's own.")


class _Traffic(TriggerModel):
    """What packets have in common."""

    to: Address = Field(default="127.0.0.1", description="The IP address that they go to, of either family.")
    bytes: Annotated[int, Strict(), Field(ge=0, le=1 << 20)] = Field(default=16, description="How many bytes each.")
    count: Times = Field(default=1, description="How many.")
    from_namespace: NamespaceName | None = Field(
        default=None, description="The network namespace of `setup` that they come from; without it the case's own."
    )
    arrive: Arrival = Field(
        default="all", description="How many must arrive: all, none, a number; or any, which is not looked at."
    )

    def args(self) -> dict[str, Any]:
        """The agent waits for what must arrive."""
        return {**self.model_dump(mode="json"), "arrive": self.must()["arrived"]}

    def must(self) -> dict[str, Any]:
        """How many must arrive."""
        known = {"all": self.count, "none": 0, "any": None}
        return {"arrived": known.get(self.arrive) if isinstance(self.arrive, str) else self.arrive}

    def namespaces(self) -> dict[str, str]:
        """Those of its ends."""
        both = {"from-namespace": self.from_namespace, "to-namespace": getattr(self, "to_namespace", None)}
        return {key: name for key, name in both.items() if name}


class UdpTrigger(_Traffic):
    """UDP datagrams from one socket to another."""

    kind: Literal["udp"] = Field(description="Send UDP datagrams to a socket that receives them.")
    bytes: Annotated[int, Strict(), Field(ge=0, le=65_000)] = Field(default=16, description="How many bytes each.")
    port: Port = Field(default=0, description="The port; 0 for any that is free.")
    to_namespace: NamespaceName | None = Field(
        default=None, description="The network namespace of `setup` that has the address; without it the case's own."
    )


class TcpTrigger(_Traffic):
    """TCP connections, over each of which bytes go both ways."""

    kind: Literal["tcp"] = Field(description="Make TCP connections, and send bytes both ways over each.")
    port: Port = Field(default=0, description="The listener's port; 0 for any that is free.")
    to_namespace: NamespaceName | None = Field(
        default=None, description="The network namespace of `setup` that has the address; without it the case's own."
    )


class PingTrigger(_Traffic):
    """ICMP or ICMPv6 echo requests."""

    kind: Literal["ping"] = Field(description="Send echo requests (ICMP, ICMPv6); what arrives are the answers.")
    bytes: Annotated[int, Strict(), Field(ge=0, le=65_000)] = Field(default=16, description="How many bytes each.")


class WorkloadTrigger(TriggerModel):
    """Pieces of the workload of `check`."""

    kind: Literal["workload"] = Field(description="Do what `check` does to make programs run.")
    pieces: tuple[Annotated[str, OneOf(PIECE_NAMES)], ...] = Field(
        default=(), description="Only these of its pieces, in this order."
    )


Trigger: TypeAlias = Annotated[
    TcpConnectTrigger
    | RunTrigger
    | CallTrigger
    | ReadLinkTrigger
    | ExecTrigger
    | ForkTrigger
    | SignalTrigger
    | OpenTrigger
    | RenameTrigger
    | UnlinkTrigger
    | MkdirTrigger
    | MountTrigger
    | UdpTrigger
    | TcpTrigger
    | PingTrigger
    | WorkloadTrigger,
    Field(discriminator="kind"),
]
