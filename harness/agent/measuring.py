"""What is measured of a loaded program, by the names of harness/model/measures.py."""

from __future__ import annotations

import contextlib

from harness.agent.infos import info_of
from harness.agent.kernel_abi import ProgInfo
from harness.agent.load_logs import statistics
from harness.agent.refusal import Refused

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from harness.agent.bpf_object import BpfObject
    from harness.agent.libbpf import Libbpf


def measured(lib: Libbpf, fd: int, log: str) -> dict[str, int]:
    """Return the numbers of a program: the kernel's (bpf_prog_info) and, for what that lacks, those of its load's log.

    `verified_insns` is in bpf_prog_info since 5.16 (aba64c7da983); how much a kernel filled says whether it is.
    """
    info = info_of(lib, ProgInfo(), fd)
    found = statistics(log)
    if info["info_len"] >= ProgInfo.verified_insns.offset + ProgInfo.verified_insns.size:
        found["verified-instructions"] = info["verified_insns"]
    found |= {"jited-bytes": info["jited_prog_len"], "translated-bytes": info["xlated_prog_len"]}
    return found


def measured_programs(lib: Libbpf, item: BpfObject) -> dict[str, dict[str, int]]:
    """Return the numbers of each program of an object that is loaded, none of one that cannot be asked for."""
    found: dict[str, dict[str, int]] = {}
    for name, program in item.programs.items():
        fd = lib.found("bpf_program__fd", program)
        if fd >= 0:  # it was not left out of the load
            found[name] = {}
            with contextlib.suppress(Refused):
                found[name] = measured(lib, fd, item.load_log(name))
    return found
