"""What the kernel says of programs and links (bpf_prog_info, bpf_link_info) and of functions in their BTF."""

from __future__ import annotations

import contextlib
import ctypes

from harness.agent.kernel_abi import BTF_KIND_FUNC, ProgInfo
from harness.agent.refusal import Refused

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from typing import Any

    from harness.agent.kernel_abi import LinkInfo
    from harness.agent.libbpf import Libbpf


def info_of(lib: Libbpf, info: LinkInfo | ProgInfo, fd: int) -> dict[str, Any]:
    """Return the numbers that the kernel puts into a structure about a link or a program, and how much it filled."""
    size = ctypes.c_uint32(ctypes.sizeof(info))
    lib.call("bpf_obj_get_info_by_fd", fd, ctypes.byref(info), ctypes.byref(size))
    plain = [(name, getattr(info, name)) for name, *_ in info._fields_]
    return {name: value for name, value in plain if isinstance(value, int)} | {"info_len": size.value}


def function_btf_id(lib: Libbpf, fd: int, function: str) -> int:
    """Return the number of a function in the BTF of a loaded program; Refused with ENOENT where it has none.

    What libbpf reads for it ends with this process.
    """
    btf = lib.pointer("btf__load_from_kernel_by_id", info_of(lib, ProgInfo(), fd)["btf_id"])
    return lib.call("btf__find_by_name_kind", btf, function.encode(), BTF_KIND_FUNC)


def program_info(lib: Libbpf, fd: int, name: str) -> dict[str, Any]:
    """Return a program's bpf_prog_info, with where its code begins, and the number of its function in its BTF."""
    first = ctypes.c_uint64(0)
    info = ProgInfo(nr_jited_ksyms=1, jited_ksyms=ctypes.addressof(first))
    found = info_of(lib, info, fd) | {"name": info.name.decode(errors="replace"), "jited_address": first.value}
    del found["jited_ksyms"]  # an address of this process
    with contextlib.suppress(Refused):
        found["function_btf_id"] = function_btf_id(lib, fd, name)
    return found
