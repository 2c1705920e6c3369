"""What makes programs run, as a case says it."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, Field, Strict

from harness.config.reading.models import Expects, Model, unexpected

_ANY_INT = Annotated[int, Strict()]


def _check_address(value: str) -> str:
    import ipaddress  # noqa: PLC0415

    try:
        ipaddress.ip_address(value)
    except ValueError as error:
        raise unexpected('an IP address, such as "127.0.0.1" or "::1"') from error
    return value


Reference = Annotated[
    str,
    Field(pattern=r"^[a-z][a-z0-9-]*\.[A-Za-z_][A-Za-z0-9_]*$"),
    Expects('an object and a name in it, such as "target.k_tcp_connect"'),
]
Address = Annotated[str, AfterValidator(_check_address)]


class TcpConnectTrigger(Model):
    """A TCP connection inside the guest, from a client to a listener at `address`."""

    kind: Literal["tcp-connect"] = Field(description="A TCP connection over the loopback device.")
    address: Address = Field(default="127.0.0.1", description="The IP address that the listener binds.")


class RunTrigger(Model):
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


class CallTrigger(Model):
    """A system or library call that the agent makes."""

    kind: Literal["call"] = Field(description="The agent makes a call.")
    name: Literal[
        "getpgid",
        "prctl",
        "nanosleep",
        "labs",
        "socket-send",
        "udp-loopback",
        "touch-memory",
        "rename-task",
        "atoi",
        "udp-bind",
        "socket-options",
        "write-sysctl",
        "open-device",
        "sockmap-send",
        "udp-routes",
        "udp-device",
    ] = Field(
        description="Which one: a system call (prctl with the unknown option 23456), a function of libc (labs and "
        "atoi, for uprobes), a datagram sent to a filtered socket, over the loopback device, to the routes of lwt "
        "programs or to a netkit device, 16 bytes between sockets of a map, page faults, ..."
    )


class ReadLinkTrigger(Model):
    """Reading an iterator to its end."""

    kind: Literal["read-iterator"] = Field(description="Make an iterator of an attached program and read it.")
    program: Reference = Field(description="The attached iterator program, as object.program.")


Trigger: TypeAlias = Annotated[
    TcpConnectTrigger | RunTrigger | CallTrigger | ReadLinkTrigger, Field(discriminator="kind")
]
