"""What an object names of the kernel by itself: kfuncs, variables, options of its configuration.

libbpf resolves all of them before any program is loaded (libbpf.c, bpf_object__resolve_externs()), so one that is
missing and not weak refuses the whole object.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from harness.forecast.answers import Finding, Weight
from harness.forecast.btf import ENUM, FUNC, INT, VAR, Btf, Order, essential_name
from harness.forecast.matching import RelocationError, types_compatible
from harness.forecast.targets import Sight, listed
from harness.forecast.wants import CONFIGURATION, Extern

VERSION = "LINUX_KERNEL_VERSION"
_TRISTATE = {"y": 1, "m": 2, "n": 0}


@dataclass(frozen=True, kw_only=True)
class ExternsOnKernel:
    """What externs come to: those that are there, those that are not, the values of options, and what must be said.

    An option of which nothing is known is in none of them. `findings` are by the name of the extern.
    """

    there: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    values: Mapping[str, bytes] = field(default_factory=dict)
    findings: Mapping[str, Finding] = field(default_factory=dict)


def externs_on_kernel(
    externs: Mapping[str, Extern],
    local: Btf,
    sight: Sight,
    *,
    config: Mapping[str, str] | None,
    version: tuple[int, int, int] | None,
) -> ExternsOnKernel:
    """Return what the externs of an object come to on a kernel.

    `config` has its options, None where they are not known; `version` is the number that libbpf would find.
    """
    there, absent = set[str](), set[str]()
    values: dict[str, bytes] = {}
    findings: dict[str, Finding] = {}
    for name, extern in externs.items():
        if extern.section == CONFIGURATION:
            value = _option(extern, local, config=config, version=version)
            if value is not None:
                values[name] = value
            if config is not None and name.startswith("CONFIG_") and name not in config and not extern.weak:
                findings[name] = Finding(weight=Weight.MISSING, subject=name, text=f"{name} is not set")
            continue
        problems = list(_symbol(extern, local, sight))
        (absent if problems else there).add(name)
        for problem in problems:
            findings[name] = problem
    return ExternsOnKernel(there=frozenset(there), absent=frozenset(absent), values=values, findings=findings)


def _symbol(extern: Extern, local: Btf, sight: Sight) -> Iterator[Finding]:
    """Yield what is wrong with a function or variable; weak ones are only not there."""
    what = "kfunc" if extern.function else "variable"
    name = essential_name(extern.name) if extern.function else extern.name
    subject = f"{what} {name}"
    if not extern.type and not extern.function:  # looked for in /proc/kallsyms alone
        if sight.find(extern.name, FUNC, VAR) is None and not extern.weak:
            yield Finding(weight=Weight.NOT_SHOWN, subject=subject, text=f"BTF does not show the symbol {name}")
        return
    heavy = Weight.TESTED if extern.weak else Weight.MISSING
    found = sight.find(name, FUNC if extern.function else VAR)
    if found is None:
        modules = sight.modules_with(name)
        if modules:
            weight = Weight.TESTED if extern.weak else Weight.MODULE
            text = f"{subject} is in the module {listed(modules)}"
            yield Finding(weight=weight, subject=subject, text=text, modules=modules)
        else:
            yield Finding(weight=heavy, subject=subject, text=f"no {subject}")
        return
    types, number = found
    if not _fits(extern, local, types, number):
        kind = "prototype" if extern.function else "type"
        yield Finding(weight=heavy, subject=subject, text=f"the {subject} has another {kind}")


def _fits(extern: Extern, local: Btf, types: Btf, number: int) -> bool:
    """Say whether the kernel's is compatible with what the object declares (bpf_core_types_are_compat())."""
    referred = types.type(number).size
    try:
        if extern.function:
            return types_compatible(local, extern.type, types, referred)
        return types_compatible(local, local.bare(extern.type), types, types.bare(referred))
    except RelocationError:
        return False


def _option(
    extern: Extern, local: Btf, *, config: Mapping[str, str] | None, version: tuple[int, int, int] | None
) -> bytes | None:
    """Return the bytes that libbpf writes for an option (libbpf.c, set_kcfg_value_tri() and its like), None if unknown.

    An option that is not set and weak is 0.
    """
    try:
        size = local.size(extern.type)
    except ValueError:
        return None
    if extern.name == VERSION:
        if version is None:
            return None
        major, minor, patch = version
        return _bytes((major << 16) + (minor << 8) + min(patch, 255), size, local.order)
    if config is None or not extern.name.startswith("CONFIG_"):
        return None
    text = config.get(extern.name)
    if text is None:
        return bytes(size) if extern.weak else None
    bare = local.bare(extern.type)
    kind = local.type(bare).kind
    if text in _TRISTATE:
        if kind == ENUM or (kind == INT and local.integer(bare)[0] & 4):  # tristate, bool
            return _bytes(_TRISTATE[text], size, local.order)
        return text.encode() if size == 1 else None
    if kind == INT and not text.startswith('"'):
        try:
            return _bytes(int(text, 0), size, local.order)
        except ValueError:
            return None
    return None


def _bytes(value: int, size: int, order: Order) -> bytes:
    return (value & (1 << 8 * size) - 1).to_bytes(size, order)


def options_of(text: str) -> dict[str, str]:
    """Return the options that a kernel's configuration sets, by name, each as it is written."""
    lines = (line.partition("=") for line in text.splitlines() if line.startswith("CONFIG_"))
    return {name: value.strip() for name, _, value in lines}
