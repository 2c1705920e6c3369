"""What a refusal means: one table from (stage, errno, words of the log) to a class, its place, and advice.

A refusal that no row explains is `unclassified`, and shown as such; nothing is inferred from a version.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace

from harness.model import Outcome, OutcomeKind, Stage

UNCLASSIFIED = "unclassified"
_LOAD = frozenset({Stage.LOAD_TARGET, Stage.LOAD_TRACER})
_ATTACH = frozenset({Stage.ATTACH_TARGET, Stage.ATTACH_TRACER})


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One row. `words` is searched in the whole of the verifier's log and libbpf's messages; "" fits any.

    `place` is the function of the kernel (or of libbpf) that says it.
    """

    name: str
    stages: frozenset[Stage]
    errnos: tuple[str, ...]
    words: str
    place: str
    advice: str


def _row(  # noqa: PLR0917  (a row of a table)
    name: str, stages: frozenset[Stage], errnos: str, words: str, place: str, advice: str
) -> Refusal:
    return Refusal(name=name, stages=stages, errnos=tuple(errnos.split()), words=words, place=place, advice=advice)


TABLE: tuple[Refusal, ...] = (
    _row(
        "target-not-jited",
        _LOAD,
        "EINVAL",
        r"Can (attach to|trace) only JITed",
        "kernel/bpf/verifier.c bpf_check_attach_target()",
        "Turn the JIT on before the target is loaded (net.core.bpf_jit_enable=1), or use a kernel that has one.",
    ),
    _row(
        "extension-not-jited",
        _LOAD,
        "EINVAL",
        r"Extension programs should be JITed",
        "kernel/bpf/verifier.c bpf_check_attach_target()",
        "Turn the JIT on (net.core.bpf_jit_enable=1), or use a kernel that has one: an interpreter cannot replace.",
    ),
    _row(
        "target-without-btf",
        _LOAD,
        "EINVAL",
        r"can only be attached to another program annotated with BTF|target program doesn't have BTF",
        "kernel/bpf/verifier.c bpf_check_attach_target(); libbpf set_attach_target",
        "Compile the target with -g, so that it has BTF with function information.",
    ),
    _row(
        "recursion-rule",
        _LOAD,
        "EINVAL",
        r"Cannot recursively attach|Cannot nest tracing program attach more than once|Cannot extend fentry/fexit",
        "kernel/bpf/verifier.c bpf_check_attach_target()",
        "Tracing programs may trace each other one level deep from 6.8 on, not at all before.",
    ),
    _row(
        "function-missing",
        _LOAD,
        "EINVAL ENOENT",
        r"Subprog .* doesn't exist|is not found in prog's BTF|address of function .* cannot be found",
        "kernel/bpf/verifier.c bpf_check_attach_target(); libbpf libbpf_find_prog_btf_id()",
        "Name a function that the target really has (bpftool prog dump, or its BTF).",
    ),
    _row(
        "static-function",
        _LOAD,
        "EINVAL",
        r"Cannot replace static functions|\w+\(\) is not a global function",
        "kernel/bpf/verifier.c bpf_check_attach_target(), kernel/bpf/btf.c btf_check_func_type_match()",
        "Make the function global (not static).",
    ),
    _row(
        "prototype-mismatch",
        _LOAD | _ATTACH,
        "EINVAL",
        r"\w+\(\) has \d+ args while|return type .* of \w+\(\) doesn't match|arg\d+ in \w+\(\) is .* while",
        "kernel/bpf/btf.c btf_check_func_type_match()",
        "Give the replacement exactly the prototype of the function.",
    ),
    _row(
        "argument-layout",
        _LOAD,
        "EACCES",
        r"doesn't have \d+-th argument|invalid bpf_context access off=\d+ size=\d+",
        "kernel/bpf/btf.c btf_ctx_access()",
        "Read only the arguments that the target's main function has: one where its context type is known, else five.",
    ),
    _row(
        "context-not-known",
        _LOAD,
        "EACCES",
        r"R\d+ invalid mem access '(inv|scalar)'",
        "kernel/bpf/verifier.c check_mem_access()",
        "The argument is a bare number here. Give the target the program type's own context type "
        "(bpf_user_pt_regs_t for kprobes), or read through bpf_probe_read_kernel().",
    ),
    _row(
        "not-sleepable",
        _LOAD,
        "EINVAL",
        r"is not sleepable|programs can be sleepable|cannot be sleepable",
        "kernel/bpf/verifier.c bpf_check_attach_target()",
        "Use a tracer that does not sleep.",
    ),
    _row(
        "fmod-ret",
        _LOAD,
        "EINVAL",
        r"can't modify return codes of BPF programs|is not modifiable",
        "kernel/bpf/verifier.c bpf_check_attach_target()",
        "fmod_ret is for kernel functions that allow it.",
    ),
    _row(
        "attach-type",
        _LOAD,
        "EINVAL",
        r"Only FENTRY/FEXIT.* progs are attachable to another BPF prog",
        "kernel/bpf/verifier.c bpf_check_attach_target()",
        "Use fentry or fexit on a BPF program.",
    ),
    _row(
        "helper-missing",
        _LOAD,
        "EINVAL",
        r"invalid func unknown#\d+|unknown func \w+#\d+|program of this type cannot use helper",
        "kernel/bpf/verifier.c check_helper_call()",
        "The helper is younger than this kernel, not for this program type, or locked down.",
    ),
    _row(
        "packet-data",
        _LOAD,
        "EINVAL",
        r"Extension program changes packet data, while original does not",
        "kernel/bpf/verifier.c bpf_check_attach_target()",
        "A tail call counts as a change of packet data; let the replaced function do one, too.",
    ),
    _row(
        "tail-call-in-subprogram",
        _LOAD,
        "EINVAL",
        r"tail_calls are not allowed in .*programs with bpf-to-bpf|mixing of tail_calls and bpf-to-bpf",
        "kernel/bpf/verifier.c check_map_func_compatibility()",
        "This JIT has no tail calls in subprograms.",
    ),
    _row(
        "return-value",
        _LOAD,
        "EINVAL",
        r"At program exit the register R0",
        "kernel/bpf/verifier.c check_return_code()",
        "Return a value from the range that the program type allows.",
    ),
    _row(
        "kernel-without-btf",
        _LOAD,
        "ESRCH",
        r"kernel BTF is missing",
        "libbpf bpf_object__load_vmlinux_btf()",
        "Use a kernel with CONFIG_DEBUG_INFO_BTF, or give libbpf an external BTF file.",
    ),
    _row(
        "kernel-without-btf",
        _LOAD,
        "EINVAL EACCES",
        r"btf_vmlinux is malformed[\s\S]*R1 type=\w+ expected=",
        "kernel/bpf/btf.c btf_get_prog_ctx_type()",
        "Without CONFIG_DEBUG_INFO_BTF the verifier does not know a context argument of a global function: make the "
        "function static.",
    ),
    _row(
        "kernel-function-unknown",
        _LOAD,
        "ESRCH ENOENT",
        r"failed to find kernel BTF type ID|is not found in kernel BTF",
        "libbpf libbpf_find_attach_btf_id(), find_struct_ops_kern_types()",
        "This kernel has no such function (or type) in its BTF.",
    ),
    _row(
        "jit-not-built",
        _LOAD,
        "ENOMEM",
        r"\A\s*processed 0 insns.*\Z",
        "kernel/bpf/verifier.c check_attach_btf_id(), bpf_trampoline_get() without CONFIG_BPF_JIT",
        "A kernel without CONFIG_BPF_JIT has no trampolines, and says that it has no memory for one.",
    ),
    _row(
        "no-trampoline",
        _ATTACH,
        "ENOTSUPP",
        "",
        "kernel/bpf/trampoline.c arch_prepare_bpf_trampoline() (weak), register_fentry()",
        "This architecture has no BPF trampolines in this kernel, or no ftrace direct calls for kernel functions.",
    ),
    _row(
        "not-supported",
        _ATTACH,
        "EOPNOTSUPP",
        "",
        "arch/powerpc bpf_arch_text_poke(); kernel/trace/bpf_trace.c bpf_kprobe_multi_link_attach() without FPROBE",
        "This kernel is built without what the attachment needs.",
    ),
    _row(
        "busy",
        _ATTACH,
        "EBUSY",
        "",
        "kernel/bpf/trampoline.c __bpf_trampoline_link_prog(); kernel/bpf/arraymap.c prog_fd_array_get_ptr()",
        "A freplace and tracers (or a program array) exclude each other on one function; detach the other first.",
    ),
    _row(
        "link-limit",
        _ATTACH,
        "E2BIG",
        "",
        "kernel/bpf/trampoline.c __bpf_trampoline_link_prog(), BPF_MAX_TRAMP_LINKS",
        "No more tracers fit on this function.",
    ),
    _row(
        "kprobe-refused",
        _ATTACH,
        "EINVAL",
        r"failed to create kprobe",
        "kernel/kprobes.c check_kprobe_address_safe()",
        "No kprobe can be put on this instruction (on the first one, where it is ftrace's and there are no kprobes on "
        "ftrace).",
    ),
    _row(
        "program-array-mismatch",
        _ATTACH,
        "EINVAL",
        r"tail-call \S+: EINVAL",
        "kernel/bpf/core.c bpf_prog_map_compatible()",
        "All programs of an array must agree in type, JIT, attach type and traced prototype.",
    ),
    _row(
        "attach-api",
        _ATTACH,
        "EINVAL ENOENT",
        r"attach \S+: E(INVAL|NOENT)",
        "kernel/bpf/syscall.c link_create(), bpf_tracing_prog_attach()",
        "This kernel does not take this command of bpf(2), or this attach type, for it (by BPF_LINK_CREATE: "
        "kprobe.multi 5.18, tracing 5.19, tcx 6.6, kprobe.session 6.10), or the tracer was attached before: load it "
        "anew.",
    ),
    _row(
        "no-permission",
        _LOAD | _ATTACH,
        "EPERM",
        r"\A(?!.*\n?.*R\d+ )",
        "kernel/bpf/syscall.c bpf_prog_load(), kernel/events/core.c; security modules, lockdown",
        "CAP_BPF and CAP_PERFMON are needed, and lockdown or a security policy may forbid it all the same.",
    ),
    _row(
        "unknown-type",
        _LOAD,
        "EINVAL",
        r"\A\s*(processed 0 insns.*)?\s*\Z",
        "kernel/bpf/syscall.c bpf_prog_load_check_attach(), find_prog_type()",
        "This kernel does not know the program type or attach type, or is built without it.",
    ),
)


NAMES = (*dict.fromkeys(row.name for row in TABLE),)
"""The classes that an expectation can name."""


def classified(outcome: Outcome) -> Outcome:
    """Return a refusal with its class and advice, any other outcome as it is.

    The first fitting row counts: rows that ask for words stand before those that do not.
    """
    if outcome.kind != OutcomeKind.REFUSED or outcome.stage is None:
        return outcome
    row = find(TABLE, stage=outcome.stage, errno=outcome.errno_name or "", words=outcome.log, detail=outcome.reason)
    if row is None:
        return replace(outcome, refusal=UNCLASSIFIED)
    return replace(outcome, refusal=row.name, advice=f"{row.advice} ({row.place})")


def find(rows: Iterable[Refusal], *, stage: Stage, errno: str, words: str, detail: str) -> Refusal | None:
    """Return the first of `rows` that fits; a row without words, or for an empty log, looks at the log alone."""
    for row in rows:
        if stage not in row.stages or errno not in row.errnos:
            continue
        if row.words.startswith((r"\A", "^$")):
            if re.search(row.words, words):
                return row
        elif re.search(row.words, f"{words}\n{detail}"):
            return row
    return None
