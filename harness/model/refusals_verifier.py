"""The classes of what the verifier refuses in a program's own instructions: what it says, and what to do about it.

Which function is traced, attached or replaced is in refusals_loading.py, whose rows come first.
"""

from __future__ import annotations

from harness.model.evidence import Refusal, row, when

_LOAD = "load load-raw"
_NO_TRACER = "(?!tracing|ext|lsm).*"

BEFORE: tuple[Refusal, ...] = (
    row(
        "context-access",
        when(_LOAD, "EACCES", log=r"invalid bpf_context access off=\d+ size=\d+", type=_NO_TRACER),
        "kernel/bpf/verifier.c check_ctx_access(), the program type's is_valid_access()",
        "The context of this type of program has no such member here, not of this size, or not to be written. Look it "
        "up in include/uapi/linux/bpf.h of this kernel.",
    ),
    row(
        "not-a-pointer",
        when(_LOAD, "EACCES", log=r"R\d+ invalid mem access '(inv|scalar)'", type=_NO_TRACER),
        "kernel/bpf/verifier.c check_mem_access()",
        "A bare number is used as an address, or a pointer of which the verifier knows no more what it points to. Keep "
        "the pointer as the helper gave it, or read through bpf_probe_read_kernel().",
    ),
)
"""Rows that come before those of tracers with the same text."""

VERIFIER: tuple[Refusal, ...] = (
    row(
        "null-unchecked",
        when(
            _LOAD,
            "EACCES EINVAL",
            log=r"R\d+ invalid mem access '\w*_or_null\w*'|R\d+ type=\w*_or_null\w* expected="
            r"|Possibly NULL pointer passed|R\d+ pointer arithmetic on \w*_or_null\w* prohibited",
        ),
        "kernel/bpf/verifier.c check_mem_access(), check_reg_type()",
        "What may be NULL is used before it is compared with NULL. Ask for it (`if (!value) return 0;`), on the way on "
        "which it is used.",
    ),
    row(
        "uninitialized",
        when(
            _LOAD,
            "EACCES",
            log=r"R\d+ !read_ok|invalid (indirect )?(read from|access to) stack( R\d+)? off \S+\+\d+ size",
        ),
        "kernel/bpf/verifier.c check_reg_arg(), check_stack_range_initialized()",
        "A variable is read that has not been written on every way there; of a structure on the stack that counts for "
        "its padding, too. Initialize it (`= {}`, or memset()).",
    ),
    row(
        "bounds-unchecked",
        when(
            _LOAD,
            "EACCES EINVAL",
            log=r"unbounded memory access|(min|max) value is (negative|outside)|offset is outside of"
            r"|invalid access to (map value|packet|memory|mem)|access beyond (struct|the end)|invalid zero-sized read"
            r"|with unbounded min value|invalid (variable-offset )?(read|write|access)[^\n]* stack|invalid stack off=",
        ),
        "kernel/bpf/verifier.c check_mem_region_access(), check_packet_access(), check_stack_access_within_bounds()",
        "The verifier cannot know that the access is within the map's value, packet, structure or stack (512 bytes). "
        "Compare offset and length, without sign, with the limits before it, and use the value that was compared.",
    ),
    row(
        "endless-loop",
        when(_LOAD, "EINVAL", log=r"infinite loop detected|back-edge from insn"),
        "kernel/bpf/verifier.c is_state_visited(), check_cfg()",
        "A loop whose end the verifier does not see, or any loop where they are not allowed (before 5.3, or without "
        "CAP_BPF). Count up to a constant, or use bpf_loop() (5.17).",
    ),
    row(
        "unreachable-code",
        when(_LOAD, "EINVAL", log=r"unreachable insn|jump out of range|last insn is not an exit or jmp"),
        "kernel/bpf/verifier.c check_cfg(), check_subprogs()",
        "There are instructions that are never reached, or the function has no end: as a rule what the compiler makes "
        "of undefined behaviour (a variable that was never written, a function without return).",
    ),
    row(
        "misaligned",
        when(_LOAD, "EACCES", log=r"misaligned \S+ access off"),
        "kernel/bpf/verifier.c check_ptr_alignment()",
        "The address is no multiple of the size that is read or written there. Align the member, or copy it bytewise.",
    ),
    row(
        "reference-leak",
        when(_LOAD, "EINVAL", log=r"Unreleased reference|would lead to reference leak"),
        "kernel/bpf/verifier.c check_reference_leak()",
        "What a helper gave (a record of a ring buffer, a socket, a task) is not given back on every way: "
        "bpf_ringbuf_submit() or _discard(), bpf_sk_release(), bpf_task_release().",
    ),
    row(
        "lock-held",
        when(
            _LOAD,
            "EINVAL",
            log=r"bpf_(spin|rcu_read)_unlock is missing|inside bpf_(spin|rcu_read)_lock-ed region|while holding a lock",
        ),
        "kernel/bpf/verifier.c do_check(), process_spin_lock()",
        "A lock must be given back before the program ends, calls another function, or takes another one.",
    ),
    row(
        "map-without-btf",
        when(_LOAD, "EACCES EINVAL", log=r"map '.*' (has to have BTF in order to use|has no valid) bpf_\w+"),
        "kernel/bpf/verifier.c process_spin_lock(), process_timer_func()",
        "The kernel does not know where in the map's values the lock (or timer) is: their type must be in the map's "
        "definition (`__type(value, ...)`), and the object's BTF be one that this kernel takes.",
    ),
    row(
        "license",
        when(_LOAD, "EINVAL", log=r"from non-GPL compatible program"),
        "kernel/bpf/verifier.c check_helper_call()",
        "The function is for programs under the GPL alone. Say so, if it is true "
        '(`char LICENSE[] SEC("license") = "GPL";`; "Dual MIT/GPL" does as well).',
    ),
    row(
        "kernel-function-arguments",
        when(
            "load load-raw",
            "EINVAL",
            r"extern \(func ksym\) '\w+': func_proto \[\d+\] incompatible with"
            r"|kernel function \w+ (args#\d+|function) |arg#\d+ (pointer type|expected|is expected)[^\n]*"
            r"|R\d+ must be (a rcu pointer|referenced|scalar)",
        ),
        "libbpf bpf_object__resolve_ksym_func_btf_id(); kernel/bpf/verifier.c check_kfunc_args()",
        "The kernel's function takes other arguments here than the object declares or gives: its prototype differs "
        "between kernels. Look it up in this kernel's BTF, and declare a variant for each (`___v2`).",
    ),
    row(
        "kernel-function-not-allowed",
        when(
            _LOAD,
            "EACCES EINVAL",
            log=r"calling (invalid )?kernel function \S+ (is )?not allowed|calling invalid kernel function",
        ),
        "kernel/bpf/verifier.c fetch_kfunc_meta(), the registrations of btf_kfunc_id_set",
        "This kernel has the function, but not for programs of this type (or not any more for programs at all).",
    ),
    row(
        "argument-type",
        when(_LOAD, "EACCES", log=r"R\d+ type=\S+ expected=\S+"),
        "kernel/bpf/verifier.c check_reg_type()",
        "The helper wants another kind of pointer for this argument: see its description in include/uapi/linux/bpf.h.",
    ),
    row(
        "map-of-another-kind",
        when(
            _LOAD,
            "EINVAL",
            log=r"cannot pass map_type \d+ into func|expected prog array map for tail call"
            r"|call bpf_tail_call#12\nkernel subsystem misconfigured verifier",
        ),
        "kernel/bpf/verifier.c check_map_func_compatibility()",
        "The helper does not work with maps of this type on this kernel.",
    ),
    row(
        "pointer-arithmetic",
        when(
            _LOAD,
            "EACCES",
            log=r"R\d+ (32-bit )?pointer arithmetic |pointer comparison prohibited|dereference of modified \S+ ptr"
            r"|variable \S+ access var_off",
        ),
        "kernel/bpf/verifier.c adjust_ptr_min_max_vals(), check_ptr_off_reg()",
        "With this kind of pointer nothing may be computed, or nothing but additions of what is known. Compute the "
        "offset first, and keep the pointer as it was given.",
    ),
    row(
        "read-only",
        when(
            _LOAD,
            "EACCES",
            log=r"write into map forbidden|cannot write into|only read is supported|the field cannot be written",
        ),
        "kernel/bpf/verifier.c check_map_access_type(), check_ptr_to_btf_access()",
        "This memory is only read: a constant (`.rodata`, a map with BPF_F_RDONLY_PROG), a structure of the kernel's, "
        "or what a helper has given for reading.",
    ),
)
"""Rows that come after all others of a load."""
