"""Which line of the repository a failure is about: of a source, of the rule that says otherwise, of a case."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.answers.explain import Cause
from harness.config.case import CASE_FILE
from harness.config.case_folders import find_folders
from harness.config.reading.yaml_source import Positions, load
from harness.config.rules import SHARED_FILE
from harness.config.scenario_file import SCENARIO_FILE
from harness.errors import ConfigError
from harness.model.results import Expectation, Outcome, Report, Stage
from harness.reports.github import Spot
from harness.supply.project import Project

_COMPILER = re.compile(r"^(?P<file>[^\s:]+):(?P<line>\d+):(?:\d+:)? (?:fatal )?error:", re.MULTILINE)
"""How clang says an error."""

_VERIFIER = re.compile(r" @ (?P<file>[^\s:/]+):(?P<line>\d+)$", re.MULTILINE)
"""How a verifier says which line of the source comes next, before its instructions (Linux 6.8, kernel/bpf/log.c,
verbose_linfo()): a name without its folder."""


class Spots:
    """Finds the places of a run's failures in the files of a repository whose top is `top`.

    What cannot be found or read has no place: nothing is raised.
    """

    def __init__(self, report: Report, *, project: Project, top: Path) -> None:
        self._top = top.resolve()
        self._folders = _case_folders(project)
        self._given = _given_files(report)
        self._rules = {(cell.kernel, cell.case): cell.expectation for cell in report.cells}

    def of(self, cause: Cause) -> Spot | None:
        """Return the place of a cause: a line of a source, else of a rule, else its case or object."""
        place = cause.places[0]
        folder = self._folders.get(place.case)
        near = [folder, folder.parent / "shared"] if folder else [path.parent for path in self._given_as(place.case)]
        said = source_line(cause.seen.outcome)
        source = _found(said[0], near) if said else None
        if said and source:
            return self._spot(source, said[1])
        if folder is None:
            return next((spot for path in self._given_as(place.case) if (spot := self._spot(path, 0))), None)
        files = [folder / CASE_FILE, folder.parent / SHARED_FILE]
        for path in files:
            if line := _line_of(path, self._rules.get((place.kernel, place.case))):
                return self._spot(path, line)
        own = next((path for path in (files[0], folder / SCENARIO_FILE) if path.is_file()), None)
        return self._spot(own, 1) if own else None

    def _given_as(self, case: str) -> list[Path]:
        """Return the files of the command line that a case of `check` may be named after."""
        return [path for path in self._given if path.name.split(".")[0].replace("_", "-") == case.replace("_", "-")]

    def _spot(self, path: Path, line: int) -> Spot | None:
        resolved = path.resolve()
        return Spot(file=str(resolved.relative_to(self._top)), line=line) if self._top in resolved.parents else None


def source_line(outcome: Outcome) -> tuple[str, int] | None:
    """Return the file and the line of a source that an outcome's log is about, None where it names none.

    Of a compiler that is its first error, of a verifier the line that it was at when it refused.
    """
    if outcome.stage is Stage.BUILD:
        match = _COMPILER.search(outcome.log)
    else:
        match = next(iter([*_VERIFIER.finditer(outcome.log)][-1:]), None)
    return (match["file"], int(match["line"])) if match else None


def rule_line(data: Mapping[str, Any], positions: Positions, rule: Expectation) -> int:
    """Return the line of a rule in what a case.yaml or an expectations.yaml has, 0 where it is not there.

    A rule is found by what it says as its reason, wherever in the file a list of rules is.
    """
    for key, rules in data.items():
        for number, each in enumerate(rules if isinstance(rules, list) else ()):
            if isinstance(each, Mapping) and _same(each.get("reason"), rule.reason):
                return positions.line((key, number))
    return 0


def _same(written: object, reason: str) -> bool:
    return isinstance(written, str) and bool(reason) and written.split() == reason.split()


def _line_of(path: Path, rule: Expectation | None) -> int:
    if rule is None or not rule.reason or not path.is_file():
        return 0
    try:
        return rule_line(*load(path), rule)
    except ConfigError:
        return 0


def _found(name: str, folders: Sequence[Path]) -> Path | None:
    """Return where the file is that a log names: by its path, or the only one of its name in some folders."""
    if Path(name).is_file():
        return Path(name)
    there = {path.resolve() for folder in folders for path in folder.glob("*") if path.name == Path(name).name}
    return there.pop() if len(there) == 1 else None


def _case_folders(project: Project) -> dict[str, Path]:
    """Return the folders of the cases by their id, as far as they can be found."""
    try:
        globs = project.case_globs(() if project.suite else project.load_matrix().cases)
    except ConfigError:
        return {}
    return {folder.name: folder.absolute() for folder in find_folders(project.matrix_file, globs)[0]}


def _given_files(report: Report) -> list[Path]:
    return [*_files(shlex.split(report.run.command))]


def _files(words: Sequence[str]) -> Iterator[Path]:
    """Yield the files that a command line names, and the sources and objects in the folders that it does."""
    for word in words[1:]:
        path = Path(word)
        if path.is_dir():
            yield from sorted(each for glob in ("*.bpf.c", "*.o") for each in path.glob(glob))
        elif path.is_file():
            yield path
