"""What a relocation comes to on one kernel: the value that libbpf writes into the instruction, or that there is none.

libbpf's relo_core.c (1.7), bpf_core_calc_relo_insn() and what it calls; candidates as in libbpf.c,
bpf_core_find_cands(): in the kernel's own types first, and in those of modules only where these have none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.forecast.btf import ARRAY, COMPOSITES, ENUMS, FLOAT, FWD, INT, KINDS, PTR, SIGNED, Btf, essential_name
from harness.forecast.matching import RelocationError, Way, compatible_kinds, local_way, target_way
from harness.forecast.relocations import OF_FIELDS, OF_TYPES, Kind, Relocation

VMLINUX = ""
"""What the kernel's own types are called among those of its modules."""


@dataclass(frozen=True)
class KernelTypes:
    """The types of one kernel: its own, and those of its modules by their names."""

    own: Btf
    modules: Mapping[str, Btf] = field(default_factory=dict)


@dataclass(frozen=True)
class Shape:
    """What a field is, as far as it makes a difference to a program: its kind, bytes, sign, and what it points to.

    `text` is how C would write it, more or less.
    """

    kind: int
    size: int
    signed: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class Resolved:
    """What a relocation comes to.

    `found` says whether the kernel has what it means, `value` is what is written, `poisoned` that the instruction is
    replaced by one that the verifier refuses where it is reached. `own_size` and `size` are those of the object's field
    and the kernel's where a load or store may be adapted to it, and `misfits` says that it cannot be.
    `shape` is the kernel's field, `own_shape` the object's; `module` has the types, if not the kernel.
    """

    found: bool
    value: int = 0
    poisoned: bool = False
    own_size: int = 0
    size: int = 0
    misfits: bool = False
    shape: Shape | None = None
    own_shape: Shape | None = None
    module: str = VMLINUX


@dataclass(frozen=True)
class _Answer:
    """What a way comes to in some types (bpf_core_calc_field_relo() and its like); `field` is that of an offset."""

    value: int
    size: int = 0
    field: int | None = None


def resolved(relocation: Relocation, local: Btf, kernel: KernelTypes) -> Resolved:
    """Return what a relocation comes to on a kernel.

    Raises RelocationError where libbpf refuses the object: it has no such way itself, or candidates differ.
    """
    way = local_way(local, relocation)
    if relocation.kind is Kind.TYPE_ID_LOCAL:
        return Resolved(found=True, value=relocation.type)
    name = local.name(relocation.type)
    if not name:
        raise RelocationError("libbpf relocates no types without a name")
    mine = _answer(relocation.kind, local, way)
    assert mine is not None
    decided: tuple[Resolved, int] | None = None
    for module, target, number in candidates(local, relocation.type, essential_name(name), kernel):
        there = target_way(local, way, target, number, relocation.kind)
        if there is None:
            continue
        answer = _answer(relocation.kind, target, there)
        assert answer is not None
        made = _resolved(relocation.kind, local, mine, target, answer, way=(way, there), module=module)
        if decided is None:
            decided = made, there.bit
        elif there.bit != decided[1]:
            raise RelocationError(f"the kernel has several {name} with the field at bit {decided[1]} and {there.bit}")
        elif made.value != decided[0].value:
            raise RelocationError(f"the kernel has several {name}, which say {decided[0].value} and {made.value}")
    return decided[0] if decided is not None else _absent(relocation.kind, _shape_at(local, way))


def candidates(local: Btf, own: int, essential: str, kernel: KernelTypes) -> Sequence[tuple[str, Btf, int]]:
    """Return the types of a kernel that may be what an object's own type means: by name and kind.

    Each with the module that has it, and these only where the kernel itself has none (bpf_core_find_cands()).
    """
    kind = local.type(own).kind

    def those(module: str, types: Btf) -> list[tuple[str, Btf, int]]:
        return [
            (module, types, number)
            for number in types.alike(essential)
            if compatible_kinds(types.type(number).kind, kind)
        ]

    found = those(VMLINUX, kernel.own)
    return found or [each for module, types in kernel.modules.items() for each in those(module, types)]


def _resolved(
    kind: Kind, local: Btf, mine: _Answer, target: Btf, answer: _Answer, *, way: tuple[Way, Way], module: str
) -> Resolved:
    misfits = mine.size != answer.size and not _adapts(local, mine.field, target, answer.field)
    return Resolved(
        found=True,
        value=answer.value,
        own_size=mine.size,
        size=answer.size,
        misfits=misfits,
        shape=_shape_at(target, way[1]) if kind in OF_FIELDS else None,
        own_shape=_shape_at(local, way[0]) if kind in OF_FIELDS else None,
        module=module,
    )


def _adapts(local: Btf, own: int | None, target: Btf, number: int | None) -> bool:
    """Say whether a load or store can have another size: of pointers, and of integers without a sign.

    Bit fields are none of them.
    """
    if own is None or number is None:
        return False
    mine, found = local.type(own), target.type(number)
    if mine.kind == found.kind == PTR:
        return True
    return mine.kind == found.kind == INT and local.integer(own)[0] != SIGNED and target.integer(number)[0] != SIGNED


def _absent(kind: Kind, own_shape: Shape | None) -> Resolved:
    """Return what is written where a kernel has nothing: 0 for types and what asks whether something is there."""
    poisoned = kind not in OF_TYPES and kind not in (Kind.FIELD_EXISTS, Kind.ENUMERATOR_EXISTS)
    return Resolved(found=False, poisoned=poisoned, own_shape=own_shape)


def _answer(kind: Kind, btf: Btf, way: Way) -> _Answer:
    if kind in (Kind.FIELD_EXISTS, Kind.TYPE_EXISTS, Kind.TYPE_MATCHES, Kind.ENUMERATOR_EXISTS):
        return _Answer(1)
    if kind is Kind.TYPE_ID_TARGET:
        return _Answer(way.root)
    if kind is Kind.TYPE_SIZE:
        return _Answer(_size(btf, way.root))
    if kind is Kind.ENUMERATOR_VALUE:
        return _Answer(btf.enumerators(way.steps[0].type)[way.steps[0].index][1] & (1 << 64) - 1)
    return _of_field(kind, btf, way)


def _of_field(kind: Kind, btf: Btf, way: Way) -> _Answer:
    """bpf_core_calc_field_relo()."""
    last = way.steps[-1]
    if not last.name:
        size = _size(btf, last.type)
        if kind is Kind.FIELD_OFFSET:
            return _Answer(way.bit // 8, size, last.type)
        if kind is Kind.FIELD_SIZE:
            return _Answer(size)
        raise RelocationError("only offset and size of an array's element can be asked for")
    member = btf.members(last.type)[last.index]
    bare = btf.bare(member.type)
    bits, bit = member.bits, way.bit
    if bits:
        size = btf.type(bare).size
        start = bit // 8 // size * size if size else 0
        while size and bit + bits - start * 8 > size * 8:
            if size >= 8:
                raise RelocationError("the bit field cannot be read at once")
            size *= 2
            start = bit // 8 // size * size
    else:
        size, start = _size(btf, bare), bit // 8
        bits = size * 8
    if kind is Kind.FIELD_OFFSET:
        return _Answer(start) if member.bits else _Answer(start, size, bare)
    if kind is Kind.FIELD_SIZE:
        return _Answer(size)
    if kind is Kind.FIELD_SIGNED:
        found = btf.type(bare)
        signed = (found.kind in ENUMS and found.flag) or (found.kind == INT and btf.integer(bare)[0] & SIGNED)
        return _Answer(int(bool(signed)))
    if kind is Kind.FIELD_LSHIFT:
        if btf.order == "little":
            return _Answer(64 - (bit + bits - start * 8))
        return _Answer((8 - size) * 8 + (bit - start * 8))
    assert kind is Kind.FIELD_RSHIFT
    return _Answer(64 - bits)


def _size(btf: Btf, number: int) -> int:
    try:
        return btf.size(number)
    except ValueError as error:
        raise RelocationError(str(error)) from error


def _shape_at(btf: Btf, way: Way) -> Shape | None:
    """Return what a way leads to; None where that is no field."""
    if not way.steps:
        return None
    last = way.steps[-1]
    if btf.type(last.type).kind in ENUMS:
        return None
    if not last.name:
        return shape(btf, last.type)
    member = btf.members(last.type)[last.index]
    found = shape(btf, member.type)
    if not member.bits:
        return found
    return Shape(found.kind, found.size, found.signed, f"{found.text} : {member.bits}")


def shape(btf: Btf, number: int) -> Shape:
    """Return what a type is, as far as it makes a difference to who reads it; typedefs and names do not."""
    bare = btf.bare(number)
    found = btf.type(bare)
    try:
        size = btf.size(bare)
    except ValueError:
        size = 0
    signed = found.kind == INT and bool(btf.integer(bare)[0] & SIGNED)
    return Shape(found.kind, size, signed or (found.kind in ENUMS and found.flag), text_of(btf, number))


def text_of(btf: Btf, number: int, *, depth: int = 0) -> str:
    """Return a type as C would write it, more or less: `struct sock *`, `u32`, `char[16]`."""
    bare, found = btf.bare(number), btf.type(btf.bare(number))
    name = btf.name(bare)
    if not bare:
        return "void"
    if found.kind == PTR:
        inner = text_of(btf, found.size, depth=depth + 1) if depth < 4 else "..."
        return f"{inner}*" if inner.endswith("*") else f"{inner} *"
    if found.kind == ARRAY:
        element, count = btf.array(bare)
        return f"{text_of(btf, element, depth=depth + 1) if depth < 4 else '...'}[{count or ''}]"
    if found.kind in COMPOSITES or found.kind in ENUMS:
        return f"{KINDS[found.kind].removesuffix('64')} {name or '(nameless)'}"
    if found.kind == FWD:
        return f"{'union' if found.flag else 'struct'} {name}"
    if found.kind in (INT, FLOAT):
        return name
    return f"{KINDS[found.kind]} {name}".strip()
