"""The classes of refusals of an attachment, or of filling a program array; see refusals_loading.py."""

from __future__ import annotations

from harness.model.evidence import Refusal, row, when

_TRACER, _PROBE = "tracing|ext|lsm", "trace_kprobe_(multi|session)"
BY_PROGRAMS: tuple[Refusal, ...] = (
    row(
        "refused-by-program",
        when("attach attach-map", text=r"a program that was attached", refused_by=r".+"),
        "security/bpf/hooks.c, kernel/bpf/trampoline.c, kernel/bpf/cgroup.c: what BPF programs refuse",
        "Another program of the case was attached, and refused this; once it was detached, this was attached. The "
        "kernel takes both: attach the one that refuses last, or let it spare whoever attaches the others.",
    ),
)
"""What comes before all other classes: the agent has tried it."""
ATTACHING: tuple[Refusal, ...] = (
    # --- attach
    row(
        "attached-before",
        when("attach", "EINVAL ENOENT", type=_TRACER, attached=r"[1-9]\d*"),
        "kernel/bpf/syscall.c bpf_tracing_prog_attach(): no target is left",
        "A tracer of a BPF program forgets its target when it is attached: load it again for another attachment.",
    ),
    row(
        "link-create-unsupported",
        when("attach", "EINVAL", api="BPF_LINK_CREATE", type="tracing|lsm", attached="0", attach_type_known="True"),
        "kernel/bpf/syscall.c link_create(), attach_type_to_prog_type()",
        "This kernel's BPF_LINK_CREATE takes no tracing programs (5.19 and later do). Attach by "
        "BPF_RAW_TRACEPOINT_OPEN, as bpf_program__attach() does by itself.",
    ),
    row(
        "no-trampoline",
        when("attach", "ENOTSUPP", type=_TRACER),
        "kernel/bpf/trampoline.c arch_prepare_bpf_trampoline() (weak), register_fentry()",
        "This architecture has no BPF trampolines in this kernel, or no ftrace direct calls for kernel functions.",
    ),
    row(
        "not-supported",
        when("attach", "EOPNOTSUPP", r"failed to attach: ", attach_type=_PROBE),
        "kernel/trace/bpf_trace.c bpf_kprobe_multi_link_attach() without CONFIG_FPROBE",
        "This kernel is built without CONFIG_FPROBE, which links of many kprobes need. Use single kprobes.",
    ),
    row(
        "not-supported",
        when("attach", "EOPNOTSUPP", r"failed to attach: ", type=_TRACER),
        "arch/*/net/bpf_jit_comp.c bpf_arch_text_poke()",
        "This architecture cannot change the code of a running program in this kernel.",
    ),
    row(
        "not-supported",
        when("attach", "EOPNOTSUPP", api="rtnetlink", section=r"netkit/\w+"),
        "net/core/rtnetlink.c __rtnl_newlink(): no such kind of device",
        "This kernel has no netkit devices (drivers/net/netkit.c, Linux 6.7). Attach to a veth pair by tc.",
    ),
    row(
        "not-traceable",
        when("attach", "EBUSY EINVAL", r"failed to (attach|create k)", traceable="False"),
        "kernel/bpf/trampoline.c register_fentry(), kernel/trace/trace_kprobe.c within_notrace_func()",
        "This kernel has the function, but the compiler left no place in it to attach to (tracefs does not list it "
        "among available_filter_functions): it is declared inline, even if it was not inlined, or notrace. Attach to "
        "what calls it, or to a tracepoint.",
    ),
    row(
        "busy",
        when("attach", "EBUSY", r"failed to attach", type=_TRACER),
        "kernel/bpf/trampoline.c __bpf_trampoline_link_prog()",
        "A freplace and tracers exclude each other on one function, and so do a freplace and a program array that "
        "holds its target; detach the other first. On a kernel function another user of ftrace is in the way.",
    ),
    row(
        "busy",
        when("tail-call", "EBUSY", api="bpf_map_update_elem"),
        "kernel/bpf/arraymap.c prog_fd_array_get_ptr()",
        "A program that a freplace extends cannot be put into a program array; detach the freplace first.",
    ),
    row(
        "link-limit",
        when("attach", "E2BIG", r"failed to attach", type=_TRACER),
        "kernel/bpf/trampoline.c __bpf_trampoline_link_prog(), BPF_MAX_TRAMP_LINKS",
        "No more tracers fit on this function.",
    ),
    row(
        "kprobe-refused",
        when("attach", "EINVAL", r"failed to create k(ret)?probe"),
        "kernel/kprobes.c check_kprobe_address_safe()",
        "No kprobe can be put on this instruction (on the first one, where it is ftrace's and there are no kprobes on "
        "ftrace).",
    ),
    row(
        "attach-point-absent",
        when("attach", text=r"failed to determine tracepoint .* perf event ID: No such file"),
        "libbpf determine_tracepoint_id(): /sys/kernel/tracing/events",
        "This kernel has no such tracepoint: it has another name here, is not for this architecture, or is in a module "
        "that is not loaded.",
    ),
    row(
        "attach-point-absent",
        when("attach", "ENOENT", r"failed to (create|add legacy) k(ret)?probe "),
        "kernel/trace/trace_kprobe.c, kernel/kprobes.c: no such symbol",
        "This kernel has no function of this name that a kprobe can be put on: it has another name here (see "
        '/proc/kallsyms; for system calls use SEC("ksyscall/NAME")), was inlined, or is in a module that is not '
        "loaded. Where the section names none, and a loader chooses: say which in the case or check.yaml "
        "(`attach-to`).",
    ),
    row(
        "attach-point-absent",
        when("attach", "ENOENT", r"failed to attach to raw tracepoint "),
        "kernel/trace/bpf_trace.c bpf_get_raw_tracepoint()",
        "This kernel has no such tracepoint, or it is in a module that is not loaded. Where a loader chooses another: "
        "say which in the case or check.yaml (`attach-to`).",
    ),
    row(
        "attach-point-absent",
        when("attach", "ESRCH", r"failed to attach: ", attach_type=_PROBE),
        "kernel/trace/ftrace.c ftrace_lookup_symbols()",
        "This kernel has no function of this name that ftrace can trace (see available_filter_functions of tracefs).",
    ),
    row(
        "attach-point-absent",
        when("attach", "ENOENT", silent=True, section=r"k(ret)?probe\.(multi|session)/.*"),
        "libbpf libbpf_available_kprobes_parse(), libbpf_available_kallsyms_parse()",
        "No function of this kernel that ftrace can trace matches the pattern (see available_filter_functions of "
        "tracefs).",
    ),
    row(
        "attach-point-absent",
        when(
            "attach",
            text=r"elf: failed to (find symbol|open )|failed to resolve full path for|usdt: (no|invalid) USDT notes",
        ),
        "libbpf elf_find_func_offset(), resolve_full_path(), collect_usdt_targets()",
        "The guest's program or library has no such symbol or probe, or is not there. No kernel has to do with it.",
    ),
    row(
        "attach-point-absent",
        when("attach", "ENOENT", r"Kernel error message: Specified qdisc kind is unknown", api="bpf_tc_hook_create"),
        "net/sched/sch_api.c qdisc_create()",
        "This kernel has no such queueing discipline (clsact), or its module is not loaded: name it in the case "
        "(`modules: [sch_ingress]`).",
    ),
    row(
        "program-array-mismatch",
        when("tail-call", "EINVAL", api="bpf_map_update_elem"),
        "kernel/bpf/core.c bpf_prog_map_compatible()",
        "All programs of an array must agree in type, JIT, attach type and traced prototype.",
    ),
    # --- attach: what neither libbpf nor bpfmatrix attaches
    row(
        "no-attach-target",
        when("attach", "EOPNOTSUPP", silent=True, api="bpf_program__attach", section=r"(u(ret)?probe|usdt)[\w.]*"),
        "libbpf attach_uprobe(), attach_usdt(): nothing behind the section's name",
        'Nobody has said in which binary the function is. Say it in the section (SEC("uprobe/BINARY:FUNCTION"), '
        'SEC("usdt/BINARY:PROVIDER:NAME")), or in the case or check.yaml (`attach-to: {PROGRAM: BINARY:FUNCTION}`).',
    ),
    row(
        "no-attach-target",
        when(
            "attach",
            "EOPNOTSUPP",
            silent=True,
            api="bpf_program__attach",
            section=r"[\w.]+",
            type="kprobe|tracepoint|raw_tracepoint(_writable)?",
        ),
        "libbpf attach_kprobe(), attach_uprobe(), attach_tp(), ...: nothing behind the section's name",
        'Nobody has said where this program goes. Say it in its section (SEC("kprobe/FUNCTION")), or in the case or '
        "check.yaml (`attach-to: {PROGRAM: FUNCTION}`).",
    ),
    row(
        "no-attach-target",
        when("attach", "EINVAL", r"section 'u(ret)?probe\S*' missing ':function\[\+offset\]' specification"),
        "libbpf attach_uprobe()",
        'Nobody has said in which binary the function is. Say it in the section (SEC("uprobe/BINARY:FUNCTION")), or '
        "in the case or check.yaml (`attach-to: {PROGRAM: BINARY:FUNCTION}`).",
    ),
    row(
        "not-attachable-here",
        when("attach", "EOPNOTSUPP", silent=True, api="bpf_program__attach", type="struct_ops"),
        "libbpf bpf_program__attach(): no function that attaches it",
        "Programs of struct_ops are attached with their map, all at once (bpf_map__attach_struct_ops()), "
        "as `bpfmatrix check` does.",
    ),
    row(
        "not-attachable-here",
        when("attach", "EOPNOTSUPP", silent=True, api="bpf_program__attach"),
        "libbpf bpf_program__attach(): no function that attaches it",
        "libbpf does not attach programs of this section by itself, and neither does bpfmatrix.",
    ),
)
