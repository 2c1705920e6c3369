"""Whether a type of a kernel is what an object means by its own: the rules of CO-RE.

They are those of libbpf's relo_core.c (1.7), function by function; each names the one that it follows. The object's
types are the local ones, the kernel's the targets.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.forecast.btf import (
    ARRAY,
    COMPOSITES,
    ENUM,
    ENUM64,
    ENUMS,
    FLOAT,
    FUNC_PROTO,
    FWD,
    INT,
    MOST_STEPS,
    PTR,
    SIGNED,
    STRUCT,
    UNION,
    Btf,
    essential_name,
)
from harness.forecast.relocations import OF_ENUMERATORS, OF_FIELDS, OF_TYPES, Kind, Relocation

DEEPEST = 64
"""How many steps a way may have (BPF_CORE_SPEC_MAX_LEN)."""
_NAMED = frozenset({FWD, ENUM, ENUM64})
_WITHOUT_ITEMS = frozenset({0, STRUCT, UNION, ENUM, FWD, ENUM64})


class RelocationError(ValueError):
    """libbpf refuses the whole object: a relocation makes no sense, or has several answers."""


@dataclass(frozen=True)
class Step:
    """A step on the way to a field: the member `index` of a structure, with its `name`, or an element of an array.

    `type` is the structure, or the type of the element (struct bpf_core_accessor).
    """

    type: int
    index: int
    name: str = ""


@dataclass(frozen=True)
class Way:
    """The way from a type, `root`, to a field or an enumerator of it; of a type itself there are no steps.

    `bit` is where the field is, in bits (struct bpf_core_spec).
    """

    root: int
    steps: tuple[Step, ...] = ()
    bit: int = 0


def compatible_kinds(one: int, other: int) -> bool:
    """Say whether types of two kinds can stand for each other (libbpf's btf.h, btf_kind_core_compat())."""
    return one == other or (one in ENUMS and other in ENUMS)


def local_way(btf: Btf, relocation: Relocation) -> Way:
    """Return the way of a relocation through the object's own types (bpf_core_parse_spec()).

    Raises RelocationError where they have no such way.
    """
    access = relocation.access
    if relocation.kind in OF_TYPES:
        if access != "0":
            raise RelocationError(f'a relocation of a type has the way "{access}"')
        return Way(relocation.type)
    indexes = _indexes(access)
    number = btf.bare(relocation.type)
    if relocation.kind in OF_ENUMERATORS:
        names = btf.enumerators(number) if btf.type(number).kind in ENUMS else []
        if len(indexes) > 1 or not 0 <= indexes[0] < len(names):
            raise RelocationError(f'"{access}" is no enumerator')
        return Way(relocation.type, (Step(number, indexes[0], names[indexes[0]][0]),))
    return _way_to_field(btf, relocation.type, number, indexes)


def _indexes(access: str) -> list[int]:
    try:
        indexes = [int(text) for text in access.split(":")]
    except ValueError as error:
        raise RelocationError(f'"{access}" is no way to a field') from error
    if len(indexes) > DEEPEST:
        raise RelocationError("the way is too long")
    return indexes


def _way_to_field(btf: Btf, root: int, number: int, indexes: list[int]) -> Way:
    steps, bit = [Step(number, indexes[0])], indexes[0] * _size(btf, number) * 8
    for index in indexes[1:]:
        number = btf.bare(number)
        found = btf.type(number)
        if found.kind in COMPOSITES:
            members = btf.members(number)
            if not 0 <= index < len(members):
                raise RelocationError(f"the structure has no member {index}")
            member = members[index]
            bit += member.bit
            if member.name:
                steps.append(Step(number, index, member.name))
            number = member.type
        elif found.kind == ARRAY:
            element, count = btf.array(number)
            number = btf.bare(element)
            if index >= count and not _is_flexible(btf, steps[-1], count):
                raise RelocationError(f"the array has no element {index}")
            steps.append(Step(number, index))
            bit += index * _size(btf, number) * 8
        else:
            raise RelocationError("the way leads through something that is no structure and no array")
    return Way(root, tuple(steps), bit)


def target_way(local: Btf, way: Way, target: Btf, number: int, kind: Kind) -> Way | None:
    """Return the way through a type of the kernel that a local way means (bpf_core_spec_match()).

    None where that type has none. Raises RelocationError where libbpf gives up.
    """
    if kind in OF_TYPES:
        fits = types_match if kind is Kind.TYPE_MATCHES else types_compatible
        return Way(number) if fits(local, way.root, target, number) else None
    if kind in OF_ENUMERATORS:
        return _enumerator(way, target, number)
    assert kind in OF_FIELDS
    root, bit, raw = number, 0, 0
    steps: list[Step] = []
    for place, step in enumerate(way.steps):
        number = target.bare(number)
        if step.name:
            found = _member(local, step, target, number)
            if found is None:
                return None
            own, more, number, depth = found
            steps.append(own)
            bit, raw = bit + more, raw + depth
        else:
            if place:
                if target.type(number).kind != ARRAY:
                    return None
                element, count = target.array(number)
                if step.index >= count and not _is_flexible(target, steps[-1], count):
                    return None
                number = target.bare(element)
            steps.append(Step(number, step.index))
            bit, raw = bit + step.index * _size(target, number) * 8, raw + 1
        if raw > DEEPEST:
            raise RelocationError("the way is too long")
    return Way(root, tuple(steps), bit)


def _enumerator(way: Way, target: Btf, number: int) -> Way | None:
    bare, wanted = target.bare(number), essential_name(way.steps[0].name)
    if target.type(bare).kind not in ENUMS:
        return None
    for index, (name, _) in enumerate(target.enumerators(bare)):
        if essential_name(name) == wanted:
            return Way(number, (Step(bare, index, name),))
    return None


def _member(local: Btf, step: Step, target: Btf, number: int) -> tuple[Step, int, int, int] | None:
    """Return the member of a kernel's structure that a step means, in nameless ones as well (bpf_core_match_member()).

    With its offset in bits, its type, and how many steps it takes.
    """
    number = target.bare(number)
    if target.type(number).kind not in COMPOSITES:
        return None
    for index, member in enumerate(target.members(number)):
        if member.name == step.name:
            wanted = local.members(step.type)[step.index].type
            fits = fields_compatible(local, wanted, target, member.type)
            return (Step(number, index, member.name), member.bit, member.type, 1) if fits else None
        if not member.name:
            found = _member(local, step, target, member.type)
            if found is not None:
                own, bit, kind, depth = found
                return own, bit + member.bit, kind, depth + 1
    return None


def _is_flexible(btf: Btf, step: Step, count: int) -> bool:
    """Say whether an array without a length is the last member of its structure (is_flex_arr())."""
    return bool(step.name) and not count and step.index == btf.type(step.type).items - 1


def fields_compatible(local: Btf, own: int, target: Btf, number: int) -> bool:
    """Say whether a kernel's member can stand for an object's (bpf_core_fields_are_compat()).

    Structures and unions all can, pointers and integers as well, whatever they point to and however large they are;
    enumerations and forward declarations where their names are the same, or one has none.
    """
    for _ in range(MOST_STEPS):
        own, number = local.bare(own), target.bare(number)
        mine, found = local.type(own), target.type(number)
        if mine.kind in COMPOSITES and found.kind in COMPOSITES:
            return True
        if not compatible_kinds(mine.kind, found.kind):
            return False
        if mine.kind in (PTR, FLOAT):
            return True
        if mine.kind in _NAMED:
            names = essential_name(local.name(own)), essential_name(target.name(number))
            return not all(names) or names[0] == names[1]
        if mine.kind == INT:
            return not local.integer(own)[1] and not target.integer(number)[1]
        if mine.kind != ARRAY:
            return False
        own, number = local.array(own)[0], target.array(number)[0]
    raise RelocationError("arrays are nested too deeply")


def types_compatible(local: Btf, own: int, target: Btf, number: int, *, level: int = MOST_STEPS) -> bool:
    """Say whether a kernel's type can stand for an object's (__bpf_core_types_are_compat()).

    Of structures, unions and enumerations nothing but the kind counts; of a function's prototype the number of its
    parameters, and that they and what it returns are compatible. Raises RelocationError where they are too deep.
    """
    if not compatible_kinds(local.type(own).kind, target.type(number).kind):
        return False
    for _ in range(MOST_STEPS):
        own, number = local.bare(own), target.bare(number)
        mine, found = local.type(own), target.type(number)
        if not compatible_kinds(mine.kind, found.kind):
            return False
        if mine.kind in _WITHOUT_ITEMS:
            return True
        if mine.kind == INT:
            return not local.integer(own)[1] and not target.integer(number)[1]
        if mine.kind == PTR:
            own, number = mine.size, found.size
        elif mine.kind == ARRAY:
            own, number = local.array(own)[0], target.array(number)[0]
        elif mine.kind == FUNC_PROTO:
            if not _parameters_compatible(local, own, target, number, level=level):
                return False
            own, number = local.bare(mine.size), target.bare(found.size)
        else:
            return False
    raise RelocationError("types are nested too deeply")


def _parameters_compatible(local: Btf, own: int, target: Btf, number: int, *, level: int) -> bool:
    mine, found = local.parameters(own), target.parameters(number)
    if len(mine) != len(found):
        return False
    if mine and level <= 0:
        raise RelocationError("prototypes are nested too deeply")
    return all(
        types_compatible(local, local.bare(one.type), target, target.bare(other.type), level=level - 1)
        for one, other in zip(mine, found, strict=True)
    )


def types_match(
    local: Btf, own: int, target: Btf, number: int, *, behind: bool = False, level: int = MOST_STEPS
) -> bool:
    """Say whether a kernel's type matches an object's (__bpf_core_types_match()): all of the object's is in it.

    `behind` says that a pointer came before; of structures behind one nothing but name and kind counts.
    """
    if level <= 0:
        raise RelocationError("types are nested too deeply")
    for _ in range(MOST_STEPS):
        own, number = local.bare(own), target.bare(number)
        if not _names_match(local.name(own), target.name(number)):
            return False
        mine, found = local.type(own), target.type(number)
        if mine.kind == PTR:
            if found.kind != PTR:
                return False
            behind, own, number = True, mine.size, found.size
        elif mine.kind == ARRAY:
            if found.kind != ARRAY or local.array(own)[1] != target.array(number)[1]:
                return False
            own, number = local.array(own)[0], target.array(number)[0]
        elif mine.kind == FUNC_PROTO:
            if found.kind != FUNC_PROTO or mine.items != found.items:
                return False
            pairs = zip(local.parameters(own), target.parameters(number), strict=True)
            for one, other in pairs:
                if not types_match(local, one.type, target, other.type, behind=behind, level=level - 1):
                    return False
            own, number = mine.size, found.size
        else:
            return _last_match(local, own, target, number, behind=behind, level=level)
    raise RelocationError("types are nested too deeply")


def _last_match(local: Btf, own: int, target: Btf, number: int, *, behind: bool, level: int) -> bool:
    """Say what `types_match` does of types that lead to no other one."""
    mine, found = local.type(own), target.type(number)
    if mine.kind == FWD:
        if found.kind == FWD:
            return mine.flag == found.flag
        return behind and found.kind == (UNION if mine.flag else STRUCT)
    if mine.kind in ENUMS:
        return found.kind in ENUMS and _enums_match(local, own, target, number)
    if mine.kind in COMPOSITES:
        if behind:
            return mine.kind == found.kind or (found.kind == FWD and (mine.kind == UNION) == found.flag)
        return mine.kind == found.kind and _members_match(local, own, target, number, level=level)
    if mine.kind == INT:
        return (
            found.kind == INT
            and mine.size == found.size
            and local.integer(own)[0] & SIGNED == target.integer(number)[0] & SIGNED
        )
    return mine.kind == found.kind == 0


def _names_match(mine: str, found: str) -> bool:
    """Say whether names are the same but for their flavours (bpf_core_names_match())."""
    return essential_name(mine) == essential_name(found) if found else not mine


def _enums_match(local: Btf, own: int, target: Btf, number: int) -> bool:
    mine, found = local.enumerators(own), target.enumerators(number)
    there = {essential_name(name) for name, _ in found}
    same_size = local.type(own).size == target.type(number).size
    return same_size and len(mine) <= len(found) and all(essential_name(name) in there for name, _ in mine)


def _members_match(local: Btf, own: int, target: Btf, number: int, *, level: int) -> bool:
    """Say whether each member of an object's structure has one that matches (bpf_core_composites_match())."""
    mine, found = local.members(own), target.members(number)
    return len(mine) <= len(found) and all(
        any(
            types_match(local, member.type, target, other.type, level=level - 1)
            for other in found
            if _names_match(member.name, other.name)
        )
        for member in mine
    )


def _size(btf: Btf, number: int) -> int:
    try:
        return btf.size(number)
    except ValueError as error:
        raise RelocationError(str(error)) from error
