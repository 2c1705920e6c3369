"""The classes of refusals of a load: what the step is like, which function says it, and what to do about it.

A row fits by text of the kernel or of libbpf, or by an errno at a place (the call, the type of the program, ...) where
it has one meaning; what has several is no row, but a candidate (refusals.py). The first row that fits counts.
"""

from __future__ import annotations

from harness.model.evidence import Refusal, row, when

_LOAD, _CHOOSE = "load load-raw", "load load-raw set-attach-target"
_CHECK = "kernel/bpf/verifier.c bpf_check_attach_target()"
_TRACER = "tracing|ext|lsm"

LOADING: tuple[Refusal, ...] = (
    # --- open: what is asked of the object beside its opening
    row(
        "variable-mismatch",
        when("open", "EINVAL", api="rodata"),
        "harness/agent/openings.py set_variables()",
        "The object has no such variable, or the value does not fit its type. Correct the name (a member is `a.b`, an "
        "element `a[2]`) or the value.",
    ),
    row(
        "name-absent",
        when("open", "ENOENT", api=r"bpf_object__find_(program|map)_by_name"),
        "libbpf bpf_object__find_program_by_name(), bpf_object__find_map_by_name()",
        "The object has no program or map of this name: correct it.",
    ),
    # --- open: what libbpf does not read
    row(
        "legacy-maps",
        when("open", text=r"legacy map definitions in 'maps' section|bad map relo against '.*' in section 'maps"),
        "libbpf bpf_object__init_user_maps(), bpf_program__record_reloc()",
        "libbpf before 1.0, and Go's and Rust's loaders, take maps as `struct bpf_map_def` in a section `maps`; libbpf "
        "1.0 and later does not. Write `struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, N); __type(key, "
        'K); __type(value, V); } NAME SEC(".maps");` and compile with -g; or run the program\'s own loader with '
        "`bpfmatrix exec`.",
    ),
    row(
        "static-program",
        when("open", "EOPNOTSUPP", r"program '.*' is static and not supported"),
        "libbpf bpf_object__add_programs()",
        "A static function in a section of its own: libbpf takes that for a program, and none may be static. Other "
        "loaders take it for a function. Make it global, or leave out the section.",
    ),
    row(
        "extern-without-type",
        when("open", "ENOENT", r"failed to find BTF for extern"),
        "libbpf find_extern_btf_id()",
        "The object calls a function that is neither in it nor declared as the kernel's (__ksym): link what has it "
        "(bpftool gen object).",
    ),
    # --- load: the object and what it asks of this kernel
    row(
        "co-re-absent",
        when(_LOAD, text=r"failed to resolve CO-RE relocation|invalid func unknown#195896080\b"),
        "libbpf bpf_core_patch_insn(), which spoils the instruction",
        "This kernel's BTF has no such type, member or value (the log names it). Guard the access with "
        "bpf_core_field_exists() or bpf_core_type_exists(), and read it under the name that this kernel has.",
    ),
    row(
        "kernel-symbol-absent",
        when(
            _LOAD,
            text=r"extern \((var|func) ksym\) '\w+': not found|kfunc '.*' is referenced but wasn't resolved"
            r"|extern '(?!CONFIG_|LINUX_)\w+' \(strong\): not resolved",
        ),
        "libbpf bpf_object__resolve_externs()",
        "This kernel has no such symbol or kfunc (or it is in a module that is not loaded). Declare it __weak, and ask "
        "bpf_ksym_exists() before it is used.",
    ),
    row(
        "kconfig-absent",
        when(_LOAD, text=r"extern '(CONFIG|LINUX)_\w+' \(strong\): not resolved|failed to open system Kconfig"),
        "libbpf bpf_object__resolve_externs(), bpf_object__read_kconfig_file()",
        "This kernel's configuration has no such value, or is not there to be read (/boot/config-RELEASE, "
        "/proc/config.gz). Declare the extern __weak, and let 0 mean that it is not set.",
    ),
    row(
        "kernel-version-unknown",
        when(_LOAD, "EINVAL", r"'LINUX_KERNEL_VERSION': failed to get kernel version"),
        "libbpf get_kernel_version(), probe_debian_kernel_version()",
        "libbpf finds no version of three numbers in this kernel's release, or behind Debian in its version; the name "
        "of a release candidate has two. Ask for what the program needs, not for a version "
        "(bpf_core_field_exists(), ...).",
    ),
    row(
        "map-left-out",
        when(_LOAD, log=r"BPF map '(?!\.)\S+' is referenced but wasn't created"),
        "libbpf bpf_object__create_maps(), fixup_log_missing_map_load()",
        "The program uses a map that was left out of this load (bpf_map__set_autocreate()). Load it with that map.",
    ),
    row(
        "lsm-not-enabled",
        # libbpf has tried again without BTF; that is refused with EINVAL whatever the kernel has.
        when(
            _LOAD,
            "EINVAL EOPNOTSUPP",
            r"bpf_create_map_xattr\(.*\):Operation not supported|map '.*': failed to create: Operation not supported",
            map_type="inode_storage",
        ),
        "kernel/bpf/bpf_inode_storage.c inode_storage_map_alloc()",
        "The BPF LSM was not enabled at boot. Boot with bpf in the list of security modules (`cmdline: lsm=...,bpf`).",
    ),
    row(
        "map-type-unknown",
        when(_LOAD, "EINVAL", r"map '.*': failed to create", map_type_known="False"),
        "kernel/bpf/syscall.c map_create(), find_and_alloc_map(); libbpf_probe_bpf_map_type() has asked again",
        "This kernel does not know this type of map, or is built without it. Use another, or leave it out "
        "(bpf_map__set_autocreate()) where libbpf_probe_bpf_map_type() says no.",
    ),
    row(
        "map-without-size",
        when(_LOAD, "EINVAL", r"map '.*': failed to create", max_entries="0", map_type=r"(?!.*_storage).*"),
        "kernel/bpf/syscall.c map_create(), the type's map_alloc_check()",
        "The object leaves the map's number of entries to its loader. Say it (in a case or in check.yaml: "
        "`map-sizes: {MAP: ENTRIES}`).",
    ),
    row(
        "map-attributes",
        when(_LOAD, "EINVAL", r"map '.*': failed to create", map_type="(user_)?ringbuf|perf_event_array"),
        "kernel/bpf/ringbuf.c ringbuf_map_alloc(), kernel/bpf/arraymap.c fd_array_map_alloc_check()",
        "A ring buffer has neither keys nor values, and its bytes are a power of two and whole pages; keys and values "
        "of a perf event array have 4 bytes. Leave out `__type(value, ...)`, which cilium/ebpf passes over.",
    ),
    row(
        "pinned-map-differs",
        when(_LOAD, "EINVAL", r"couldn't reuse pinned map at .*: parameter mismatch"),
        "libbpf bpf_object__reuse_map(), map_is_reuse_compat()",
        "What is pinned there has another type, size or flags than the object's map. Remove the pin, or pin under "
        "another name.",
    ),
    row(
        "out-of-memory",
        when(_LOAD, "EPERM", r"try raising 'ulimit -l'|RLIMIT_MEMLOCK"),
        "kernel/bpf/syscall.c bpf_charge_memlock(), before 5.11; libbpf pr_perm_msg()",
        "The limit of locked memory is too low for this kernel, which counts BPF's memory against it: raise "
        "RLIMIT_MEMLOCK (ulimit -l unlimited) before the load.",
    ),
    row(
        "out-of-memory",
        when(_LOAD, "ENOMEM", r"map '.*': failed to create"),
        "kernel/bpf/syscall.c bpf_map_area_alloc()",
        "The map does not fit into the guest's memory. Give the guest more (`memory` of the kernel or of `defaults` in "
        "matrix.yaml), lower max_entries, or let a hash take its memory as it fills (BPF_F_NO_PREALLOC).",
    ),
    row(
        "map-too-large",
        when(_LOAD, "E2BIG", r"map '.*': failed to create", max_entries=r"\d{8,}"),
        "kernel/bpf/hashtab.c htab_map_alloc()",
        "The map has more entries than a kernel gives one of its type, however much memory there is. Lower max_entries "
        "(in a case or in check.yaml: `map-sizes: {MAP: ENTRIES}`).",
    ),
    row(
        "map-too-large",
        when(_LOAD, "E2BIG", r"map '.*': failed to create", bytes=r"4[3-9]\d{8}|[5-9]\d{9}|\d{11,}"),
        "kernel/bpf/syscall.c bpf_map_charge_init(), before 5.11",
        "This kernel gives no map 4 GiB or more, however much memory there is. Lower max_entries (in a case or in "
        "check.yaml: `map-sizes: {MAP: ENTRIES}`).",
    ),
    row(
        "map-too-large",
        when(_LOAD, "E2BIG", r"map '.*': failed to create", value_size=r"4[2-9]\d{5}|[5-9]\d{6}|\d{8,}"),
        "kernel/bpf/arraymap.c array_map_alloc_check(), hashtab.c htab_map_alloc_check()",
        "A value of the map is larger than this kernel takes for its type (about 4 MiB in a hash). Make it smaller, "
        "and give the map more entries.",
    ),
    row(
        "section-unknown",
        when("load", "EINVAL", r"missing BPF prog type, check ELF section name"),
        "libbpf bpf_object_load_prog()",
        'This libbpf knows no type of program for this section. Correct its name (SEC("...")). `bpfmatrix check` takes '
        "what is before a slash where libbpf knows that.",
    ),
    row(
        "no-attach-target",
        when("load", "EINVAL", r"no BTF-based attach target is specified|attach program FD is not set"),
        "libbpf libbpf_prepare_prog_load()",
        'Nobody has said what this program traces. Say it in its section (SEC("fentry/FUNCTION")), or in the case '
        "(`attach: [{program: ..., target: ...}]` of the tracer, `tracing` of a load step; `attach-to: {PROGRAM: "
        "FUNCTION}`, which check.yaml has, too).",
    ),
    row(
        "program-type-unknown",
        when(_LOAD, "EINVAL", type_known="False"),
        "kernel/bpf/syscall.c find_prog_type(); libbpf_probe_bpf_prog_type() has asked again",
        "This kernel does not know this type of program, or is built without it.",
    ),
    row(
        "attach-type-unknown",
        when("load load-raw attach", "EINVAL", attach_type_known="False"),
        "kernel/bpf/syscall.c bpf_prog_load_check_attach(), link_create(); enum bpf_attach_type of this kernel's BTF",
        "This kernel is older than this attach type (its enum bpf_attach_type has no such member).",
    ),
    # --- load: the verifier
    row(
        "target-not-jited",
        when(_LOAD, "EINVAL", r"Can (attach to|trace) only JITed"),
        _CHECK,
        "Turn the JIT on before the target is loaded (net.core.bpf_jit_enable=1), or use a kernel that has one.",
    ),
    row(
        "extension-not-jited",
        when(_LOAD, "EINVAL", r"Extension programs should be JITed"),
        _CHECK,
        "Turn the JIT on (net.core.bpf_jit_enable=1), or use a kernel that has one: an interpreter cannot replace.",
    ),
    row(
        "target-without-btf",
        when(
            _CHOOSE,
            "EINVAL",
            r"can only be attached to another program annotated with BTF|target program doesn't have BTF",
        ),
        _CHECK + "; libbpf libbpf_find_prog_btf_id()",
        "Compile the target with -g, so that it has BTF with function information.",
    ),
    row(
        "recursion-rule",
        when(
            _LOAD,
            "EINVAL",
            r"Cannot recursively attach|Cannot nest tracing program attach more than once|Cannot extend fentry/fexit",
        ),
        _CHECK,
        "Tracing programs may trace each other one level deep from 6.8 on, not at all before.",
    ),
    row(
        "function-missing",
        when(
            _CHOOSE,
            "EINVAL ENOENT",
            r"Subprog .* doesn't exist|is not found in prog's BTF|address of function .* cannot be found",
        ),
        _CHECK + "; libbpf libbpf_find_prog_btf_id()",
        "Name a function that the target really has (bpftool prog dump, or its BTF).",
    ),
    row(
        "static-function",
        when(_LOAD, "EINVAL", r"Cannot replace static functions|\w+\(\) is not a global function"),
        _CHECK + ", kernel/bpf/btf.c btf_check_func_type_match()",
        "Make the function global (not static).",
    ),
    row(
        "prototype-mismatch",
        when(
            _LOAD + " attach",
            "EINVAL",
            r"\w+\(\) has \d+ args while|return type .* of \w+\(\) doesn't match|arg\d+ in \w+\(\) is .* while",
        ),
        "kernel/bpf/btf.c btf_check_func_type_match()",
        "Give the replacement exactly the prototype of the function.",
    ),
    row(
        "argument-layout",
        when(_LOAD, "EACCES", r"doesn't have \d+-th argument|invalid bpf_context access off=\d+ size=\d+"),
        "kernel/bpf/btf.c btf_ctx_access()",
        "Read only the arguments that the target's main function has: one where its context type is known, else five.",
    ),
    row(
        "context-not-known",
        when(_LOAD, "EACCES", r"R\d+ invalid mem access '(inv|scalar)'"),
        "kernel/bpf/verifier.c check_mem_access()",
        "The argument is a bare number here. Give the target the program type's own context type "
        "(bpf_user_pt_regs_t for kprobes), or read through bpf_probe_read_kernel().",
    ),
    row(
        "not-sleepable",
        when(_LOAD, "EINVAL", r"is not sleepable|programs can be sleepable|cannot be sleepable"),
        _CHECK,
        "Use a tracer that does not sleep.",
    ),
    row(
        "fmod-ret",
        when(_LOAD, "EINVAL", r"can't modify return codes of BPF programs|is not modifiable"),
        _CHECK,
        "fmod_ret is for kernel functions that allow it.",
    ),
    row(
        "attach-type",
        when(_LOAD, "EINVAL", r"Only FENTRY/FEXIT.* progs are attachable to another BPF prog"),
        _CHECK,
        "Use fentry or fexit on a BPF program.",
    ),
    row(
        "helper-missing",
        when(_LOAD, "EINVAL", r"invalid func unknown#\d+"),
        "kernel/bpf/verifier.c check_helper_call()",
        "The helper is younger than this kernel, which does not know its number.",
    ),
    row(
        "helper-missing",
        when(_LOAD, "EINVAL", r"unknown func \w+#\d+|program of this type cannot use helper"),
        "kernel/bpf/verifier.c check_helper_call(), the program type's get_func_proto()",
        "This kernel has the helper, but not for this type of program (or for none, while it is locked down or where "
        "CAP_PERFMON is missing).",
    ),
    row(
        "instruction-unknown",
        when(
            _LOAD,
            "EINVAL",
            r"unknown opcode [0-9a-f]{2}|(?m:^)BPF_(ALU|ALU64|LD|LDX|ST|STX|XADD|ATOMIC|JMP|JMP32|JA|END)\b"
            r".* uses reserved field",
        ),
        "kernel/bpf/verifier.c do_check(), resolve_pseudo_ldimm64()",
        "The compiler has used an instruction that is younger than this kernel (an atomic operation whose result is "
        "used: 5.12; cpu v4: 6.6). Compile for an older instruction set (clang -mcpu=v2 or v3), or write it otherwise.",
    ),
    row(
        "program-too-large",
        when(
            _LOAD,
            text=r"BPF program is too large\. Processed|The sequence of \d+ jumps is too complex"
            r"|the call stack of \d+ frames is too deep|combined stack size of \d+ calls is \d+\. Too large"
            r"|too many subprograms|loop is too complex",
        ),
        "kernel/bpf/verifier.c do_check(), push_stack(), check_max_stack_depth()",
        "The verifier gives up: too many instructions to look at, branches to remember, or bytes of stack. Split the "
        "program (global functions are verified by themselves, tail calls), bound its loops, or use bpf_loop().",
    ),
    row(
        "packet-data",
        when(_LOAD, "EINVAL", r"Extension program changes packet data, while original does not"),
        _CHECK,
        "A tail call counts as a change of packet data; let the replaced function do one, too.",
    ),
    row(
        "tail-call-in-subprogram",
        when(
            _LOAD,
            "EINVAL",
            r"tail_calls are not allowed in .*programs with bpf-to-bpf|mixing of tail_calls and bpf-to-bpf",
        ),
        "kernel/bpf/verifier.c check_map_func_compatibility()",
        "This JIT has no tail calls in subprograms.",
    ),
    row(
        "return-value",
        when(_LOAD, "EINVAL", r"At program exit the register R0"),
        "kernel/bpf/verifier.c check_return_code()",
        "Return a value from the range that the program type allows.",
    ),
    # --- load: the kernel's own BTF, its JIT, permissions
    row(
        "kernel-without-btf",
        when(_CHOOSE, "ESRCH", r"kernel BTF is missing"),
        "libbpf bpf_object__load_vmlinux_btf()",
        "Use a kernel with CONFIG_DEBUG_INFO_BTF, or give libbpf an external BTF file.",
    ),
    row(
        "kernel-without-btf",
        when(_LOAD, "EINVAL EACCES", r"btf_vmlinux is malformed[\s\S]*R1 type=\w+ expected="),
        "kernel/bpf/btf.c btf_get_prog_ctx_type()",
        "Without CONFIG_DEBUG_INFO_BTF the verifier does not know a context argument of a global function: make the "
        "function static.",
    ),
    row(
        "kernel-function-unknown",
        when(_LOAD, "ESRCH ENOENT", r"failed to find kernel BTF type ID|is not found in kernel BTF"),
        "libbpf libbpf_find_attach_btf_id(), find_struct_ops_kern_types()",
        "This kernel has no such function (or type) in its BTF, or in that of a module that is not loaded; those of "
        "modules are there from 5.11 on. Where a loader chooses another: say which in the case or check.yaml "
        "(`attach-to`).",
    ),
    row(
        "jit-not-built",
        when(_LOAD, "ENOMEM", log=r"\A\s*processed 0 insns.*\Z", type=_TRACER),
        "kernel/bpf/verifier.c check_attach_btf_id(), bpf_trampoline_get() without CONFIG_BPF_JIT",
        "A kernel without CONFIG_BPF_JIT has no trampolines, and says that it has no memory for one.",
    ),
    row(
        "no-permission",
        # Where the verifier names a register, it is about what the program does.
        when(_LOAD + " attach", "EPERM", log=r"\A(?![\s\S]*\bR\d+ )"),
        "kernel/bpf/syscall.c bpf_prog_load(), kernel/events/core.c; security modules, lockdown",
        "CAP_BPF and CAP_PERFMON are needed, and lockdown or a security policy may forbid it all the same.",
    ),
)
