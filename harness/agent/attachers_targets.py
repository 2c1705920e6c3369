"""Attaching to what is chosen when the program is loaded already: functions, tracepoints, places in binaries."""

from __future__ import annotations

import ctypes
import errno

from harness.agent.libbpf_abi import INT, POINTER, SIZE, TEXT, options
from harness.agent.links import BpfLink
from harness.agent.refusal import Refused

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from harness.agent.case_state import CaseState
    from harness.agent.links import Link

BOOL, U64 = ctypes.c_bool, ctypes.c_uint64
ANY_PROCESS = -1
TO = "attach-to"
"""What a refusal names where the choice itself is wrong."""


def attach_kprobe_multi(case: CaseState, program: int) -> Link:
    """Attach as libbpf does by itself, but to a function that is named whole without a search for it.

    libbpf before 1.7 searches all of the kernel's symbols even for that; where the kernel does not find it by its
    name, libbpf says what it would have said.
    """
    kind, _, function = case.lib.section(program).partition("/")
    if function and not any(character in function for character in "*?"):
        try:
            return attach_to_function(case, program, kind, function)
        except Refused as refusal:
            if refusal.number != errno.ESRCH:
                raise
            case.lib.messages.clear()
    return BpfLink(case.lib, case.lib.pointer("bpf_program__attach", program))


def attach_to_function(case: CaseState, program: int, kind: str, *functions: str) -> Link:
    """Attach to one function of the kernel by its name, or to several."""
    symbols = (TEXT * len(functions))(*(function.encode() for function in functions))
    made = _multi_options(kind, ctypes.addressof(symbols), len(functions))
    link = case.lib.pointer("bpf_program__attach_kprobe_multi_opts", program, None, ctypes.byref(made))
    return BpfLink(case.lib, link)


def _multi_options(kind: str, symbols: int | None = None, count: int = 0) -> Any:
    """Return struct bpf_kprobe_multi_opts: syms, addrs, cookies, cnt, retprobe, session."""
    return options(
        *((POINTER, symbols), (POINTER, None), (POINTER, None), (SIZE, count)),
        *((BOOL, kind == "kretprobe.multi"), (BOOL, kind == "kprobe.session")),
    )


def to_functions(case: CaseState, program: int, kind: str, to: str | list[str]) -> Link:
    """Attach to a function of the kernel, to all that a pattern matches, or to all of a list."""
    if isinstance(to, list):
        return attach_to_function(case, program, kind, *to)
    if not any(character in to for character in "*?"):
        return attach_to_function(case, program, kind, to)
    made = _multi_options(kind)
    return BpfLink(
        case.lib,
        case.lib.pointer("bpf_program__attach_kprobe_multi_opts", program, to.encode(), ctypes.byref(made)),
    )


def to_kprobe(case: CaseState, program: int, kind: str, to: str) -> Link:
    """Attach to a function of the kernel, perhaps at an offset in it (`function+0x10`)."""
    function, offset = _offset(to)
    # struct bpf_kprobe_opts: bpf_cookie, offset, retprobe, attach_mode
    made = options((U64, 0), (SIZE, offset), (BOOL, kind == "kretprobe"), (INT, 0))
    call = program, function.encode(), ctypes.byref(made)
    return BpfLink(case.lib, case.lib.pointer("bpf_program__attach_kprobe_opts", *call))


def to_system_call(case: CaseState, program: int, kind: str, to: str) -> Link:
    """Attach to a system call, by its name without what an architecture puts before it."""
    made = options((U64, 0), (BOOL, kind == "kretsyscall"))  # struct bpf_ksyscall_opts: bpf_cookie, retprobe
    return BpfLink(case.lib, case.lib.pointer("bpf_program__attach_ksyscall", program, to.encode(), ctypes.byref(made)))


def to_user_function(case: CaseState, program: int, kind: str, to: str) -> Link:
    """Attach to a function of a binary, given as `binary:function` or `binary:function+0x4`, for all processes."""
    binary, function = _parted(to, ":", "a binary and a function, as /usr/bin/true:main")
    function, offset = _offset(function)
    name = ctypes.create_string_buffer(function.encode())
    # struct bpf_uprobe_opts: ref_ctr_offset, bpf_cookie, retprobe, func_name, attach_mode
    made = options(
        *((SIZE, 0), (U64, 0), (BOOL, kind.startswith("uretprobe")), (POINTER, ctypes.addressof(name)), (INT, 0)),
    )
    return BpfLink(
        case.lib,
        case.lib.pointer(
            "bpf_program__attach_uprobe_opts", program, ANY_PROCESS, binary.encode(), offset, ctypes.byref(made)
        ),
    )


def to_user_functions(case: CaseState, program: int, kind: str, to: str) -> Link:
    """Attach to all functions of a binary that a pattern matches, given as `binary:pattern`."""
    binary, pattern = _parted(to, ":", "a binary and a pattern of functions, as /usr/bin/true:m*")
    # struct bpf_uprobe_multi_opts: syms, offsets, ref_ctr_offsets, cookies, cnt, retprobe, session
    made = options(
        *((POINTER, None),) * 4,
        *((SIZE, 0), (BOOL, kind.startswith("uretprobe")), (BOOL, kind.startswith("uprobe.session"))),
    )
    return BpfLink(
        case.lib,
        case.lib.pointer(
            "bpf_program__attach_uprobe_multi",
            *(program, ANY_PROCESS, binary.encode(), pattern.encode(), ctypes.byref(made)),
        ),
    )


def to_usdt(case: CaseState, program: int, _kind: str, to: str) -> Link:
    """Attach to a static probe of a binary, given as `binary:provider:name`."""
    binary, rest = _parted(to, ":", "a binary, a provider and a name, as libc.so.6:libc:setjmp")
    provider, name = _parted(rest, ":", "a binary, a provider and a name, as libc.so.6:libc:setjmp")
    probe = (binary.encode(), provider.encode(), name.encode())
    return BpfLink(case.lib, case.lib.pointer("bpf_program__attach_usdt", program, ANY_PROCESS, *probe, None))


def to_tracepoint(case: CaseState, program: int, _kind: str, to: str) -> Link:
    """Attach to a tracepoint, given as `category/name`."""
    category, name = _parted(to, "/", "a tracepoint's category and name, as sched/sched_switch")
    place = category.encode(), name.encode()
    return BpfLink(case.lib, case.lib.pointer("bpf_program__attach_tracepoint", program, *place))


def to_raw_tracepoint(case: CaseState, program: int, _kind: str, to: str) -> Link:
    """Attach to a tracepoint's raw arguments, given as its name."""
    return BpfLink(case.lib, case.lib.pointer("bpf_program__attach_raw_tracepoint", program, to.encode()))


def _offset(to: str) -> tuple[str, int]:
    """Return function and offset of `function+0x10`; Refused where the offset is no number."""
    function, plus, offset = to.partition("+")
    try:
        return function, int(offset, 0) if plus else 0
    except ValueError:
        raise Refused(errno.EINVAL, f"behind the + must be a number of bytes, not {offset}", api=TO) from None


def _parted(to: str, mark: str, form: str) -> tuple[str, str]:
    before, _, behind = to.partition(mark)
    if not before or not behind:
        raise Refused(errno.EINVAL, f"what it is attached to must be {form}, not {to}", api=TO)
    return before, behind


TARGETS: dict[str, Callable[[CaseState, int, str, Any], Link]] = {
    **dict.fromkeys(("kprobe", "kretprobe"), to_kprobe),
    **dict.fromkeys(("ksyscall", "kretsyscall"), to_system_call),
    **dict.fromkeys(("kprobe.multi", "kretprobe.multi", "kprobe.session"), to_functions),
    **dict.fromkeys(("uprobe", "uprobe.s", "uretprobe", "uretprobe.s"), to_user_function),
    **dict.fromkeys(("uprobe.multi", "uprobe.multi.s", "uretprobe.multi", "uretprobe.multi.s"), to_user_functions),
    **dict.fromkeys(("uprobe.session", "uprobe.session.s"), to_user_functions),
    **dict.fromkeys(("usdt", "usdt.s"), to_usdt),
    **dict.fromkeys(("tracepoint", "tp", "tracepoint.s", "tp.s"), to_tracepoint),
    **dict.fromkeys(("raw_tracepoint", "raw_tp", "raw_tracepoint.w", "raw_tp.w"), to_raw_tracepoint),
    **dict.fromkeys(("raw_tracepoint.s", "raw_tp.s"), to_raw_tracepoint),
}
"""How a program is attached to what is chosen at run time, by the part of its section up to a slash."""


def attach_to(case: CaseState, program: int, to: str | list[str]) -> Link:
    """Attach a program to what a step names instead of its section; Refused where such programs cannot choose."""
    kind = case.lib.section(program).partition("/")[0]
    if kind not in TARGETS:
        raise Refused(errno.EINVAL, f'where a program of SEC("{kind}") goes cannot be chosen at run time', api=TO)
    return TARGETS[kind](case, program, kind, to)
