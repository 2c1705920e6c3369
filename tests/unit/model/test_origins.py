"""Who refused: each row of the table, and what no row knows."""

from __future__ import annotations

from typing import Any

import pytest
from refusal_samples import LOAD_FAILED, step

from harness.model.evidence import evidence_of
from harness.model.origins import ORIGINS, origin_of
from harness.model.results import Origin


def said(*lines: str) -> str:
    return "; ".join(f"libbpf: {line}" for line in lines)


# One for each row of the table, in its order; the messages are those of libbpf 1.5's source.
ORIGIN_OF = [
    (step(log="7: <invalid CO-RE relocation>\nfailed to resolve CO-RE relocation <byte_off> [3] struct a.b"), "k"),
    (step(log="7: <invalid kfunc call>\nkfunc 'f' is referenced but wasn't resolved"), "k"),
    (step(log="7: <invalid BPF map reference>\nBPF map '.rodata' is referenced but wasn't created"), "k"),
    (step(log="7: <invalid BPF map reference>\nBPF map 'm' is referenced but wasn't created"), "l"),
    (step(errno="EACCES", log="R1 invalid mem access 'scalar'", detail=said("prog 'f': failed to load: -13")), "s"),
    (step("attach", "ENOTSUPP", detail="unknown error 524"), "s"),
    (step("tail-call", "EBUSY", api="bpf_map_update_elem", detail="Device or resource busy"), "s"),
    (step("attach", "ENOENT", api="bpf_object__find_program_by_name", detail="the object has no program f"), "l"),
    (step("open", "EOPNOTSUPP", detail=said("elf: legacy map definitions in 'maps' section are not supported")), "l"),
    (step("trigger", "ECONNREFUSED", detail="ConnectionRefusedError: [Errno 111] Connection refused"), "s"),
    (step(detail=said("prog 'f': no BTF-based attach target is specified, use ...()", "failed to load object")), "l"),
    (step(detail=said("prog 'f': attach program FD is not set", "failed to load object")), "l"),
    (step(detail=said("prog 'f': missing BPF prog type, check ELF section name 'x'")), "l"),
    (step(detail=said("prog 'f': SEC(\"struct_ops\") program isn't referenced anywhere, did you ...")), "l"),
    (step(errno="E?4003", detail=said("object 'x': loading non-native endianness is unsupported")), "l"),
    (step(detail=said("extern (kcfg) 'LINUX_X': unrecognized virtual extern")), "l"),
    (step(detail=said("couldn't reuse pinned map at '/sys/fs/bpf/m': parameter mismatch")), "l"),
    (step(detail=said("prog 'f': relo #3: parsing [7] struct a + 0:1 failed: -22")), "l"),
    (step(detail=said("struct_ops init_kern m: bitfield b is not supported")), "l"),
    (step(errno="ESRCH", detail=said("kernel BTF is missing at '/sys/kernel/btf/vmlinux', was ...")), "k"),
    (step(errno="ESRCH", detail=said("prog 'f': failed to find kernel BTF type ID of 'g': -3")), "k"),
    (step(errno="ESRCH", detail=said("struct_ops init_kern: struct s is not found in kernel BTF")), "k"),
    (step(errno="ESRCH", detail=said("extern 'CONFIG_X' (strong): not resolved")), "k"),
    (step(detail=said("extern (func ksym) 'f': not found in kernel or module BTFs")), "k"),
    (step(detail=said("failed to open /proc/kallsyms: -13")), "k"),
    (step(detail=said("failed to open system Kconfig")), "k"),
    (step(detail=said("prog 'f': relo #3: insn #8 (LDX/ST/STX) accesses field incorrectly. Make sure ...")), "k"),
    (step(errno="EPERM", detail=said("failed to iterate BTF objects: -1")), "k"),
    (step(detail=said("map 'm': failed to determine number of system CPUs: -2")), "k"),
    (step("set-attach-target", detail=said("The target program doesn't have BTF"), target_btf="loaded"), "l"),
    (step("set-attach-target", detail=said("The target program doesn't have BTF"), target_btf="refused"), "k"),
    (step("set-attach-target", "ENOENT", detail=said("f is not found in prog's BTF")), "l"),
    (step("attach", "EOPNOTSUPP", detail="Operation not supported", api="bpf_program__attach", section="tc"), "l"),
    (step("attach", detail="Invalid argument", api="bpf_program__attach", section="tp/x"), "l"),
    (step("attach", detail=said("kprobe name is invalid: ?")), "l"),
    (step("attach", detail=said("prog 'f': can't attach before loaded")), "l"),
    (step("attach", "ENOENT", detail=said("elf: failed to find symbol 'f' in '/lib/libc.so.6'")), "l"),
    (step("attach", "ENOENT", detail="No such file", api="bpf_program__attach", section="uprobe.multi//x:f*"), "l"),
    (
        step("attach", "ENOENT", detail=said("failed to determine tracepoint 'a/b' perf event ID: No such file")),
        "k",
    ),
    (step("attach", "ENOENT", detail=said("failed to determine kprobe perf type: No such file")), "k"),
    (step("attach", "ENOENT", detail=said("failed to open /sys/kernel/tracing/available_filter_functions: -2")), "k"),
    (step("attach", "ENOENT", detail="No such file", api="bpf_program__attach", section="kprobe.multi/f*"), "k"),
    (step("attach", "EOPNOTSUPP", detail=said("prog 'f': user context value is not supported")), "k"),
    (step("attach", "EOPNOTSUPP", detail=said("usdt: attaching to shared libraries without specific PID is not "
                                              "supported on current kernel")), "k"),
    (step("attach", "ENOENT", detail=said("Kernel error message: no"), api="bpf_tc_hook_create"), "s"),
    (step("attach", "EEXIST", detail="File exists", api="bpf_tc_attach"), "s"),
    (step("attach-map", "EEXIST", detail="File exists", api="bpf_map__attach_struct_ops"), "s"),
    (step("update-link", detail="Invalid argument", api="bpf_link__update_map"), "s"),
    (step(detail=LOAD_FAILED), "s"),
    (step(errno="ENOMEM", detail=said("map 'm': failed to create: Cannot allocate memory(-12)")), "s"),
    (step(errno="E2BIG", detail=said("map 'm': failed to set initial contents: Argument list too long")), "s"),
    (step(errno="EPERM", detail=said("couldn't retrieve pinned map '/sys/fs/bpf/m': Operation not permitted")), "s"),
    (step(errno="EPERM", detail=said("Error in f():no(1). Couldn't load trivial BPF program. Make sure ...")), "s"),
    (step(errno="EPERM", detail=said("Error loading .BTF into kernel: -1. BTF is mandatory, can't proceed.")), "s"),
    (step("set-attach-target", "EPERM", detail=said("failed bpf_prog_get_info_by_fd for FD 7: -1")), "s"),
    (step("attach", "ENOENT", detail=said("prog 'f': failed to create kprobe 'g+0x0' perf event: No such file")), "s"),
    (step("attach", detail=said("prog 'f': failed to attach to xdp: Invalid argument")), "s"),
]  # fmt: skip


SHORT = {"s": Origin.SYSTEM_CALL, "k": Origin.LIBBPF_KERNEL, "l": Origin.LIBBPF}


@pytest.mark.parametrize(
    ("row", "report", "origin"), [(row, *pair) for row, pair in zip(ORIGINS, ORIGIN_OF, strict=True)]
)
def test_every_row_of_the_origins_is_the_first_that_fits_something(
    row: Any, report: dict[str, Any], origin: str
) -> None:
    evidence = evidence_of(report)
    assert next(each for each in ORIGINS if each.condition.holds(evidence)) is row
    assert origin_of(evidence) == row.origin == SHORT[origin]
    assert row.place


@pytest.mark.parametrize(
    "report",
    [
        step(detail=said("failed to load object 'x'")),
        step(detail=said("BTF loading error: -1", "failed to load object 'x'")),
        step(errno="ENOMEM", detail=""),
        step("set-attach-target", detail=said("The target program doesn't have BTF")),
        step("set-attach-target", detail="Invalid argument"),
        step("attach", "EOPNOTSUPP", detail="Operation not supported"),
        step("attach", "EOPNOTSUPP", detail="Operation not supported", api="bpf_program__attach_cgroup"),
        step("attach", detail="Invalid argument", api="bpf_program__attach"),
        step("attach", "ENOENT", detail="FileNotFoundError: [Errno 2] /sys/fs/cgroup/x"),
        step("tail-call", "EINVAL", detail="Invalid argument"),
    ],
)
def test_what_no_row_knows_is_unknown_and_never_the_kernels(report: dict[str, Any]) -> None:
    assert origin_of(evidence_of(report)) == Origin.UNKNOWN


def test_warnings_that_end_nothing_do_not_decide() -> None:
    """libbpf tries again without BTF, or without the log; the message that ends the load comes after these."""
    retried = said("Error in bpf_create_map_xattr(m):Invalid argument(-22). Retrying without BTF.", "BTF loading error")
    assert origin_of(evidence_of(step(detail=retried))) == Origin.UNKNOWN
    no_memory = said("map 'm': failed to create: Cannot allocate memory(-12)")
    ended = step(errno="ENOMEM", detail=f"{retried}; {no_memory}")
    assert origin_of(evidence_of(ended)) == Origin.SYSTEM_CALL
