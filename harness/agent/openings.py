"""What can be asked of an object between its opening and its load: variables, maps, programs, pins."""

from __future__ import annotations

import ctypes
import errno
import functools
import os

from harness.agent.btf import Misfit, Types
from harness.agent.refusal import Refused

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from harness.agent.bpf_object import BpfObject
    from harness.agent.libbpf import Libbpf

ARRAY, PROG_ARRAY, PERF_EVENT_ARRAY = 2, 3, 4
"""Members of enum bpf_map_type (include/uapi/linux/bpf.h)."""
RODATA, PINS = "rodata", "pins"
TRIGGER_PID = "$trigger-pid"
"""Stands for the process id of the trigger: that of the case's process, which makes targets run."""


def preparations(lib: Libbpf, step: Mapping[str, Any]) -> list[Callable[[BpfObject], object]]:
    """Return what an `open` step asks for beside the opening, each as what is done with an object."""
    return [functools.partial(act, lib, step[key]) for key, act in ASKED.items() if step.get(key) is not None]


def keep_maps(lib: Libbpf, names: Iterable[str], item: BpfObject) -> None:
    """Let these maps be made, optional ones (?.struct_ops) as well, and all others be left out of the load.

    libbpf fills a program array that the object itself declares with its programs also where it is left out, and fails
    (libbpf.c, init_prog_array_slots()); so such a one is made another type before. What uses a map that is left out is
    refused by the verifier, and libbpf says which it is (fixup_log_missing_map_load()). A map of global data is called
    by its section, too (`.rodata`).
    """
    kept = {item.map(name) for name in names}
    for handle in lib.maps(item.handle):
        lib.call("bpf_map__set_autocreate", handle, handle in kept)
        if handle not in kept and lib.found("bpf_map__type", handle) == PROG_ARRAY:
            lib.call("bpf_map__set_type", handle, ARRAY)


def set_record_maps(lib: Libbpf, names: Iterable[str], item: BpfObject) -> None:
    """Give ring buffers and perf event arrays the sizes that kernels want, whatever the object says.

    A ring buffer has neither keys nor values (ringbuf_map_alloc()), a perf event array file descriptors
    (fd_array_map_alloc_check()). bpf2go's objects have the record's type there, and its loader puts that right.
    """
    for name in names:
        handle = item.map(name)
        size = 4 if lib.found("bpf_map__type", handle) == PERF_EVENT_ARRAY else 0
        lib.call("bpf_map__set_key_size", handle, size)
        lib.call("bpf_map__set_value_size", handle, size)


def set_sections(lib: Libbpf, sections: Mapping[str, str], item: BpfObject) -> None:
    """Let programs be what programs of another section are, since libbpf does not know their own."""
    for name, section in sections.items():
        program, kind, attach = item.program(name), ctypes.c_int(0), ctypes.c_int(0)
        known = section.removeprefix("?")
        lib.call("libbpf_prog_type_by_name", known.encode(), ctypes.byref(kind), ctypes.byref(attach))
        lib.call("bpf_program__set_type", program, kind.value)
        lib.call("bpf_program__set_expected_attach_type", program, attach.value)
        lib.sections = {**lib.sections, program: known}


def set_variables(lib: Libbpf, values: Mapping[str, Any], item: BpfObject) -> None:
    """Give global variables their values, by name or path (`a.b[2]`), as the object's own BTF types them.

    Refused with EINVAL, and a sentence, where there is no such variable or the value does not fit it.
    """
    handle = lib.found("bpf_object__btf", item.handle)
    for path, value in values.items():
        if not handle:
            raise Refused(errno.EINVAL, f"the object has no BTF, so nobody knows where {path} is", api=RODATA)
        types = Types(lib, handle)
        try:
            section, offset, kind = types.locate(path)
            pieces = types.encode(kind, os.getpid() if value == TRIGGER_PID else value, path)
            _write(lib, item, section, [(offset + place, data) for place, data in pieces], path)
        except Misfit as error:
            raise Refused(errno.EINVAL, str(error), api=RODATA) from None


def _write(lib: Libbpf, item: BpfObject, section: str, pieces: Iterable[tuple[int, bytes]], path: str) -> None:
    handle = lib.found("bpf_object__find_map_by_name", item.handle, section.encode())
    size = ctypes.c_size_t(0)
    memory = lib.found("bpf_map__initial_value", handle, ctypes.byref(size)) if handle else None
    if not memory:
        raise Misfit(f"{path} is in the section {section}, whose values cannot be set")
    for place, data in pieces:
        if place + len(data) > size.value:
            raise Misfit(f"{path} is not within the {size.value} bytes of the section {section}")
        ctypes.memmove(memory + place, data, len(data))


def set_sizes(lib: Libbpf, sizes: Mapping[str, int], item: BpfObject) -> None:
    """Give maps another number of entries."""
    for name, count in sizes.items():
        lib.call("bpf_map__set_max_entries", item.map(name), count)


def set_autoload(lib: Libbpf, wanted: Mapping[str, bool], item: BpfObject) -> None:
    """Say of programs whether they are loaded with their object."""
    for name, loaded in wanted.items():
        lib.call("bpf_program__set_autoload", item.program(name), loaded)


def set_pins(lib: Libbpf, pins: Mapping[str, str], item: BpfObject) -> None:
    """Pin maps at paths, or use what is pinned there; Refused where a path does not begin at the root."""
    for name, path in pins.items():
        if not path.startswith("/"):
            raise Refused(errno.EINVAL, f"the map {name} is pinned at a path from the root, not at {path}", api=PINS)
        lib.call("bpf_map__set_pin_path", item.map(name), path.encode())


ASKED: dict[str, Callable[[Libbpf, Any, BpfObject], object]] = {
    "maps": keep_maps,
    "record-maps": set_record_maps,
    "sections": set_sections,
    RODATA: set_variables,
    "sizes": set_sizes,
    "autoload": set_autoload,
    PINS: set_pins,
}
"""What an `open` step can ask for, by its keys, in the order in which it is done."""
