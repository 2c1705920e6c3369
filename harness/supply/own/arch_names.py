"""What the name of an object's file says of the architecture that it is for, as bpf2go and others write it. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.model.architectures import ARCHITECTURES

ORDERS = {"el": "little", "eb": "big"}
"""The end of a name (`my_bpfel.o`, `my-el.elf`), and the byte order that it means."""


def _names() -> dict[str, tuple[str, ...]]:
    """Return what an architecture is called in names of files, and which it may be; several share libbpf's name."""
    found: dict[str, tuple[str, ...]] = {}
    for arch in ARCHITECTURES.values():
        for name in dict.fromkeys((arch.name, *arch.machines, arch.debian, arch.clang_arch)):
            found[name] = (*found.get(name, ()), arch.name)
    return found


NAMES = _names()
_FILE = re.compile(
    rf"(?P<stem>.+?)(?:[._-](?P<arch>{'|'.join(sorted(NAMES, key=len, reverse=True))}))?"
    r"(?:[._-](?:bpf)?(?P<order>e[lb]))?(?P<end>(?:[._-]bpf)?\.(?:o|elf))"
)


@dataclass(frozen=True, kw_only=True)
class FileName:
    """A file's name in parts. `arches` and `order` are empty where it does not say; `key` is that of its siblings."""

    key: tuple[str, str]
    arches: tuple[str, ...] = ()
    order: str = ""

    @property
    def says_something(self) -> bool:
        """Whether there may be siblings for other architectures."""
        return bool(self.arches or self.order)

    def fits(self, arch: str) -> bool:
        """Say whether the file is for an architecture, as far as its name says."""
        order = ARCHITECTURES[arch].byte_order
        return (not self.arches or arch in self.arches) and self.order in ("", order)


def parts_of(name: str) -> FileName:
    """Return the name of an object's file in parts: `my_x86_bpfel.o`, `my_bpfeb.o`, `my.arm64.bpf.o`, `my.o`."""
    match = _FILE.fullmatch(name)
    if match is None:
        return FileName(key=(name, ""))
    return FileName(
        key=(match["stem"], match["end"]),
        arches=NAMES.get(match["arch"] or "", ()),
        order=ORDERS.get((match["order"] or "")[-2:], ""),
    )
