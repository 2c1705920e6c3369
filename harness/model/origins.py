"""Who refused: the kernel, libbpf after it has read this kernel, or libbpf alone.

One table of the messages and the silent errors of libbpf 1.5, each row with the function that is behind it. The first
row that fits counts. What no row knows is `unknown`; nothing is the kernel's because nobody else is known to have said
it.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.model.evidence import Condition, Evidence, when
from harness.model.results import Origin


@dataclass(frozen=True, kw_only=True)
class OriginRow:
    """One row: what a refused step is like, who refused it then, and the function that says so."""

    condition: Condition
    origin: Origin
    place: str


def _row(origin: Origin, place: str, condition: Condition) -> OriginRow:
    return OriginRow(condition=condition, origin=origin, place=place)


_KERNEL, _READ, _ALONE = Origin.SYSTEM_CALL, Origin.LIBBPF_KERNEL, Origin.LIBBPF

# Functions of libbpf (and of this harness's agent) that do nothing but one system call.
_BARE_CALLS = (
    "BPF_PROG_LOAD|BPF_LINK_CREATE|BPF_OBJ_GET_INFO_BY_FD|perf_event_open|setsockopt|bpf_raw_tracepoint_open|bpf_map_update_elem"
    "|bpf_map_delete_elem|bpf_map_lookup_elem|bpf_prog_test_run_opts|bpf_obj_get_info_by_fd|bpf_enable_stats"
    "|bpf_iter_create|bpf_prog_attach|bpf_prog_detach2|rtnetlink|bpf_link_update|bpf_obj_pin|unlink|mount"
)
# ... and those that look something up in an object, and ask no kernel.
_LOOK_UPS = "bpf_object__find_(program|map)_by_name|bpf_(program|map|link)__fd"

ORIGINS: tuple[OriginRow, ...] = (
    # --- the verifier's log. libbpf spoils an instruction that it cannot relocate, and corrects what the verifier then
    # says of it (fixup_verifier_log()): the refusal is libbpf's, after it has read this kernel's BTF.
    _row(
        _READ,
        "bpf_core_patch_insn(), fixup_log_failed_core_relo()",
        when("load", log=r"failed to resolve CO-RE relocation|unknown#195896080\b"),
    ),
    _row(
        _READ,
        "bpf_object__relocate_data(), fixup_log_missing_kfunc_call()",
        when("load", log=r"kfunc '.*' is referenced but wasn't resolved|unknown#2002\d{6}\b"),
    ),
    _row(
        _READ,
        "bpf_object__create_maps(), fixup_log_missing_map_load(): without FEAT_GLOBAL_DATA no map for global data",
        when("load", log=r"BPF map '\.(ro)?data.*' is referenced but wasn't created"),
    ),
    _row(
        _ALONE,
        "bpf_object__create_maps(), fixup_log_missing_map_load(): the map was left out of the load",
        when("load", log=r"BPF map '.*' is referenced but wasn't created"),
    ),
    _row(_KERNEL, "BPF_PROG_LOAD: there is a verifier's log", when("load load-raw", log=r"\S")),
    # --- an errno that user space has no name for
    _row(_KERNEL, "524, ENOTSUPP of include/linux/errno.h: libbpf returns ENOTSUP only", when(errnos="ENOTSUPP")),
    # --- calls that are one system call, and such that are none
    _row(_KERNEL, "one system call", when(api=_BARE_CALLS)),
    _row(_ALONE, "find_program_by_name(), find_map_by_name(), ...", when(api=_LOOK_UPS)),
    # --- open: libbpf reads the file, and asks no kernel
    _row(_ALONE, "bpf_object__open_file()", when("open")),
    # --- trigger: sockets, files, and what else makes a target run
    _row(_KERNEL, "system calls of the agent's own", when("trigger")),
    # --- load: libbpf alone
    _row(_ALONE, "libbpf_prepare_prog_load()", when("load", text=r"no BTF-based attach target is specified")),
    _row(_ALONE, "libbpf_find_attach_btf_id()", when("load", text=r"attach program FD is not set")),
    _row(_ALONE, "bpf_object_load_prog()", when("load", text=r"missing BPF prog type, check ELF section name")),
    _row(_ALONE, "bpf_object_load_prog()", when("load", text=r'SEC\("struct_ops"\) program isn\'t referenced')),
    _row(
        _ALONE, "bpf_object_load()", when("load", text=r"loading non-native endianness|load can't be attempted twice")
    ),
    _row(
        _ALONE,
        "bpf_object__resolve_externs()",
        when("load", text=r"unrecognized virtual extern|unrecognized extern kind"),
    ),
    _row(
        _ALONE,
        "bpf_object__reuse_map(), map_is_reuse_compat(): what is pinned there, not what the kernel can",
        when("load", text=r"couldn't reuse pinned map at .*: parameter mismatch"),
    ),
    _row(
        _ALONE,
        "bpf_core_calc_relo_insn(), bpf_core_calc_relo(): the object's own relocation",
        when("load", text=r"relo #\d+: (parsing .* failed|unrecognized CO-RE relocation|.*support anonymous types)"),
    ),
    _row(
        _ALONE,
        "bpf_map__init_kern_struct_ops()",
        when(
            "load",
            text=r"struct_ops init_kern .*(bitfield .* is not supported|is not a struct_ops program|invalid reuse)",
        ),
    ),
    # --- load, set-attach-target: after reading this kernel
    _row(
        _READ,
        "btf__load_vmlinux_btf()",
        when("load set-attach-target", text=r"kernel BTF is missing at|failed to (read|find valid) kernel BTF"),
    ),
    _row(
        _READ, "libbpf_find_attach_btf_id()", when("load", text=r"failed to find kernel BTF type ID of|in vmlinux BTF")
    ),
    _row(
        _READ,
        "find_struct_ops_kern_types(), bpf_map__init_kern_struct_ops()",
        when(
            "load",
            text=r"struct_ops init_kern.*(not found in|Cannot find member|Unmatched member type|Error in size of member"
            r"|failed to resolve the size|is not a func ptr)",
        ),
    ),
    _row(_READ, "bpf_object__resolve_externs()", when("load", text=r"extern '\w+' \(strong\): not resolved")),
    _row(
        _READ,
        "bpf_object__resolve_ksym_var_btf_id(), bpf_object__resolve_ksym_func_btf_id()",
        when("load", text=r"extern \((var|func) ksym\) "),
    ),
    _row(
        _READ,
        "libbpf_kallsyms_parse(), kallsyms_cb()",
        when("load", text=r"failed to (open /proc/kallsyms|read kallsyms)|extern \(ksym\) .* is ambiguous"),
    ),
    _row(
        _READ,
        "bpf_object__read_kconfig_file(), set_kcfg_value_...()",
        when("load", text=r"(open|parsing) system Kconfig|extern \(kcfg\) '\w+': (value|failed to get kernel version)"),
    ),
    _row(
        _READ,
        "bpf_core_calc_relo_insn(), bpf_core_patch_insn(): this kernel's type does not fit the access",
        when("load", text=r"prog '\w+': relo #\d+: |failed to parse target BTF"),
    ),
    _row(
        _READ,
        "load_module_btfs()",
        when("load set-attach-target", text=r"failed to (iterate|get) BTF object|failed to load module .* BTF"),
    ),
    _row(_READ, "libbpf_num_possible_cpus()", when("load", text=r"failed to determine number of system CPUs")),
    # --- set-attach-target: the target's BTF is the object's own, unless the kernel did not take it. (Kernels before
    # 5.0 take BTF, and no information on functions.)
    _row(
        _ALONE,
        "libbpf_find_prog_btf_id(): the target's object has no information on functions",
        when("set-attach-target", text=r"The target program doesn't have BTF", target_btf="none|loaded"),
    ),
    _row(
        _READ,
        "libbpf_find_prog_btf_id(): this kernel has not taken the target's BTF",
        when("set-attach-target", text=r"The target program doesn't have BTF", target_btf="refused"),
    ),
    _row(
        _ALONE,
        "libbpf_find_prog_btf_id()",
        when("load set-attach-target attach", text=r"is not found in prog's BTF"),
    ),
    # --- attach: libbpf alone
    _row(
        _ALONE,
        "bpf_program__attach(): no function that attaches this section, or nothing behind the section's name",
        when("attach", "EOPNOTSUPP", silent=True, api="bpf_program__attach"),
    ),
    _row(
        _ALONE,
        "attach_tp()",
        when("attach", "EINVAL", silent=True, api="bpf_program__attach", section="(tp|tracepoint)/[^/]*"),
    ),
    _row(
        _ALONE,
        "attach_kprobe(), attach_uprobe(), attach_raw_tp(), ...: what the section says cannot be read",
        when(
            "attach",
            "EINVAL",
            r"kprobe name is invalid|pattern is invalid|invalid (format of )?section|missing ':function"
            r"|do not support offset specification",
        ),
    ),
    _row(
        _ALONE,
        "bpf_program__attach_...(), bpf_map__attach_struct_ops()",
        when(
            "attach attach-map",
            "EINVAL",
            r"can't attach (before loaded|BPF (program|map) without FD|non-struct_ops map)|ifindex cannot be zero"
            r"|supply none or both of target_fd|only BPF_PROG_TYPE_EXT can attach as freplace",
        ),
    ),
    _row(
        _ALONE,
        "resolve_full_path(), elf_find_func_offset(), collect_usdt_targets(): a program or library of the guest",
        when("attach", text=r"failed to resolve full path|elf: |usdt: (no|invalid) USDT notes|usdt: failed to find"),
    ),
    _row(
        _ALONE,
        "elf_resolve_pattern_offsets(), elf_resolve_syms_offsets(): a program or library of the guest",
        when("attach", "ENOENT", silent=True, section=r"u(ret)?probe\.multi(\.s)?/.*"),
    ),
    # --- attach: after reading this kernel
    _row(
        _READ,
        "perf_event_open_tracepoint(), determine_tracepoint_id(): tracefs",
        when("attach", text=r"failed to determine tracepoint .* perf event ID"),
    ),
    _row(
        _READ,
        "perf_event_open_probe(): /sys/bus/event_source",
        when("attach", text=r"failed to determine [ku]probe (perf type|retprobe bit)"),
    ),
    _row(
        _READ,
        "libbpf_available_kprobes_parse(), libbpf_available_kallsyms_parse(): tracefs",
        when("attach", text=r"failed to (open|parse) .*available_filter_functions"),
    ),
    _row(
        _READ,
        "libbpf_available_kprobes_parse(), libbpf_available_kallsyms_parse(): no function of tracefs matches",
        when("attach", "ENOENT", silent=True, section=r"k(ret)?probe\.(multi|session)/.*"),
    ),
    _row(_READ, "bpf_program__attach_perf_event_opts()", when("attach", text=r"user context value is not supported")),
    _row(
        _READ,
        "collect_usdt_targets()",
        when("attach", text=r"usdt: .*(kernel doesn't support USDT|not supported on current kernel)"),
    ),
    # --- the system call
    _row(
        _KERNEL,
        "libbpf_netlink_recv(), libbpf_nla_dump_errormsg(): the answer to a message of rtnetlink(7)",
        when("attach", text=r"Kernel error message: ", api="bpf_tc_(hook_create|attach)"),
    ),
    _row(
        _KERNEL,
        "libbpf_netlink_recv(): libbpf's own refusals of these are EINVAL and EOPNOTSUPP",
        when("attach", "EPERM ENOENT EEXIST ENODEV ENOMEM EBUSY", api="bpf_tc_(hook_create|attach)"),
    ),
    _row(
        _KERNEL,
        "bpf_map__attach_struct_ops(): BPF_MAP_UPDATE_ELEM, BPF_LINK_CREATE",
        when("attach-map", silent=True, api="bpf_map__attach_struct_ops"),
    ),
    _row(
        _KERNEL,
        "bpf_link__update_map(): BPF_MAP_UPDATE_ELEM, BPF_LINK_UPDATE; the agent asks only of what has a link",
        when("update-link", silent=True, api="bpf_link__update_map"),
    ),
    _row(_KERNEL, "bpf_object_load_prog()", when("load", text=r"BPF program load failed: ")),
    _row(
        _KERNEL,
        "bpf_object__create_maps()",
        when("load", text=r"map '.*': failed to (create|auto-pin)|create inner map"),
    ),
    _row(
        _KERNEL,
        "bpf_object__populate_internal_map(), init_map_in_map_slots(), init_prog_array_slots()",
        when("load", text=r"map '.*': failed to (set initial|freeze|re-mmap|mmap|initialize slot)"),
    ),
    _row(_KERNEL, "bpf_object__reuse_map()", when("load", text=r"couldn't retrieve pinned map")),
    _row(_KERNEL, "bpf_object__probe_loading()", when("load", text=r"Couldn't load trivial BPF program")),
    _row(
        _KERNEL,
        "bpf_object__sanitize_and_load_btf()",
        when("load", text=r"Error loading \.BTF into kernel: .* BTF is mandatory"),
    ),
    _row(
        _KERNEL,
        "libbpf_find_prog_btf_id()",
        when("load set-attach-target attach", text=r"failed bpf_prog_get_info_by_fd|Failed to get BTF \d+ of the"),
    ),
    _row(
        _KERNEL,
        "bpf_program__attach_kprobe_opts(), bpf_program__attach_uprobe_opts(), ...: perf_event_open(2)",
        when("attach", text=r"failed to (create|add) .*(perf event|event for)|perf_event_open\(\) failed"),
    ),
    _row(
        _KERNEL,
        "bpf_program_attach_fd(), bpf_program__attach_btf_id(), bpf_program__attach_perf_event_opts(), ...",
        when("attach", text=r"failed to (attach|create BPF link|enable perf_event)"),
    ),
)


def origin_of(evidence: Evidence) -> Origin:
    """Return who refused a step; `unknown` where no row fits."""
    row = next((row for row in ORIGINS if row.condition.holds(evidence)), None)
    return Origin.UNKNOWN if row is None else row.origin
