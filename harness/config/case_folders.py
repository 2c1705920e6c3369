"""The folders of cases: finding those that the matrix means, and reading each with the files and lists it names."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from harness.config.case import CASE_FILE, SHARED_FOLDER, CaseBesideScenario, CaseFile, WrittenCase
from harness.config.reading.explain import did_you_mean, problems_text, read
from harness.config.reading.models import frozen_copy
from harness.config.reading.yaml_source import Loc, dotted
from harness.config.rules import RELEASES, SharedRules, expand, load_shared
from harness.config.scenario_file import SCENARIO_FILE, WrittenScenario, read_scenario
from harness.config.setup import setup_problems
from harness.errors import ConfigError
from harness.host.paths import shown

SOURCE_GLOB = "*.bpf.c"
_ID = re.compile(r"[a-z0-9][a-z0-9-]*")


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
    scenario = read_scenario(folder)
    if scenario is not None and not path.exists():
        return _scenario_alone(folder, scenario)
    model = CaseFile if scenario is None else CaseBesideScenario
    case, positions = read(path, model, spelled=RELEASES)
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
    for loc, name in _btf_files(case).items():
        place = folder.parent if name.startswith(f"{SHARED_FOLDER}/") else folder
        if not (place / name).is_file():
            missing.append((loc, f"{dotted(loc)}: there is no file {name} in {_searched(name, folder)}"))
    rules, wrong = expand(case.expect, shared=shared) if shared else ((), ())
    problems = [*missing, *wrong, *setup_problems(case.setup)]
    if problems:
        raise ConfigError(problems_text(problems, path=path, positions=positions))
    own = {"objects": _objects_in(folder)} if scenario is not None and not case.objects else {}
    return frozen_copy(WrittenCase, case, id=folder.name, folder=folder, expect=rules, scenario=scenario, **own)


def _btf_files(case: CaseFile) -> dict[Loc, str]:
    """Return the files with types of kernels that a case names, by their places."""
    if case.btf is None:
        return {}
    return (
        {("btf",): case.btf} if isinstance(case.btf, str) else {("btf", arch): each for arch, each in case.btf.items()}
    )


def _scenario_alone(folder: Path, scenario: WrittenScenario) -> WrittenCase:
    """Return the case of a folder that has a scenario.py and no case.yaml; raise ConfigError where it has no title."""
    if not scenario.title:
        raise ConfigError(
            f"{shown(folder / SCENARIO_FILE)}:1: where there is no {CASE_FILE}, the first line of its docstring is the "
            'title of the case; begin the file with """What it tries."""'
        )
    case = CaseFile.model_construct(title=scenario.title, description=scenario.description)
    objects = _objects_in(folder)
    return frozen_copy(WrittenCase, case, id=folder.name, folder=folder, scenario=scenario, objects=objects)


def _objects_in(folder: Path) -> dict[str, str]:
    """Return the objects of a folder: name -> file. A name is the file's first part, or all of it where two have it."""
    files = _files_in(folder)
    stems = [file.split(".")[0] for file in files]
    return {stem if stems.count(stem) == 1 else file: file for stem, file in zip(stems, files, strict=True)}


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
    if (folder / CASE_FILE).exists() or (folder / SCENARIO_FILE).exists():
        return True
    return folder.name != SHARED_FOLDER and any(folder.glob(SOURCE_GLOB))
