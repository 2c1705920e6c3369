"""What makes targets run: the kinds of trigger that a case can give, one function each."""

from __future__ import annotations

import ctypes
import socket
import struct

from harness.agent.calls import CALLS, CONNECT_SECONDS
from harness.agent.libbpf_abi import INT, POINTER, U32, options
from harness.agent.triggers_files import trigger_mkdir, trigger_mount, trigger_open, trigger_rename, trigger_unlink
from harness.agent.triggers_network import trigger_ping, trigger_tcp, trigger_udp
from harness.agent.triggers_processes import trigger_exec, trigger_fork, trigger_signal
from harness.agent.workload import trigger_workload

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from harness.agent.case_state import CaseState

# An Ethernet frame with an IPv4 header and a TCP header, 127.0.0.1:1 -> 127.0.0.1:2.
PACKET = bytes.fromhex(
    "000000000000 000000000000 0800 4500003200000000400600007f0000017f000001"
    "00010002 00000000 00000000 5000 2000 0000 0000"
)


def trigger_tcp_connect(_case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Make one TCP connection over the loopback device; return its two ends as (address, port)."""
    family = socket.AF_INET6 if ":" in step["address"] else socket.AF_INET
    with socket.socket(family) as listener, socket.socket(family) as client:
        listener.settimeout(CONNECT_SECONDS)
        client.settimeout(CONNECT_SECONDS)
        listener.bind((step["address"], 0))
        listener.listen(1)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            ends = {"client": list(client.getsockname()[:2]), "server": list(client.getpeername()[:2])}
            return {"ends": ends}


def trigger_run(case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Let the kernel run a program by itself (BPF_PROG_TEST_RUN); return what it returned."""
    owner, name = step["program"].split(".")
    fd = case.program_fd(owner, name)
    data = (PACKET + bytes(step["data"]))[: step["data"]]
    buffer = ctypes.create_string_buffer(data, len(data)) if data else None
    given = struct.pack(f"={len(step['words'])}I", *step["words"])
    size = max(step["context"], len(given))
    context = ctypes.create_string_buffer(given, size) if size else None
    address = ctypes.cast(buffer, POINTER) if buffer else None
    # struct bpf_test_run_opts: data_in, data_out, their sizes; ctx_in, ctx_out, their sizes; retval, repeat, ...
    made = options(
        *((POINTER, address), (POINTER, None), (U32, len(data)), (U32, 0)),
        *((POINTER, ctypes.cast(context, POINTER) if context else None), (POINTER, None)),
        *((U32, size), (U32, 0), (U32, 0), (INT, step["repeat"]), (U32, 0), (U32, 0), (U32, 0), (U32, 0)),
    )
    case.lib.call("bpf_prog_test_run_opts", fd, ctypes.byref(made))
    retval = made.f8
    return {"retval": retval - (1 << 32) if retval >= 1 << 31 else retval}


def trigger_call(case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Make one of the calls that targets are attached to."""
    CALLS[step["name"]](case, ctypes.CDLL("libc.so.6", use_errno=True))
    return {}


def trigger_read_iterator(case: CaseState, step: dict[str, Any]) -> dict[str, Any]:
    """Read an iterator to its end."""
    _, name = step["program"].split(".")
    fd = case.lib.call("bpf_iter_create", case.links[name].fd())
    with open(fd, "rb", buffering=0) as file:
        while file.read(4096):
            pass
    return {}


TRIGGERS: dict[str, Callable[[CaseState, dict[str, Any]], dict[str, Any]]] = {
    "tcp-connect": trigger_tcp_connect,
    "run": trigger_run,
    "call": trigger_call,
    "read-iterator": trigger_read_iterator,
    "exec": trigger_exec,
    "fork": trigger_fork,
    "signal": trigger_signal,
    "open": trigger_open,
    "rename": trigger_rename,
    "unlink": trigger_unlink,
    "mkdir": trigger_mkdir,
    "mount": trigger_mount,
    "udp": trigger_udp,
    "tcp": trigger_tcp,
    "ping": trigger_ping,
    "workload": trigger_workload,
}
"""Each is given the case's state and its step, and returns what is reported of it."""
