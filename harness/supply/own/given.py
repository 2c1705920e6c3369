"""What the user names on the command line, as cases: objects, sources, folders of them, programs that carry objects."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.config.compiler import placed
from harness.errors import UsageError
from harness.host.paths import shown
from harness.model.architectures import ARCHITECTURES
from harness.supply.objects import EM_BPF
from harness.supply.own.arch_names import FileName, parts_of
from harness.supply.own.embedded import embedded_in
from harness.supply.own.object_case import ObjectCase, Said

SOURCE_END, SOURCES, OBJECTS = ".c", "*.bpf.c", ("*.o", "*.elf")
_NOT_IN_AN_ID = re.compile(r"[^A-Za-z0-9._+-]+")
_ENDS = re.compile(r"\.bpf\.c$|\.c$|(\.bpf)?\.o$|\.elf$")
MOST_NEAR = 3
"""How many folders a message names."""
NOT_STRICT = "-Wno-error"
"""What a source of somebody else is compiled with, beside the usual: its warnings are its author's."""


@dataclass(frozen=True, kw_only=True)
class _Found:
    """One thing to check: its files, the name that is to become its id, and an object that was found in a program."""

    name: str
    files: tuple[Path, ...]
    data: bytes = b""
    arch: str = ""


def cases_of(paths: Sequence[Path], *, said_of: Callable[[Path, str], Said]) -> tuple[ObjectCase, ...]:
    """Return a case for each object that the user names, each once.

    Files of one object for several architectures are one case, also where only one of them is named; so is a file that
    several links lead to.
    `said_of` says what the user says of an object, by its file and its name. Raises UsageError, with a line for each
    mistake, where something is not there or is no BPF object, source or program that carries any.
    """
    found: dict[tuple[tuple[Path, ...], bytes], _Found] = {}
    problems: list[str] = []
    for path in paths:
        try:
            for each in _things_in(path):
                found.setdefault((tuple(file.resolve() for file in each.files), each.data), each)
        except UsageError as error:
            problems.append(str(error))
    if problems:
        raise UsageError("\n".join(problems))
    cases: list[ObjectCase] = []
    taken: set[str] = set()
    same = defaultdict[str, list[_Found]](list)
    for each in found.values():
        same[_plain_id(each.name)].append(each)
    for each in found.values():
        name = _free_id(each, taken, among=same[_plain_id(each.name)])
        taken.add(name)
        said = said_of(each.files[0], each.name)
        flags = _flags(said) if each.files[0].name.endswith(SOURCE_END) else ()
        cases.append(ObjectCase(id=name, files=each.files, said=said, data=each.data, arch=each.arch, flags=flags))
    return tuple(cases)


def name_of(file: str) -> str:
    """Return what an object is called: its file's name without the ending, and without what says an architecture."""
    parts = parts_of(file)
    return parts.key[0] if parts.says_something else _ENDS.sub("", file) or file


def _flags(said: Said) -> tuple[str, ...]:
    start = said.file.parent if said.file is not None else Path()
    folders = [f"-I{(start / folder).absolute()}" for folder in said.check.include]
    return (NOT_STRICT, *folders, *placed(said.check.cflags, start.absolute()))


def _plain_id(name: str) -> str:
    return _NOT_IN_AN_ID.sub("-", name).strip("-.") or "object"


def _free_id(found: _Found, taken: set[str], *, among: Sequence[_Found]) -> str:
    """Return an id that nobody has.

    That is the object's name where it is alone with it (`among`), else with the name of a folder before it: of the
    nearest that tells all of them apart, or of the nearest.
    """
    plain = _plain_id(found.name)
    folders = [each.files[0].absolute().parent.parts[::-1] for each in among]
    levels = [*zip(*folders, strict=False)]
    level = next((number for number, names in enumerate(levels) if len(set(names)) == len(names)), 0)
    above = found.files[0].absolute().parent.parts[::-1][level]
    name = plain if len(among) == 1 or not above.strip("/") else f"{_plain_id(above)}-{plain}"
    if name not in taken:
        return name
    return next(name for number in range(2, len(taken) + 3) if (name := f"{plain}-{number}") not in taken)


def _things_in(path: Path) -> list[_Found]:
    """Return what a path has to check; raise UsageError where it is nothing that can be."""
    if not path.exists():
        near = f" in {shown(path.parent)}" if path.parent.is_dir() else ""
        raise UsageError(f"there is no {path.name or path}{near}: name a BPF object, a source (*.bpf.c), or a program")
    if path.is_dir():
        return _in_folder(path)
    path = path.absolute()
    if path.name.endswith(SOURCE_END):
        return [_Found(name=name_of(path.name), files=(path,))]
    machine = _machine_of(path)
    if machine == EM_BPF:
        return [_with_siblings(path)]
    return _in_program(path, machine)


def _in_folder(folder: Path) -> list[_Found]:
    sources = sorted(folder.absolute().glob(SOURCES))
    if sources:
        return [_Found(name=name_of(path.name), files=(path,)) for path in sources]
    there = sorted(path for end in OBJECTS for path in folder.absolute().glob(end))
    objects = [path for path in there if path.is_file() and _machine_of(path) == EM_BPF]
    if not objects:
        raise UsageError(
            f"{shown(folder)} has no BPF source ({SOURCES}) and no BPF object ({', '.join(OBJECTS)}){_near(folder)}"
        )
    return [_with_siblings(path) for path in objects]


def _near(folder: Path) -> str:
    """Return what to name instead of a folder that has nothing by itself; "" where nothing is near."""
    others = sorted(path.name for path in folder.glob(f"*{SOURCE_END}"))
    if others:
        return f". If {others[0]} is for BPF, name such sources themselves: {shown(folder)}/*{SOURCE_END}"
    below = sorted({path.parent for end in (SOURCES, "*.bpf.o") for path in folder.glob(f"*/{end}")})
    below = below or sorted({path.parent for end in (SOURCES, "*.bpf.o") for path in folder.glob(f"*/*/{end}")})
    if not below:
        return ""
    more = f" and {len(below) - MOST_NEAR} more" if len(below) > MOST_NEAR else ""
    return f"; folders below it have: {', '.join(shown(path) for path in below[:MOST_NEAR])}{more}"


def _with_siblings(path: Path) -> _Found:
    """Return an object with the files of its folder that are the same one for other architectures, by their names."""
    own = parts_of(path.name)
    files: tuple[Path, ...] = (path,)
    if own.says_something:
        there = sorted(each for end in OBJECTS for each in path.parent.glob(end) if each.is_file())
        files = tuple(each for each in there if _is_sibling(parts_of(each.name), own))
    return _Found(name=name_of(path.name), files=files)


def _is_sibling(other: FileName, own: FileName) -> bool:
    return other.says_something and other.key == own.key


def _in_program(path: Path, machine: int | None) -> list[_Found]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{shown(path)} cannot be read: {error.strerror}") from error
    objects = embedded_in(data) if machine is not None else []
    arch = next((each.name for each in ARCHITECTURES.values() if each.elf_machine == machine), "")
    if machine is None:
        raise UsageError(
            f"{shown(path)} is neither a BPF object nor a program: it is no ELF file. "
            "Name an object that clang -target bpf made, its source (*.bpf.c), or a program that carries objects"
        )
    if not objects:
        raise UsageError(
            f"{shown(path)} is a program or object for machine {machine}, not for BPF ({EM_BPF}), and carries no BPF "
            "object. Is it compressed, or does it read its objects from files? Name those"
        )
    if len(objects) == 1:
        return [_Found(name=path.name, files=(path,), data=objects[0].data, arch=arch)]
    return [_Found(name=f"{path.name}-{each.name}", files=(path,), data=each.data, arch=arch) for each in objects]


def _machine_of(path: Path) -> int | None:
    """Return e_machine of an ELF file, None where a file is none."""
    try:
        with path.open("rb") as file:
            head = file.read(20)
    except OSError as error:
        raise UsageError(f"{shown(path)} cannot be read: {error.strerror}") from error
    if head[:4] != b"\x7fELF" or len(head) < 20:
        return None
    return int.from_bytes(head[18:20], "big" if head[5] == 2 else "little")
