"""System calls, structures and requests as the kernel's headers have them."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from agent_samples import refusal

from harness.agent import kernel_abi
from harness.agent.kernel_abi import LinkInfo, ProgInfo, bpf, ioctl_request
from harness.model.architectures import ARCHITECTURES

TABLES = {
    "perf_event_open": kernel_abi.PERF_EVENT_OPEN,
    "bpf": kernel_abi.BPF_SYSCALL,
    "finit_module": kernel_abi.FINIT_MODULE,
    "delete_module": kernel_abi.DELETE_MODULE,
}


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_every_architecture_has_a_number_for_each_call(table: Mapping[str, int]) -> None:
    assert len(table) == len(ARCHITECTURES)
    assert [arch.name for arch in ARCHITECTURES.values() if not table.keys() & set(arch.machines)] == []


def test_the_numbers_of_this_machine_are_those_of_its_headers(tmp_path: Path) -> None:
    code = "#include <sys/syscall.h>\n#include <linux/bpf.h>\n#include <linux/perf_event.h>\n#include <stddef.h>\n"
    for name, table in TABLES.items():
        code += f'_Static_assert(SYS_{name} == {table[os.uname().machine]}, "{name}");\n'
    for name in ("BPF_PROG_LOAD", "BPF_OBJ_GET_INFO_BY_FD"):
        code += f'_Static_assert({name} == {getattr(kernel_abi, name)}, "{name}");\n'
    for field in ("tag", "load_time", "map_ids", "name", "netns_ino", "nr_jited_ksyms", "jited_ksyms", "btf_id"):
        place = getattr(ProgInfo, field).offset
        code += f'_Static_assert(offsetof(struct bpf_prog_info, {field}) == {place}, "{field}");\n'
    place = ioctl_request("$", 9)
    code += f'_Static_assert(PERF_EVENT_IOC_ENABLE == 0x2400 && {place} == 0x2409, "_IO");\n'
    (tmp_path / "a.c").write_text(code)
    argv = ["clang", "-fsyntax-only", str(tmp_path / "a.c")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("machine", "plain", "with_size"),
    [("x86_64", 0x2403, 0x40042403), ("s390x", 0x2403, 0x40042403), ("ppc64le", 0x20002403, 0x80042403)],
)
def test_requests_of_ioctl(machine: str, plain: int, with_size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    names = os.uname()
    monkeypatch.setattr(os, "uname", lambda: os.uname_result((*names[:4], machine)))
    assert (ioctl_request("$", 3), ioctl_request("$", 3, 4)) == (plain, with_size)


def test_the_structures_are_larger_than_any_kernel_fills_them() -> None:
    assert ctypes.sizeof(LinkInfo) >= 128
    assert ctypes.sizeof(ProgInfo) == 232


def test_a_command_that_is_refused_says_its_name() -> None:
    refused = refusal(lambda: bpf(kernel_abi.BPF_PROG_LOAD, bytes(8)))
    assert refused.api == "BPF_PROG_LOAD"
    assert refused.number > 0
