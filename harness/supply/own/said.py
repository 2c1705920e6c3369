"""What the user says of objects: check.yaml beside them, and options of the command line, which come first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from harness.config.check import CHECK_FILE, CheckFile, load_check
from harness.config.reading.explain import explain
from harness.config.reading.models import frozen_copy
from harness.config.reading.yaml_source import Loc, Positions
from harness.errors import UsageError
from harness.host.paths import shown
from harness.supply.own.object_case import Said


@dataclass(frozen=True, kw_only=True)
class Given:
    """The options of a command that say something of objects.

    `rodata` has texts VARIABLE=VALUE, with a value as in YAML; `file` takes the place of every check.yaml.
    """

    programs: Sequence[str] = ()
    rodata: Sequence[str] = ()
    run: bool = True
    require_run: bool = False
    file: Path | None = None
    btf: Path | None = None

    def written(self) -> tuple[dict[str, Any], dict[Loc, str]]:
        """Return the options as check.yaml would have them, and how each was given, by its place.

        Raises UsageError where --rodata is no VARIABLE=VALUE.
        """
        data: dict[str, Any] = {}
        places: dict[Loc, str] = {}
        if self.programs:
            data["programs"] = list(self.programs)
            places |= {("programs", index): f"--program {name}" for index, name in enumerate(self.programs)}
        for text in self.rodata:
            name, equals, value = text.partition("=")
            try:
                read = yaml.safe_load(value) if equals else None
            except yaml.YAMLError:
                read = None
            if read is None:
                raise UsageError(f'--rodata takes VARIABLE=VALUE, such as wanted_pid=1; got "{text}"')
            data.setdefault("rodata", {})[name.strip()] = read
            places["rodata", name.strip()] = f"--rodata {text}"
        if self.btf is not None:
            data["btf"] = str(self.btf)
            places["btf",] = f"--btf {self.btf}"
        if not self.run:
            data["run"] = False
        if self.require_run:
            data["require-run"] = True
        return data, places


class Sayings:
    """Says of each object what the user does; each file is read once."""

    def __init__(self, given: Given) -> None:
        """Raise UsageError where the options cannot be used."""
        self._given = given
        data, self._places = given.written()
        positions = Positions(lines={}, texts={})
        try:
            self._options = CheckFile.model_validate(data)
        except ValidationError as error:
            text = explain(error, path=Path("options"), positions=positions, model=CheckFile, data=data)
            lines = [line.partition(": ")[2] for line in text.splitlines()]
            raise UsageError("\n".join(lines)) from error
        self._keys = [key.replace("-", "_") for key in data]
        self._read: dict[Path, tuple[CheckFile, Positions]] = {}

    def of(self, file: Path, name: str) -> Said:
        """Return what is said of the object `name` in `file`; raise ConfigError where its check.yaml is wrong."""
        found = self._file_of(file, name)
        if found is None:
            return Said(check=self._options, options=self._places)
        if found not in self._read:
            self._read[found] = load_check(found)
        check, positions = self._read[found]
        changes = {key: getattr(self._options, key) for key in self._keys}
        if "rodata" in changes:
            changes["rodata"] = {**check.rodata, **self._options.rodata}
        return Said(
            check=frozen_copy(CheckFile, check, **changes), file=found, positions=positions, options=self._places
        )

    def _file_of(self, file: Path, name: str) -> Path | None:
        if self._given.file is not None:
            if not self._given.file.is_file():
                raise UsageError(f"there is no file {shown(self._given.file)} for --config")
            return self._given.file
        both = (file.parent / f"{name}.{CHECK_FILE}", file.parent / CHECK_FILE)
        return next((path for path in both if path.is_file()), None)
