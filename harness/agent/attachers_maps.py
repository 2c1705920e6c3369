"""Attaching to maps, and to what iterators go through. A map is the object's own; where it has none, one of ours."""

from __future__ import annotations

import ctypes
import struct

from harness.agent.kernel_abi import BPF_MAP_CREATE, bpf
from harness.agent.libbpf_abi import POINTER, U32, options
from harness.agent.links import BpfLink, CallLink
from harness.agent.refusal import Refused

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from harness.agent.case_state import CaseState
    from harness.agent.links import Link

# enum bpf_map_type
HASH, ARRAY, PERCPU_HASH, PERCPU_ARRAY, LRU_HASH, LRU_PERCPU_HASH, SOCKMAP, SOCKHASH, SK_STORAGE = (
    1,
    2,
    5,
    6,
    9,
    10,
    15,
    18,
    24,
)
SOCKETS, ELEMENTS = "sockets", "elements"
"""Names of maps that are taken before any other of their type."""
MAP_ITERATORS = {
    "bpf_map_elem": (HASH, ARRAY, PERCPU_HASH, PERCPU_ARRAY, LRU_HASH, LRU_PERCPU_HASH),
    "sockmap": (SOCKMAP, SOCKHASH),
    "bpf_sk_storage_map": (SK_STORAGE,),
}
MAP_ITERATORS = {f"{kind}/{name}": types for name, types in MAP_ITERATORS.items() for kind in ("iter", "iter.s")}
"""Iterators that go through a map, by their sections, and the types of map that they take."""
CGROUP_ITERATORS = ("iter/cgroup", "iter.s/cgroup")
STREAM_VERDICT = 5  # BPF_SK_SKB_STREAM_VERDICT
EITHER = {38: STREAM_VERDICT}
"""BPF_SK_SKB_VERDICT: a map has either (net/core/sock_map.c, sock_map_prog_update())."""
DESCENDANTS_PRE = 2  # BPF_CGROUP_ITER_DESCENDANTS_PRE


def maps_of(case: CaseState, program: int, types: tuple[int, ...], first: str) -> list[int]:
    """Return the maps of some types that the program's object has made, one of the name `first` before the others."""
    lib, item = case.lib, case.object_of(program)
    found = [each for each in lib.maps(item.handle) if lib.found("bpf_map__type", each) in types]
    # One that was left out of the load has a file descriptor, too: of nothing (libbpf 1.5, map_is_created()).
    made = [each for each in found if lib.found("bpf_map__autocreate", each)]
    return sorted(made, key=lambda each: lib.found("bpf_map__name", each) != first.encode())


def attach_sockmap(case: CaseState, program: int) -> Link:
    """Attach to a map of sockets of the program's object, else to one of ours; the trigger puts sockets into it.

    A map has one program of a kind, and another would take its place: that one goes to the next map.
    """
    lib = case.lib
    kind = lib.call("bpf_program__expected_attach_type", program) or STREAM_VERDICT
    handles = {lib.call("bpf_map__fd", each): each for each in maps_of(case, program, (SOCKMAP, SOCKHASH), SOCKETS)}
    sockets = next((fd for fd in handles if (fd, EITHER.get(kind, kind)) not in case.sock_programs), -1)
    if sockets in handles:
        sizes = lib.found("bpf_map__key_size", handles[sockets]), lib.found("bpf_map__value_size", handles[sockets])
    else:
        # union bpf_attr of BPF_MAP_CREATE: map_type, key_size, value_size, max_entries, map_flags
        sockets, sizes = bpf(BPF_MAP_CREATE, struct.pack("=IIIII", SOCKMAP, 4, 4, 2, 0)), (4, 4)
    # An sk_msg program runs for the socket that sends, an sk_skb program for the one that receives.
    case.sockmap = sockets, int(lib.section(program).startswith("sk_skb")), *sizes
    fd = lib.call("bpf_program__fd", program)
    lib.call("bpf_prog_attach", fd, sockets, kind, 0)
    case.sock_programs.add((sockets, EITHER.get(kind, kind)))
    case.sockmaps.append(case.sockmap)
    return CallLink(lambda: lib.call("bpf_prog_detach2", fd, sockets, kind))


def attach_map_iterator(case: CaseState, program: int) -> Link:
    """Attach to iterate over a map of the program's object: the first whose keys and values are large enough."""
    handles = maps_of(case, program, MAP_ITERATORS[case.lib.section(program)], ELEMENTS)
    for handle in handles[:-1]:
        try:
            return _iterate(case, program, case.lib.call("bpf_map__fd", handle))
        except Refused:
            case.lib.messages.clear()
    return _iterate(case, program, case.lib.call("bpf_map__fd", handles[-1]) if handles else 0)


def _iterate(case: CaseState, program: int, fd: int) -> Link:
    # union bpf_iter_link_info: map.map_fd; struct bpf_iter_attach_opts: link_info, link_info_len.
    return _link(case, program, struct.pack("=I", fd))


def attach_cgroup_iterator(case: CaseState, program: int) -> Link:
    """Attach to iterate over all cgroups, from the root."""
    # union bpf_iter_link_info: cgroup.order, .cgroup_fd, .cgroup_id
    return _link(case, program, struct.pack("=IIQ", DESCENDANTS_PRE, 0, 0))


def _link(case: CaseState, program: int, info: bytes) -> Link:
    room = ctypes.create_string_buffer(info, len(info))
    made = options((POINTER, ctypes.addressof(room)), (U32, len(info)))
    return BpfLink(case.lib, case.lib.pointer("bpf_program__attach_iter", program, ctypes.byref(made)))
