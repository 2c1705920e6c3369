"""What a program is attached to, looked up in the types of a kernel: a table by section.

The names are those that libbpf looks for (libbpf.c, btf_get_kernel_prefix_kind(), find_kernel_btf_id()), and for
tracepoints those that the kernel gives to what it generates for them (include/trace/bpf_probe.h, `btf_trace_NAME` and
`trace_event_raw_NAME`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.forecast.answers import Finding, Weight
from harness.forecast.btf import COMPOSITES, FUNC, FUNC_PROTO, PTR, STRUCT, TYPEDEF, VAR, Btf
from harness.forecast.resolving import KernelTypes
from harness.scenario.sections import OPTIONAL

Elsewhere = Callable[[str], Sequence[str]]
"""Returns the modules that have something of a name, of those that are not loaded."""


def nowhere(name: str) -> Sequence[str]:
    """Return no module: for kernels of whose modules nothing is known."""
    del name
    return ()


@dataclass(frozen=True, kw_only=True)
class Target:
    """What the name in a section stands for: a type of one of `kinds`, with `before` in front of its name.

    `what` is what a sentence calls it. `weak` says that it may be there although BTF does not show it. `slots` says how
    many values the program is called with, beside the parameters: what a function returned. `dropped` are parameters
    that programs do not get.
    """

    what: str
    before: str = ""
    kinds: tuple[int, ...] = (FUNC,)
    weak: bool = False
    arguments: bool = True
    more: int = 0
    dropped: int = 0


_FENTRY = Target(what="function")
_FEXIT = Target(what="function", more=1)
_KPROBE = Target(what="function", weak=True, arguments=False)
_RAW = Target(what="tracepoint", before="btf_trace_", kinds=(TYPEDEF,), dropped=1)
_EVENT = Target(what="tracepoint", before="btf_trace_", kinds=(TYPEDEF,), arguments=False)
_LSM = Target(what="hook of security modules", before="bpf_lsm_", more=1)
_ITERATOR = Target(what="iterator", before="bpf_iter_")

TARGETS: Mapping[str, Target] = {
    **dict.fromkeys(("fentry", "fentry.s"), _FENTRY),
    **dict.fromkeys(("fexit", "fexit.s", "fmod_ret", "fmod_ret.s", "fsession", "fsession.s"), _FEXIT),
    **dict.fromkeys(("kprobe", "kretprobe", "kprobe.multi", "kretprobe.multi", "kprobe.session"), _KPROBE),
    **dict.fromkeys(("raw_tp", "raw_tp.w", "raw_tp.s", "raw_tracepoint", "raw_tracepoint.w", "raw_tracepoint.s"), _RAW),
    **dict.fromkeys(("tp_btf", "tp_btf.s"), _RAW),
    **dict.fromkeys(("tp", "tp.s", "tracepoint", "tracepoint.s"), _EVENT),
    **dict.fromkeys(("lsm", "lsm.s", "lsm_cgroup"), _LSM),
    **dict.fromkeys(("iter", "iter.s"), _ITERATOR),
}
"""By what is before the slash of a section; programs of others are attached to nothing that BTF has."""
NONE = -1
TRAMPOLINES: Mapping[str, tuple[int, tuple[int, int, int]]] = {
    "x86_64": (6, (6, 6, 0)),
    "arm64": (NONE, (6, 0, 0)),
    "riscv64": (NONE, (6, 3, 0)),
    "ppc64le": (NONE, (6, 13, 0)),
}
"""How many arguments a traced function may have, by architecture, before a version; NONE where none is traced.

x86_64: those in registers alone, until 473e3150e30a (arch/x86/net/bpf_jit_comp.c, arch_prepare_bpf_trampoline():
ENOTSUPP). Trampolines came with efc9909fdce0 (arm64), 49b5e77ae3e2 (riscv64), d243b62b7bd3 (powerpc)."""
SYSCALLS = ("ksyscall", "kretsyscall")
_SYSCALL_EVENTS = ("syscalls/sys_enter_", "syscalls/sys_exit_")
SYSCALL_FUNCTIONS = ("__x64_sys_", "__arm64_sys_", "__riscv_sys_", "__s390x_sys_", "sys_")
"""What is before the name of a system call's function: CONFIG_ARCH_HAS_SYSCALL_WRAPPER, or nothing."""
_PATTERN = frozenset("*?")


@dataclass(frozen=True, kw_only=True)
class Sight:
    """A kernel's types as far as targets are looked up in them; `elsewhere` knows the modules that are not loaded."""

    types: KernelTypes
    elsewhere: Elsewhere = field(default=nowhere)

    def find(self, name: str, *kinds: int, module: str = "") -> tuple[Btf, int] | None:
        """Return a type of the kernel, else of a module that is loaded; only of `module` where that is named."""
        if module in ("", "vmlinux"):
            own = self.types.own.find(name, *kinds)
            if own is not None:
                return self.types.own, own
        for known, types in self.types.modules.items():
            if module in ("", known):
                found = types.find_own(name, *kinds)
                if found is not None:
                    return types, found
        return None

    def modules_with(self, name: str, *, module: str = "") -> tuple[str, ...]:
        """Return the modules that would have it, the one that is named alone."""
        return tuple(each for each in self.elsewhere(name) if module in ("", each))


def most_arguments(arch: str, version: tuple[int, int, int] | None) -> int | None:
    """Return how many arguments a function may have that is traced on a kernel, None where nothing limits them.

    NONE where no function can be traced.
    """
    most, until = TRAMPOLINES.get(arch, (0, (0, 0, 0)))
    return most if version is not None and version < until else None


def target_findings(
    section: str, target: str, sight: Sight, *, context: set[tuple[int, int]], most: int | None = None
) -> Iterator[Finding]:
    """Yield what must be said of a program's target; `context` is what it reads of what it is called with.

    `section` is the program's, without what is behind the slash; `most` is what `most_arguments` says.
    """
    section = section.removeprefix(OPTIONAL)
    if not target or set(target) & _PATTERN:
        return
    if section in SYSCALLS or target.startswith(_SYSCALL_EVENTS):
        yield from _syscall(target, sight)
        return
    known = TARGETS.get(section)
    if known is None:
        return
    module, _, name = target.rpartition(":") if ":" in target and known is not _EVENT else ("", "", target)
    if known is _EVENT:
        name = target.replace(":", "/").rpartition("/")[2]
    elif known is _KPROBE:
        name = name.partition("+")[0]
    found = sight.find(f"{known.before}{name}", *known.kinds, module=module)
    subject = f"{known.what} {name}"
    if found is None:
        yield _absent(known, name, subject, sight, module=module)
        return
    if known.arguments:
        yield from _arguments(known, found, subject, context)
        slots = slots_of(*found) if known in (_FENTRY, _FEXIT, _LSM) and most is not None else None
        if slots is not None and most is not None and slots > most:
            yield Finding(
                weight=Weight.NOT_SHOWN,
                subject=f"{subject}, arguments",
                text="kernels of this architecture traced no functions yet"
                if most == NONE
                else f"the {subject} has {slots} arguments, and such kernels trace none with more than {most}",
            )
    elif known is _EVENT:
        yield from _event(name, sight, subject, context)


def _absent(known: Target, name: str, subject: str, sight: Sight, *, module: str) -> Finding:
    modules = sight.modules_with(f"{known.before}{name}", module=module)
    if modules:
        return Finding(
            weight=Weight.MODULE, subject=subject, text=f"{subject} is in the module {listed(modules)}", modules=modules
        )
    if known.weak:
        return Finding(weight=Weight.NOT_SHOWN, subject=subject, text=f"BTF does not show the {subject}")
    return Finding(weight=Weight.MISSING, subject=subject, text=f"no {subject}")


def listed(modules: Sequence[str]) -> str:
    """Return the names of a few modules, and how many others there are."""
    more = len(modules) - 3
    return f"{' or '.join(modules[:3])}{f' or {more} others' if more > 0 else ''}"


def _syscall(target: str, sight: Sight) -> Iterator[Finding]:
    """Say whether a system call has a function that BTF shows; the tracepoints of the call are made of that, too."""
    name = target
    for start in _SYSCALL_EVENTS:
        name = name.removeprefix(start)
    names = [f"{start}{name}" for start in SYSCALL_FUNCTIONS]
    if not any(sight.find(each, FUNC) for each in names):
        subject = f"system call {name}"
        yield Finding(weight=Weight.NOT_SHOWN, subject=subject, text=f"BTF does not show the {subject}")


def _arguments(known: Target, found: tuple[Btf, int], subject: str, context: set[tuple[int, int]]) -> Iterator[Finding]:
    slots = slots_of(*found)
    if slots is None:
        return
    there = slots - known.dropped
    most = max((offset // 8 for offset, _ in context), default=-1)
    if most >= there + known.more:
        yield Finding(
            weight=Weight.MISSING,
            subject=f"{subject}, argument {most + 1}",
            text=f"the program reads argument {most + 1} of the {subject}, which has {there}",
        )


def slots_of(types: Btf, number: int) -> int | None:
    """Return how many values of 8 bytes a function is called with (a function, or a pointer to one); None for no such.

    A structure of more than 8 bytes takes two (kernel/trace/bpf_trace.c, btf_distill_func_proto()).
    """
    number = types.bare(number)
    for _ in range(4):
        kind = types.type(number).kind
        if kind == FUNC_PROTO:
            parameters = types.parameters(number)
            return sum(_slots(types, each.type) for each in parameters)
        if kind not in (FUNC, PTR, VAR):
            return None
        number = types.bare(types.type(number).size)
    return None


def _slots(types: Btf, number: int) -> int:
    bare = types.bare(number)
    return max(1, -(-types.size(bare) // 8)) if types.type(bare).kind in COMPOSITES else 1


def _event(name: str, sight: Sight, subject: str, context: set[tuple[int, int]]) -> Iterator[Finding]:
    """Compare what a program reads of an event's record with how long that is.

    The kernel does so when the program is attached (kernel/events/core.c, trace_event_get_offsets()). Events that share
    their record with others have a structure of another name, which BTF does not tell.
    """
    found = sight.find(f"trace_event_raw_{name}", STRUCT)
    end = max((offset + size for offset, size in context), default=0)
    if found is None or not end:
        return
    types, number = found
    size = next((each.bit // 8 for each in types.members(number) if each.name == "__data"), types.type(number).size)
    if end > size:
        yield Finding(
            weight=Weight.MISSING,
            subject=f"{subject}, byte {end}",
            text=f"the program reads {end} bytes of the {subject}, which has {size}",
        )
