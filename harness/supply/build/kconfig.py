"""The configuration of a kernel that is built: what is wanted, and what the sources have made of it. Pure.

A configuration is a base, then what bpfmatrix needs (kconfig/), then the user's own; the last that is said of an option
counts. `make olddefconfig` decides the rest, and drops what the sources do not have or what lacks something that it
needs: that must not go unnoticed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from harness.model.architectures import Architecture
from harness.supply.kernels.needs import NEEDED

_LINE = re.compile(r"^(?:CONFIG_(?P<set>\w+)=(?P<value>.+)|# CONFIG_(?P<unset>\w+) is not set)$")
_DEFINED = re.compile(r"^\s*(?:menu)?config\s+(\w+)\s*$", re.MULTILINE)
_VIRTIO: Mapping[str, str] = MappingProxyType(
    {
        "VIRTIO_NET": "its guests have no network card, over which they are reached",
        "BPF_SYSCALL": "it has no bpf(2), which all is about",
    }
)
_PCI: Mapping[str, str] = MappingProxyType(
    {"VIRTIO_PCI": "its guests have no network card, over which they are reached"}
)
OTHER_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        # The debug information is a choice since 5.18 (f9b3cd245784); before, it is an option of its own.
        "DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT": ("DEBUG_INFO", "DEBUG_INFO_DWARF4", "DEBUG_INFO_DWARF5"),
        # QEMU's virt machine of riscv64 was renamed in 6.3.
        "SOC_VIRT": ("ARCH_VIRT",),
        "ARCH_VIRT": ("SOC_VIRT",),
    }
)
"""What does as well as an option that is wanted."""
BTF = "DEBUG_INFO_BTF"


class ConfigLineError(ValueError):
    """A line of a configuration is neither an option nor a comment."""


@dataclass(frozen=True)
class Lost:
    """A wanted option that a configuration has otherwise: its values, and whether the sources have it at all."""

    option: str
    wanted: str
    value: str
    known: bool


def parse_options(text: str) -> dict[str, str]:
    """Return the options of a configuration or a part of one, without CONFIG_: name -> value, `n` where not set.

    Raises ConfigLineError for a line that the kernel's own tools would pass over.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.match(line.strip())
        if match is not None:
            found.pop(match["set"] or match["unset"], None)  # its place is that of the last line
            found[match["set"] or match["unset"]] = match["value"] or "n"
        elif line.strip() and not line.lstrip().startswith("#"):
            raise ConfigLineError(f"line {number} is no option: {line.strip()[:80]!r}; write CONFIG_NAME=y")
    return found


def merged(base: str, parts: Iterable[Mapping[str, str]]) -> str:
    """Return the text of a configuration: `base` without the options that `parts` have, then those.

    The last part that has an option counts, and is where it stands in the file: of a choice the last `y` counts.
    """
    wanted = wanted_of(parts)
    lines = [line for line in base.splitlines() if (match := _LINE.match(line)) is None or _name(match) not in wanted]
    return "\n".join([*lines, *map(_line, wanted.items())]) + "\n"


def wanted_of(parts: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return the options of several parts in one, each at the place of the last part that has it."""
    wanted: dict[str, str] = {}
    for part in parts:
        for option, value in part.items():
            wanted.pop(option, None)
            wanted[option] = value
    return wanted


def wants_btf(parts: Iterable[Mapping[str, str]]) -> bool:
    """Say whether the kernel is to have BTF, for which pahole is needed."""
    return wanted_of(parts).get(BTF) == "y"


def options_in(kconfig: Iterable[str]) -> frozenset[str]:
    """Return the options that the texts of Kconfig files define."""
    return frozenset(name for text in kconfig for name in _DEFINED.findall(text))


def lost_options(wanted: Mapping[str, str], made: Mapping[str, str], *, known: Iterable[str]) -> tuple[Lost, ...]:
    """Return the wanted options that the configuration which was made has otherwise.

    `m` where `y` was wanted is one of them, `y` where `m` was wanted is not. `known` are the options that the sources
    have.
    """
    known = frozenset(known)
    lost = []
    for option, value in wanted.items():
        got = made.get(option, "n")
        enough = got == value or (value == "m" and got == "y")
        if not enough and not any(made.get(other) == "y" for other in OTHER_NAMES.get(option, ())):
            lost.append(Lost(option, value, got, option in known))
    return tuple(lost)


def why_not_built(arch: Architecture, made: Mapping[str, str]) -> str:
    """Return why no guest could be made of a kernel with this configuration, which is whole; "" where one can."""
    console = dict.fromkeys(arch.console_options, f"it has no console at {arch.console}")
    pci = _PCI if "virtio_pci" in arch.modules else {}
    needed = {**NEEDED, **_VIRTIO, **pci, **console}
    return "; ".join(
        f"{why} (CONFIG_{option} is {'not set' if value == 'n' else value})"
        for option, why in needed.items()
        if (value := made.get(option, "n")) != "y"
    )


def notice_of(lost: Sequence[Lost]) -> str:
    """Return what the user must know of options that a kernel was built without, "" where there are none."""
    taken = [_said(each) for each in lost if each.known]
    unknown = [each.option for each in lost if not each.known and each.wanted != "n"]
    parts = [
        f"options that its configuration did not take, since something that they need is off: {', '.join(taken)}"
        if taken
        else "",
        f"options that its sources do not have: {', '.join(unknown)}" if unknown else "",
    ]
    return "; ".join(part for part in parts if part)


def _said(lost: Lost) -> str:
    return f"{lost.option}={lost.wanted}" + ("" if lost.value == "n" else f" (it is {lost.value})")


def _name(match: re.Match[str]) -> str:
    return match["set"] or match["unset"]


def _line(option: tuple[str, str]) -> str:
    name, value = option
    return f"# CONFIG_{name} is not set" if value == "n" else f"CONFIG_{name}={value}"
