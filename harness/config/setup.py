"""What a case declares beside its programs: devices, namespaces, queues, control groups, mounts; and places on them."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Strict, Tag, WithJsonSchema

from harness.config.base import Line, Symbol
from harness.config.reading.explain import did_you_mean
from harness.config.reading.models import CheckedModel, Expects, Model, OneOf, unexpected
from harness.config.reading.yaml_source import Loc, dotted, quoted

QDISCS: Mapping[str, str] = {
    **dict.fromkeys(("clsact", "ingress"), "sch_ingress"),
    **{kind: f"sch_{kind}" for kind in ("fq", "fq_codel", "codel", "sfq", "cake", "pie", "hhf", "drr", "qfq")},
    **dict.fromkeys(("pfifo", "bfifo", "pfifo_fast"), "sch_fifo"),
}
"""Queueing disciplines that need no options, and the module of each; what is not a module on a kernel is built in."""
FILE_SYSTEMS: Mapping[str, str] = {
    **{kind: kind for kind in ("tmpfs", "ramfs", "proc", "sysfs", "devtmpfs", "devpts", "mqueue", "hugetlbfs")},
    **{kind: kind for kind in ("bpf", "cgroup2", "tracefs", "debugfs", "securityfs", "overlay")},
}
"""File systems that need no device, and the module of each."""


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _check_interface(value: str) -> str:
    try:
        ipaddress.ip_interface(value)
    except ValueError as error:
        raise unexpected(
            'an address with the length of its prefix, such as "192.0.2.1/24" or "2001:db8::1/64"'
        ) from error
    if "/" not in value:
        raise unexpected('an address with the length of its prefix, such as "192.0.2.1/24" or "2001:db8::1/64"')
    return value


DeviceName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,14}$"),
    Expects('the name of a network device, at most 15 letters, digits, _, . and -, such as "a"'),
]
ThingName = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"), Expects("a name of letters, digits, _, . and -")
]
GroupName = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*(/[A-Za-z0-9][A-Za-z0-9_-]*)*$"),
    Expects('the name of a control group, with a slash one within another, such as "one" or "one/inner"'),
]
GuestPath = Annotated[
    str, Field(pattern=r"^(/[A-Za-z0-9_.+-]*[A-Za-z0-9_+-])+$"), Expects('a path from the root, such as "/mnt/x"')
]
_ADDRESS = {"type": "string"}
Addresses = Annotated[
    tuple[Annotated[str, AfterValidator(_check_interface)], ...],
    BeforeValidator(_listed),
    Expects('an address with the length of its prefix, such as "192.0.2.1/24", or a list of such'),
    WithJsonSchema({"anyOf": [_ADDRESS, {"type": "array", "items": _ADDRESS}]}),
]
_UP = "Whether it works from the start."


# --- things --------------------------------------------------------------------------------------------------


class NamespaceThing(Model):
    """A network namespace."""

    make: Literal["namespace"] = Field(description="A network namespace, at /run/netns/NAME.")
    name: ThingName = Field(description="Its name.")


class VethThing(Model):
    """A pair of connected devices."""

    make: Literal["veth"] = Field(description="A pair of network devices: what one sends, the other receives.")
    name: DeviceName = Field(description="The one device.")
    peer: DeviceName = Field(description="The other device.")
    address: Addresses = Field(default=(), description="Addresses of the one, with their prefixes.")
    peer_address: Addresses = Field(default=(), description="Addresses of the other.")
    namespace: ThingName | None = Field(
        default=None, description="The namespace of the one, made before; without it the case's own."
    )
    peer_namespace: ThingName | None = Field(default=None, description="The namespace of the other.")
    up: Annotated[bool, Strict()] = Field(default=True, description=_UP)


class DummyThing(Model):
    """A device that swallows what it is given."""

    make: Literal["dummy"] = Field(description="A network device that swallows what is sent over it.")
    name: DeviceName = Field(description="Its name.")
    address: Addresses = Field(default=(), description="Its addresses, with their prefixes.")
    namespace: ThingName | None = Field(
        default=None, description="Its namespace, made before; without it the case's own."
    )
    up: Annotated[bool, Strict()] = Field(default=True, description=_UP)


class QdiscThing(Model):
    """A queueing discipline of a device."""

    make: Literal["qdisc"] = Field(description="A queueing discipline of a device.")
    kind: Annotated[str, OneOf(tuple(QDISCS))] = Field(description="Which; clsact and ingress have filters.")
    device: DeviceName = Field(description="The device, made before.")


class CgroupThing(Model):
    """A control group."""

    make: Literal["cgroup"] = Field(description="A control group (v2), below one of the case's own.")
    name: GroupName = Field(description="Its name; with a slash it is within another.")
    join: Annotated[bool, Strict()] = Field(
        default=True, description="Whether the case's process joins it; a process is in the one that it joined last."
    )


class MountThing(Model):
    """A mounted file system."""

    make: Literal["mount"] = Field(description="A file system that is mounted.")
    type: Annotated[str, OneOf(tuple(FILE_SYSTEMS))] = Field(description="Its type.")
    at: GuestPath = Field(description="Where; the folder is made where it is missing.")
    options: Line | None = Field(default=None, description='Its options, as mount(8) has them behind -o ("size=1m").')


Thing: TypeAlias = Annotated[
    NamespaceThing | VethThing | DummyThing | QdiscThing | CgroupThing | MountThing,
    Field(discriminator="make"),
    Expects("a thing to make, such as {make: veth, name: a, peer: b}, no line for a shell"),
]
SETUP = (
    "What is made before the first object is opened, in this order, and taken away after the case: network devices "
    "and namespaces, queueing disciplines, control groups, mounts."
)


# --- places --------------------------------------------------------------------------------------------------


class _Ordered(CheckedModel):
    before: Symbol | None = Field(
        default=None, description="The link before whose program this one runs (tcx; of control groups since 6.17)."
    )
    after: Symbol | None = Field(default=None, description="The link behind whose program this one runs.")

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """A program has one neighbour."""
        if "before" in data and "after" in data:
            yield ("after",), 'not allowed beside "before": name one neighbour'


class DevicePlace(_Ordered):
    """A network device of `setup`, or lo."""

    device: DeviceName = Field(description="A network device of `setup`.")
    mode: Literal["auto", "native", "generic"] | None = Field(
        default=None, description="Of XDP: native (by the driver), generic, or auto, as the kernel likes it."
    )
    direction: Literal["ingress", "egress"] | None = Field(
        default=None, description='Of SEC("tc") and SEC("classifier"): what the device receives, or what it sends.'
    )
    priority: Annotated[int, Strict(), Field(ge=1, le=0xFFFF)] | None = Field(
        default=None, description="Of a tc filter: a smaller one runs first; without it 1."
    )


class CgroupPlace(_Ordered):
    """A control group of `setup`."""

    cgroup: GroupName = Field(description="A control group of `setup`.")
    flags: tuple[Literal["multi", "override"], ...] | None = Field(
        default=None,
        description="Attach by BPF_PROG_ATTACH with these flags ([] for none): multi, override; without this key by a "
        "link, which is multi.",
    )


class NamespacePlace(Model):
    """A network namespace of `setup`."""

    namespace: ThingName = Field(description="A network namespace of `setup`.")


def form_of_place(value: Any) -> str:
    """Return which form of a place something has: text, a list, or a mapping about a device, group or namespace."""
    if isinstance(value, DevicePlace | CgroupPlace | NamespacePlace):
        return type(value).__name__.removesuffix("Place").lower()
    if isinstance(value, Mapping):
        return next((kind for kind in ("cgroup", "namespace") if kind in value), "device")
    return "text" if isinstance(value, str) else "list"


ANYWHERE = (
    'what would be behind the slash of the section, such as "tcp_connect", a list of functions, or a place of `setup`, '
    "such as {device: a}"
)
AttachPlace = Annotated[
    Annotated[Line, Tag("text")]
    | Annotated[tuple[Symbol, ...], Field(min_length=1), Tag("list")]
    | Annotated[DevicePlace, Tag("device")]
    | Annotated[CgroupPlace, Tag("cgroup")]
    | Annotated[NamespacePlace, Tag("namespace")],
    Discriminator(form_of_place),
    Expects(ANYWHERE),
]
ATTACH_TO = (
    "Where programs are attached whose section leaves that to the loader: program -> what would be behind the "
    "section's slash (a function, a pattern of functions, category/name of a tracepoint, binary:function, each "
    "perhaps with +offset), a list of functions for kprobe.multi, or a place of `setup`: {device: NAME, mode: native}, "
    "{cgroup: NAME, flags: [multi]}, {namespace: NAME}."
)


# --- names ---------------------------------------------------------------------------------------------------


def devices_of(setup: Sequence[Thing]) -> dict[str, int]:
    """Return the network devices that things are, each with the index of its thing."""
    found: dict[str, int] = {}
    for index, thing in enumerate(setup):
        for key in ("name", "peer") if thing.make in ("veth", "dummy") else ():
            name = getattr(thing, key, None)
            if name is not None:
                found.setdefault(name, index)
    return found


def namespaces_of(setup: Sequence[Thing]) -> dict[str, int]:
    """Return the network namespaces that things are, each with the index of its thing."""
    return {thing.name: index for index, thing in enumerate(setup) if isinstance(thing, NamespaceThing)}


def cgroups_of(setup: Sequence[Thing]) -> dict[str, int]:
    """Return the control groups that things are, each with the index of its thing."""
    return {thing.name: index for index, thing in enumerate(setup) if isinstance(thing, CgroupThing)}


def unknown(loc: Loc, kind: str, name: str, known: Sequence[str]) -> tuple[Loc, str]:
    """Return that `setup` has nothing of a name, with what it has."""
    there = ", ".join(known) or "none"
    return loc, f"{dotted(loc)}: `setup` makes no {kind} {quoted(name)}{did_you_mean(name, known)} (there are: {there})"


def setup_problems(setup: Sequence[Thing]) -> Iterator[tuple[Loc, str]]:
    """Yield what is wrong between things: two of a name, or one that needs what no thing before it is."""
    namespaces, devices = namespaces_of(setup), devices_of(setup)
    yield from _twice(setup)
    for index, thing in enumerate(setup):
        needs = (("namespace", namespaces), ("peer_namespace", namespaces), ("device", devices))
        for key, known in needs:
            name = getattr(thing, key, None)
            place = ("setup", index, key.replace("_", "-"))
            kind = key.rpartition("_")[2]
            if name is None or known.get(name, index) < index:
                continue
            if name not in known:
                yield unknown(place, kind, name, list(known))
            else:
                yield place, f"{dotted(place)}: the {kind} {quoted(name)} is made later; put it before this"


def _twice(setup: Sequence[Thing]) -> Iterator[tuple[Loc, str]]:
    seen: set[tuple[str, str]] = set()
    for index, thing in enumerate(setup):
        kind = {"veth": "device", "dummy": "device"}.get(thing.make, thing.make)
        for key in ("name", "peer", "at"):
            name, place = getattr(thing, key, None), ("setup", index, key)
            if name is None:
                continue
            if (kind, name) in seen:
                yield place, f"{dotted(place)}: there are two things of the kind {kind} with the name {quoted(name)}"
            elif kind == "device" and name == "lo":
                yield place, f"{dotted(place)}: each namespace has a device lo by itself"
            seen.add((kind, name))
