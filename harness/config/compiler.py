"""Flags of clang that a user gives beside ours: how they are written, and which of them bpfmatrix cannot do with."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from harness.config.base import Arch, Line
from harness.config.reading.explain import did_you_mean
from harness.config.reading.models import Expects, problem
from harness.config.reading.yaml_source import Loc, quoted
from harness.config.steps import ObjectName

_EACH_ARCHITECTURE = "a source is compiled for each architecture of the matrix, which bpfmatrix says by itself"
_ONE_OBJECT = "bpfmatrix makes an object of each source, and nothing else"
_DEPENDENCIES = "bpfmatrix asks clang by itself which files it reads, so that an object is never older than they are"
_TYPES = (
    "libbpf needs the object's BTF, which is made of -g; for programs without BTF name the source *.nobtf.bpf.c instead"
)
_FLAGS_OF_A_FILE = "a change of that file would not be seen; give the flags here"
REFUSED: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf"(?:{pattern})\Z"), why)
    for pattern, why in (
        (r"--?target(=.*)?|-arch|-m(32|64|(big|little)-endian)|-[DU]__TARGET_ARCH_\w+(=.*)?", _EACH_ARCHITECTURE),
        (r"-o.*|--output.*|-[cES]|-###|-x.*|-fsyntax-only|-emit-.*|--(precompile|analyze)", _ONE_OBJECT),
        (r"-flto.*|-save-temps.*|--save-temps.*|--help.*|--version|-print-.*|--print-.*|-$", _ONE_OBJECT),
        (r"-M.*|-Wp,.*|--(write-)?(user-)?dependencies", _DEPENDENCIES),
        (r"-g0|-g1|-ggdb[01]|-gline-.*|-gmlt|-gsplit-dwarf.*", _TYPES),
        (r"@.*|--config.*", _FLAGS_OF_A_FILE),
    )
)
"""What is refused: whole flags, and why. All else is the user's business: clang takes the last of two."""
FOLDERS = ("-I", "-isystem", "-iquote", "-idirafter")
"""Flags that name a folder of headers, right behind them or as the next word."""
FILES = ("-include", "-imacros")
"""Flags that name a header, as the next word; it is looked for in the folder of the flags first."""
WITH_A_WORD = (*FOLDERS, *FILES, "-D", "-U", "-mllvm", "-Xclang", "-isysroot", "-iprefix", "-iwithprefix")
"""Flags that take the next word, where nothing is right behind them."""
_EXPECTED = "flags of clang, such as [-DDEBUG, -Iheaders], or a text of such flags"


def as_flags(value: object) -> object:
    """Return flags that are one text as its words, taken apart as a shell does; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return shlex.split(value)
    except ValueError as error:
        raise problem(f"cannot be taken apart into flags: {error}") from error


Flags = Annotated[
    tuple[Line, ...],
    BeforeValidator(as_flags),
    Expects(_EXPECTED),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string", "pattern": r"\S"}}]}),
]
"""Flags of clang, in their order."""
CFLAGS = "More flags for clang, where a source is compiled; they come last. Folders in them start here."


def flag_problems(loc: Loc, written: object) -> Iterator[tuple[Loc, str]]:
    """Yield the place and what is wrong, for each flag of a list or text that bpfmatrix cannot do with."""
    try:
        flags = as_flags(written)
    except PydanticCustomError:
        return  # the model says what is wrong with it
    if not isinstance(flags, list) or not all(isinstance(each, str) for each in flags):
        return
    for index, text in _wrong_flags(flags):
        yield (*loc, index) if isinstance(written, list) else loc, text


def _wrong_flags(flags: Sequence[str]) -> Iterator[tuple[int, str]]:
    before = ""
    for index, flag in enumerate(flags):
        whole = f"{before}{flag}" if before in ("-D", "-U") else flag
        why = next((why for pattern, why in REFUSED if pattern.match(whole)), "")
        if why and before not in (*FOLDERS, *FILES):
            yield index, f"{whole} cannot be given: {why}"
        elif not before and not flag.startswith("-"):
            yield index, f"{quoted(flag)} is no flag: clang would take it for another source"
        before = flag if flag in WITH_A_WORD and not before else ""
    if before:
        yield len(flags) - 1, f"{before} needs a word behind it"


def placed(flags: Sequence[str], folder: Path) -> tuple[str, ...]:
    """Return flags whose folders, and headers that are there, begin at a folder: clang would begin where it is run."""
    found: list[str] = []
    before = ""
    for flag in flags:
        if before in FOLDERS:
            found.append(str(folder / flag))
        elif before in FILES:
            found.append(str(folder / flag) if (folder / flag).is_file() else flag)
        else:
            found.append(_with_folder(flag, folder) if not before else flag)
        before = flag if flag in WITH_A_WORD and not before else ""
    return tuple(found)


def _with_folder(flag: str, folder: Path) -> str:
    for each in FOLDERS:
        if flag.startswith(each) and flag != each:
            return f"{each}{folder / flag.removeprefix(each).removeprefix('=')}"
    return flag


def flags_for(
    file: str, given: Sequence[str] | Mapping[str, Sequence[str]], files: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the flags that are given for a file, by the objects of a case that are made of it (`files`)."""
    if not isinstance(given, Mapping):
        return tuple(given)
    return next((tuple(given[name]) for name, each in files.items() if each == file and name in given), ())


def compiler_problems(data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
    """Only sources are compiled, each with one choice of flags; and some flags bpfmatrix cannot do with."""
    for key in ("cflags", "btf"):
        if key in data and "command" in data:
            yield (key,), 'not allowed beside "command": a command opens its objects by itself'
    written = data.get("cflags")
    by_object = written if isinstance(written, Mapping) else {}
    for name, flags in by_object.items():
        yield from flag_problems(("cflags", name), flags)
    if written is not None and not by_object:
        yield from flag_problems(("cflags",), written)
    objects = _objects_of(data)
    if objects and written and not by_object and not any(map(_is_source, objects.values())):
        yield ("cflags",), "no object of this case is compiled: *.o is taken as it is"
    for name in by_object:
        if objects and name not in objects:
            yield ("cflags", name), f"the case has no object {quoted(name)}{did_you_mean(str(name), objects)}"
        elif objects and not _is_source(objects[name]):
            yield ("cflags", name), f"{objects[name]} is not compiled: *.o is taken as it is"
    for name, file in objects.items():
        others = [each for each in objects if objects[each] == file and by_object.get(each) != by_object.get(name)]
        if name in by_object and others:
            text = f"{others[0]} is the same file with other flags; #include it in a source of its own for one of them"
            yield ("cflags", name), text


def _objects_of(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the files of a case by the object's name, as they are written."""
    found = dict(data["objects"]) if isinstance(data.get("objects"), Mapping) else {}
    for name in ("target", "tracer"):
        if isinstance(data.get(name), Mapping) and "object" in data[name]:
            found[name] = data[name]["object"]
    return found


def _is_source(file: object) -> bool:
    files = list(file.values()) if isinstance(file, Mapping) else [file]
    return any(isinstance(each, str) and each.endswith(".c") for each in files)


BtfName = Annotated[
    str,
    Field(pattern=r"^(shared/)?[A-Za-z0-9_][A-Za-z0-9._+-]*$"),
    Expects("the name of a file in this folder, or shared/ and the name of a shared one"),
]
BTF = (
    "The types of the kernel, for CO-RE, in place of those that it has itself: a file with BTF (what "
    "/sys/kernel/btf/vmlinux is, or an ELF file with a section .BTF). Or files by architecture."
)


def first_of(value: str | Mapping[str, str] | None) -> str:
    """Return a file, the first of several by architecture, or "" where there is none."""
    return "" if value is None else value if isinstance(value, str) else next(iter(value.values()))


CompilerFlags = Annotated[
    Flags | Annotated[Mapping[ObjectName, Flags], Field(min_length=1)],
    Expects("flags of clang, such as [-DDEBUG, -Iheaders], or such flags by object"),
]
KernelTypes = Annotated[
    BtfName | Annotated[Mapping[Arch, BtfName], Field(min_length=1)],
    Expects("the name of a file in this folder, or such names by architecture"),
]
