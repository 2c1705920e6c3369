"""case.yaml: one thing tried on every kernel, and what should come of it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, Strict, WithJsonSchema
from pydantic.config import JsonDict

from harness.config.base import Arch, KernelOption, Line, MapName, ModuleName, Seconds, Symbol, Sysctl
from harness.config.reading.explain import did_you_mean, problems_text, read
from harness.config.reading.models import CheckedModel, Expects, Model, frozen_copy
from harness.config.reading.yaml_source import Loc, dotted
from harness.config.rules import RELEASES, Rule, RuleOrUse, SharedRules, expand, load_shared
from harness.config.steps import (
    FunctionReference,
    ObjectName,
    Observation,
    Step,
    Trigger,
)
from harness.errors import ConfigError, ObjectFileError
from harness.host.paths import shown

CASE_FILE = "case.yaml"
SOURCE_GLOB = "*.bpf.c"
SHARED_FOLDER = "shared"
"""The folder beside those of the cases with the files that several of them name, as `shared/NAME`."""
_ID = re.compile(r"[a-z0-9][a-z0-9-]*")


ObjectFile = Annotated[
    str,
    Field(pattern=r"^(shared/)?[A-Za-z0-9_][A-Za-z0-9._+-]*(\.bpf\.c|\.o)$"),
    Expects('the name of a file in this folder that ends in ".bpf.c" or ".o", or shared/ and the name of a shared one'),
]
ObjectFiles = Annotated[
    ObjectFile | Annotated[Mapping[Arch, ObjectFile], Field(min_length=1)],
    Expects(
        'the name of a file in this folder that ends in ".bpf.c" or ".o", or shared/ and the name of a shared one; '
        "or such names by architecture"
    ),
]
"""An object: one file for all architectures, or one for each that has a name here."""
_OBJECT = (
    "File in this folder, or, as shared/NAME, in the folder `shared` beside it, for files that several cases have: "
    "*.bpf.c is compiled, *.o is taken as it is. Or files by architecture."
)
SysctlValue = Annotated[Annotated[int, Strict()] | str, Expects("an integer or text")]
_OPTION_VALUE = {"type": ["integer", "string"]}


def _as_values(value: object) -> object:
    """Return a single value as a list of one, anything else as it is."""
    return [value] if isinstance(value, int | str) and not isinstance(value, bool) else value


OptionValues = Annotated[
    tuple[Annotated[Annotated[int, Strict()] | str, Expects("y, m, n, an integer or text")], ...],
    BeforeValidator(_as_values),
    Field(min_length=1),
    Expects("y, m, n, an integer or text, or a list of these"),
    WithJsonSchema({"anyOf": [_OPTION_VALUE, {"type": "array", "minItems": 1, "items": _OPTION_VALUE}]}),
]
"""What an option of the kernel's configuration may be: one of these."""
CommandLine = Annotated[str, Field(pattern=r"^[ -~]*$"), Expects("kernel parameters in one line of plain ASCII")]


class TailCall(Model):
    """One slot of a program array."""

    map: MapName = Field(description="The program array in the target object.")
    index: Annotated[int, Strict(), Field(ge=0, le=0xFFFFFFFF)] = Field(description="The slot to fill.")
    program: Symbol = Field(description="The program that goes into the slot.")


class Target(Model):
    """The BPF object whose programs are traced or replaced."""

    object: ObjectFiles = Field(description=_OBJECT)
    attach: tuple[Symbol, ...] = Field(default=(), description="Programs to attach, in this order.")
    tail_calls: tuple[TailCall, ...] = Field(
        default=(), description="Slots of program arrays to fill before the programs are attached."
    )


class Again(Model):
    """A second look, with other programs in the slots of program arrays."""

    tail_calls: Annotated[tuple[TailCall, ...], Field(min_length=1)] = Field(
        description="The slots to fill again, with other programs."
    )
    observe: Observation = Field(description="What must be seen then; {} for nothing.")


class TracerAttach(Model):
    """One tracer: which program it is, and what it is attached to."""

    program: Symbol = Field(description="The program in the tracer object.")
    target: Symbol = Field(description="The program of the target object that it is attached to.")
    function: Symbol | None = Field(
        default=None,
        description="The function (by its BTF name) inside the target; without it the target's own name.",
    )

    @property
    def function_name(self) -> str:
        """The BTF function to attach to: `function`, or the target program's own name."""
        return self.function or self.target


class Tracer(Model):
    """The BPF object with the fentry, fexit, freplace, ... programs."""

    object: ObjectFiles = Field(description=_OBJECT)
    shared_maps: tuple[MapName, ...] = Field(
        default=(),
        description="Maps of the target object that the tracer uses under the same name. Those of the trace "
        "(bpf/include/trace.h) are shared without being named.",
    )
    attach: Annotated[tuple[TracerAttach, ...], Field(min_length=1)] = Field(
        description="The tracers, in the order in which they are attached."
    )


_SIMPLE = ("target", "tracer", "trigger", "observe", "again", "control")
_FORMS: JsonDict = {
    "oneOf": [
        {"required": ["target", "trigger", "observe"], "not": {"anyOf": [{"required": ["steps"]}]}},
        {
            "required": ["objects", "steps"],
            "not": {"anyOf": [{"required": [key]} for key in _SIMPLE]},
        },
    ],
    "dependentRequired": {"control": ["tracer"]},
}


class CaseFile(CheckedModel):
    """One case: programs, what makes them run, what must be seen, and where that is expected.

    Most cases name a target, tracers, a trigger and what must be seen; the order of the steps is then always the
    same. A case whose point is another order spells out `objects` and `steps` instead.
    """

    model_config = ConfigDict(json_schema_extra=_FORMS)

    title: Line = Field(description="The case in one line, as the reports show it.")
    description: str = Field(default="", description="What the case is about, in as many lines as it needs.")
    target: Target | None = Field(default=None, description="The program that is traced or replaced.")
    tracer: Tracer | None = Field(default=None, description="The programs attached to the target.")
    events: MapName | None = Field(
        default=None,
        description="The perf event array that connection events come through: the target object's, or, where that has "
        "none of this name, another object's.",
    )
    trigger: Trigger | None = Field(default=None, description="What makes the target run.")
    observe: Observation | None = Field(
        default=None, description="What must be seen while all is attached; {} for nothing."
    )
    again: Again | None = Field(
        default=None,
        description="Between `observe` and `control`: other programs in the slots, the trigger once more, and what "
        "must be seen then. It distinguishes a tracer that sees the return value from one that always says the same.",
    )
    control: Observation | None = Field(default=None, description="What must be seen after the tracers are detached.")
    objects: Mapping[ObjectName, ObjectFiles] = Field(
        default={},
        description="With `steps`: the objects by name. The events and the trace are read from the maps of the one "
        "named `target`, or, where that has none, from those of the first that has.",
    )
    steps: tuple[Step, ...] = Field(
        default=(), description="The steps in their order, where the usual one will not do."
    )
    isolated: Annotated[bool, Strict()] = Field(
        default=False, description="Give the case a guest of its own, so that a kernel it kills loses nothing else."
    )
    cmdline: Annotated[str, Field(pattern=r"^[ -~]*$"), Expects("kernel parameters in one line of plain ASCII")] = (
        Field(default="", description="More kernel parameters; the case then has a guest of its own.")
    )
    sysctls: Mapping[Sysctl, SysctlValue] = Field(
        default={},
        description="Settings of the guest's kernel, made before anything is loaded.",
        json_schema_extra={"additionalProperties": False},
    )
    kconfig: Mapping[KernelOption, OptionValues] = Field(
        default={},
        description="What the kernel's configuration must say, such as `{CONFIG_BPF_LSM: y, CONFIG_VETH: [y, m]}`; an "
        "option that is not set is `n`.",
        json_schema_extra={"additionalProperties": False},
    )
    modules: tuple[ModuleName, ...] = Field(
        default=(), description="Kernel modules that are loaded for this case and removed after it."
    )
    deadline: Seconds | None = Field(
        default=None, description="Seconds that this case may take, in place of the matrix's."
    )
    missing: tuple[FunctionReference, ...] = Field(
        default=(),
        description="Names that the case gives though its objects do not have them, on purpose: object.program, "
        "object.map, or object.program:function. Every other name must be there.",
    )
    expect: tuple[RuleOrUse, ...] = Field(
        default=(), description="What should happen on which kernels; where no rule covers one, it works."
    )

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """Which parts need which."""
        yield from _form_problems(data)
        if "control" in data and "tracer" not in data:
            yield ("control",), "allowed only with a tracer: it says what is seen once the tracers are detached"
        again = data.get("again")
        for key in ("observe", "control", "again"):
            looks = again.get("observe") if key == "again" and isinstance(again, Mapping) else data.get(key)
            if isinstance(looks, Mapping) and {"client", "listener"} & looks.keys() and "events" not in data:
                yield (key,), 'needs the key "events": the name of the map that the events come through'
        target = data.get("target")
        slots = target.get("tail-calls") if isinstance(target, Mapping) else None
        seen: set[tuple[Any, Any]] = set()
        for index, slot in enumerate(slots if isinstance(slots, list) else []):
            name, number = (slot.get("map"), slot.get("index")) if isinstance(slot, Mapping) else (None, None)
            if not isinstance(name, str) or not isinstance(number, int):
                continue
            if (name, number) in seen:
                yield ("target", "tail-calls", index), f"slot {number} of {name} is filled twice"
            seen.add((name, number))

    @property
    def alone(self) -> bool:
        """Whether the case has a guest of its own."""
        return self.isolated or bool(self.cmdline)

    @property
    def files(self) -> dict[str, str]:
        """The object files by the object's name, `target` and `tracer` for those of the simple form.

        Of an object that has a file for each of several architectures, the first.
        """
        named = self._named()
        return {name: file if isinstance(file, str) else next(iter(file.values())) for name, file in named.items()}

    def _named(self) -> dict[str, str | Mapping[str, str]]:
        """Return what the file says of each object: a file, or one by architecture."""
        found: dict[str, str | Mapping[str, str]] = dict(self.objects)
        if self.target is not None:
            found["target"] = self.target.object
        if self.tracer is not None:
            found["tracer"] = self.tracer.object
        return found


def _form_problems(data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
    """A case has either the simple form or steps."""
    if "steps" in data:
        for key in _SIMPLE:
            if key in data:
                yield (key,), 'not allowed beside "steps": the steps say it all'
        if "objects" not in data:
            yield (), 'the key "steps" needs the key "objects"'
        return
    if "objects" in data:
        yield ("objects",), 'allowed only with "steps"; otherwise give "target" and "tracer"'
    for key in ("target", "trigger", "observe"):
        if key not in data:
            yield (), f'the key "{key}" is missing; give it, or "objects" and "steps" instead'


class WrittenCase(CaseFile):
    """A case as its folder has it. `id` is the folder's name, `folder` its absolute path.

    The rules of the lists that it uses are in their places in `expect`. harness/scenario/from_yaml.py makes of it the
    case that is run and judged.
    """

    id: str
    folder: Path
    expect: tuple[Rule, ...] = ()

    def __hash__(self) -> int:
        return hash((self.id, self.folder))

    def path_of(self, file: str) -> Path:
        """Return where a file lies that the case names: in its own folder, or in the one that cases share."""
        return (self.folder.parent if file.startswith(f"{SHARED_FOLDER}/") else self.folder) / file

    def for_arch(self, arch: str) -> WrittenCase:
        """Return the case with the object files of an architecture; raise ObjectFileError where it has none for it."""
        named = self._named()
        if all(isinstance(file, str) for file in named.values()):
            return self
        files: dict[str, str] = {}
        for name, file in named.items():
            if isinstance(file, str):
                files[name] = file
            elif arch in file:
                files[name] = file[arch]
            else:
                there = ", ".join(file)
                raise ObjectFileError(f"{self.folder / CASE_FILE}: {name} has no object for {arch} (it has: {there})")
        target = self.target and frozen_copy(Target, self.target, object=files["target"])
        tracer = self.tracer and frozen_copy(Tracer, self.tracer, object=files["tracer"])
        objects = {name: files[name] for name in self.objects}
        return frozen_copy(WrittenCase, self, target=target, tracer=tracer, objects=objects)


def load_case(folder: Path) -> WrittenCase:
    """Read and validate the case in `folder`, and check that the files and lists that it names exist.

    Raises ConfigError with one line per error.
    """
    return _load_case(folder, shared=load_shared(folder.absolute().parent))


def _load_case(folder: Path, *, shared: SharedRules | None) -> WrittenCase:
    """Do what `load_case` does; without `shared`, whose file is wrong, what is taken from it is not looked at."""
    path = folder / CASE_FILE
    folder = folder.absolute()
    if not _ID.fullmatch(folder.name):
        raise ConfigError(
            f'{shown(path)}: the folder\'s name is the id of the case, and "{folder.name}" cannot be one; '
            "use lower-case letters, digits and -, with a letter or digit first"
        )
    case, positions = read(path, CaseFile, spelled=RELEASES)
    named: dict[Loc, str | Mapping[str, str]] = {("objects", name): file for name, file in case.objects.items()}
    if case.target:
        named["target", "object"] = case.target.object
    if case.tracer:
        named["tracer", "object"] = case.tracer.object
    objects: dict[Loc, str] = {}
    for loc, file in named.items():
        objects |= {loc: file} if isinstance(file, str) else {(*loc, arch): each for arch, each in file.items()}
    there = [*_files_in(folder), *(f"{SHARED_FOLDER}/{name}" for name in _files_in(folder.parent / SHARED_FOLDER))]
    missing: list[tuple[Loc, str]] = [
        (loc, f"{dotted(loc)}: there is no file {name} in {_searched(name, folder)}{did_you_mean(name, there)}")
        for loc, name in objects.items()
        if name not in there
    ]
    rules, wrong = expand(case.expect, shared=shared) if shared else ((), ())
    if missing or wrong:
        raise ConfigError(problems_text([*missing, *wrong], path=path, positions=positions))
    return frozen_copy(WrittenCase, case, id=folder.name, folder=folder, expect=rules)


def _files_in(folder: Path) -> list[str]:
    """Return the names of the files in a folder that can be objects."""
    return sorted(item.name for glob in (SOURCE_GLOB, "*.o") for item in folder.glob(glob) if item.is_file())


def _searched(name: str, folder: Path) -> str:
    """Return where a file that a case names is looked for."""
    return shown(folder.parent if name.startswith(f"{SHARED_FOLDER}/") else folder)


def load_cases(matrix_path: Path, globs: tuple[str, ...], *, only: Sequence[str] = ()) -> tuple[WrittenCase, ...]:
    """Read the cases in the folders that match `globs`, sorted by id.

    With `only`, patterns of ids, the cases that none of them matches are not read; where one of the patterns
    matches nothing, all are, so that a message can name what there is.
    Relative globs start at the folder of `matrix_path`; a folder that holds neither a case.yaml nor BPF
    sources is passed over. Raises ConfigError, with the errors of all cases, where a case or a list of rules
    is wrong, a glob finds no case, or two folders have the same name.
    """
    folders, errors = find_folders(matrix_path, globs)
    names = {folder.name for folder in folders}
    if only and all(any(fnmatchcase(name, pattern) for name in names) for pattern in only):
        folders = [folder for folder in folders if any(fnmatchcase(folder.name, each) for each in only)]
    cases: dict[str, WrittenCase] = {}
    shared: dict[Path, SharedRules | None] = {}
    for folder in folders:
        parent = folder.absolute().parent
        if parent not in shared:
            try:
                shared[parent] = load_shared(parent)
            except ConfigError as error:
                errors.append(str(error))
                shared[parent] = None
        try:
            case = _load_case(folder, shared=shared[parent])
        except ConfigError as error:
            errors.append(str(error))
            continue
        if case.id in cases:
            errors.append(
                f'{shown(folder / CASE_FILE)}: the id "{case.id}" is already taken by '
                f"{shown(cases[case.id].folder)}; rename one of the folders"
            )
        cases.setdefault(case.id, case)
    if errors:
        raise ConfigError("\n".join(errors))
    return tuple(cases[key] for key in sorted(cases))


def find_folders(matrix_path: Path, globs: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Return the folders of cases that match `globs`, each once, and a sentence per glob that finds none."""
    errors: list[str] = []
    folders: dict[tuple[Path, str], Path] = {}
    for pattern in globs:
        try:
            found = _case_folders(matrix_path.parent, pattern)
        except (ValueError, RuntimeError) as error:
            errors.append(f'{shown(matrix_path)}: cases: "{pattern}" cannot be looked up: {error}')
            continue
        if not found:
            errors.append(
                f'{shown(matrix_path)}: cases: no folder with a {CASE_FILE} matches "{pattern}" '
                f"in {shown(matrix_path.parent.absolute())}"
            )
        for folder in found:  # several globs may find the same one, on different ways
            folders.setdefault((folder.resolve(), folder.name), folder)
    return list(folders.values()), errors


def _case_folders(start: Path, pattern: str) -> list[Path]:
    """Return the folders that match `pattern` and are, or should be, cases; the same ones with every Python.

    Raises ValueError where `**` is only a part of a name, RuntimeError where a home that ~ names is not known.
    """
    wanted = Path(pattern).expanduser()
    # From Python 3.13 on such a part is taken as if it had one asterisk; before, it is refused in other terms.
    if any("**" in part and part != "**" for part in wanted.parts):
        raise ValueError("** means any number of folders, and must stand by itself between two slashes")
    if wanted.is_absolute():
        start, wanted = Path(wanted.anchor), wanted.relative_to(wanted.anchor)
    # A ** at the end finds links to folders from Python 3.13 on only; **/* finds them with all.
    above = wanted.parent if wanted.name == "**" else wanted
    patterns = [above] if above is wanted else [above, wanted / "*"]
    matches: set[Path] = set()
    for each in patterns:
        with contextlib.suppress(OSError):  # a name too long, a folder that may not be read: later Pythons find nothing
            matches.update(start.glob(str(each)) if each.parts else [start])
    return sorted(folder for folder in matches if folder.is_dir() and _is_case(folder))


def _is_case(folder: Path) -> bool:
    if (folder / CASE_FILE).exists():
        return True
    return folder.name != SHARED_FOLDER and any(folder.glob(SOURCE_GLOB))
