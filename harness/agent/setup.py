"""What the `setup` of a case declares: how each thing is made. What is left of it is taken away by leftovers.py."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os

from harness.agent.devices import (
    add_neighbours,
    add_qdisc,
    configure,
    hardware_address,
    make_dummy,
    make_veth,
    wait_until_up,
)
from harness.agent.files import write_text
from harness.agent.namespaces import inside, make_namespace, namespace_fd
from harness.agent.refusal import Refused, module_of_ours

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from harness.agent.case_state import CaseState

GROUPS = "/sys/fs/cgroup/bpfmatrix"
"""The control group of a case's process, once it needs one; those that a case declares are below it."""
BESIDE_THE_QUEUE = ("clsact", "ingress")
"""Queueing disciplines that a device has beside its queue, for filters."""


def make(case: CaseState, thing: Mapping[str, Any]) -> None:
    """Make one thing; Refused where the kernel refuses, with `module` where it lacks a module for it."""
    MAKERS[thing["make"]](case, thing)


def make_a_namespace(case: CaseState, thing: Mapping[str, Any]) -> None:
    """Make a network namespace, whose loopback device is up."""
    case.own_loopback()
    make_namespace(thing["name"], case.sysctls)
    case.namespaces.append(thing["name"])


def make_pair(case: CaseState, thing: Mapping[str, Any]) -> None:
    """Make a pair of veth devices, each with its addresses in its namespace, and the other's address known to it."""
    case.own_loopback()
    number = len(case.devices)
    ends = [
        (thing["name"], thing.get("namespace", ""), thing.get("address", ())),
        (thing["peer"], thing.get("peer_namespace", ""), thing.get("peer_address", ())),
    ]
    peer_namespace = namespace_fd(ends[1][1])
    try:
        with inside(ends[0][1]):
            make_veth(ends[0][0], ends[1][0], number=number, peer_namespace=peer_namespace)
    finally:
        os.close(peer_namespace)
    up = thing.get("up", True)
    for name, namespace, addresses in ends:
        with inside(namespace):
            configure(name, addresses, up=up)
        case.devices[name] = namespace
    for here, there in ((0, 1), (1, 0)) if up else ():
        name, namespace, _ = ends[here]
        with inside(namespace):
            wait_until_up(name)
            add_neighbours(name, ends[there][2], at=hardware_address(number, there + 1))


def make_a_dummy(case: CaseState, thing: Mapping[str, Any]) -> None:
    """Make a dummy device with its addresses."""
    case.own_loopback()
    name, namespace = thing["name"], thing.get("namespace", "")
    with inside(namespace):
        make_dummy(name, number=len(case.devices))
        configure(name, thing.get("address", ()), up=thing.get("up", True))
    case.devices[name] = namespace


def make_qdisc(case: CaseState, thing: Mapping[str, Any]) -> None:
    """Give a device a queueing discipline."""
    name = thing["device"]
    with inside(case.namespace_of(name)):
        add_qdisc(name, thing["kind"], module=thing["module"])
    if thing["kind"] in BESIDE_THE_QUEUE:
        case.hooked.add(name)


def make_group(case: CaseState, thing: Mapping[str, Any]) -> None:
    """Make a control group (v2), and let the case's process join it, unless it is not to."""
    folder = f"{GROUPS}/{thing['name']}"
    os.makedirs(folder, exist_ok=True)
    if thing.get("join", True):
        write_text(f"{folder}/cgroup.procs", str(os.getpid()))
        case.joined = True
    case.groups.append(thing["name"])


def make_mount(_case: CaseState, thing: Mapping[str, Any]) -> None:
    """Mount a file system, in a folder that is made where it is missing."""
    os.makedirs(thing["at"], exist_ok=True)
    libc = ctypes.CDLL(None, use_errno=True)
    kind, options = thing["type"].encode(), thing.get("options", "").encode()
    with module_of_ours(thing["module"], errno.ENODEV):
        if libc.mount(kind, thing["at"].encode(), kind, ctypes.c_ulong(0), options or None) != 0:
            raise Refused(ctypes.get_errno(), f"mount(2) of {thing['type']} at {thing['at']}", api="mount")


MAKERS: dict[str, Callable[[CaseState, Mapping[str, Any]], None]] = {
    "namespace": make_a_namespace,
    "veth": make_pair,
    "dummy": make_a_dummy,
    "qdisc": make_qdisc,
    "cgroup": make_group,
    "mount": make_mount,
}
"""How a thing is made, by the key `make`."""


def missing_folders(case: Mapping[str, Any]) -> list[str]:
    """Return the folders that a case's mounts will make, from the root, before any of them is there."""
    found: list[str] = []
    for step in (*case.get("setup", ()), *case.get("steps", ())):
        thing = step.get("thing", {})
        if step["op"] == "make" and "at" in thing:
            parts = thing["at"].strip("/").split("/")
            paths = ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]
            found += [path for path in paths if path not in found and not os.path.isdir(path)]
    return found


def remove_folders(folders: Iterable[str]) -> None:
    """Remove folders, the last one first; what is not empty stays, and what is gone is gone."""
    for path in reversed(list(folders)):
        with contextlib.suppress(OSError):
            os.rmdir(path)
