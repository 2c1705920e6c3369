"""A whole forecast as a value: every object, every program, every kernel that was looked at; and precheck.json."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from harness.errors import EXIT_HARNESS, EXIT_OK, EXIT_UNEXPECTED, EXIT_USAGE, ConfigError
from harness.forecast.answers import Answer, Finding, ProgramForecast, Weight

SCHEMA = 1
"""The number of precheck.json's form: keys may be added, none changes its meaning."""


@dataclass(frozen=True, kw_only=True)
class LookedAt:
    """A kernel that was looked at, without a boot: what its package says of it.

    `version` is the package's, or of a file its release; `problem` says why there is nothing to look at, "" where there
    is.
    """

    name: str
    arch: str
    package: str = ""
    version: str = ""
    release: str = ""
    distribution: str = ""
    types: bool = True
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class ProgramOf:
    """A program of an object; `on` says whether it counts: it does not where its author means it to be asked for."""

    name: str
    section: str
    on: bool = True


@dataclass(frozen=True, kw_only=True)
class ObjectForecast:
    """An object: its programs, and what is said of each by kernel. `faults` say why there is none for an architecture.

    `modules` are those that are loaded before it.
    """

    name: str
    title: str
    programs: tuple[ProgramOf, ...] = ()
    kernels: Mapping[str, tuple[ProgramForecast, ...]] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)
    modules: tuple[str, ...] = ()

    def on(self) -> tuple[str, ...]:
        """Return the programs that count."""
        return tuple(each.name for each in self.programs if each.on)


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What is said of some objects on some kernels. `version` is bpfmatrix's, `started` in ISO 8601."""

    version: str
    started: str
    seconds: float
    kernels: tuple[LookedAt, ...]
    objects: tuple[ObjectForecast, ...]
    notices: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """3 where a kernel cannot be had, 2 where an object cannot, 1 where a program misses what it needs, else 0."""
        if any(each.problem for each in self.kernels):
            return EXIT_HARNESS
        if any(each.faults for each in self.objects):
            return EXIT_USAGE
        missing = (
            one.answer is Answer.MISSING
            for each in self.objects
            for found in each.kernels.values()
            for one in found
            if one.program in each.on()
        )
        return EXIT_UNEXPECTED if any(missing) else EXIT_OK


def render(forecast: Forecast) -> str:
    """Return precheck.json."""
    document = {"schema": SCHEMA, "exit_code": forecast.exit_code, **asdict(forecast)}
    for each, found in zip(document["objects"], forecast.objects, strict=True):
        for name, programs in found.kernels.items():
            for one, program in zip(each["kernels"][name], programs, strict=True):
                one["answer"] = program.answer
    return json.dumps(document, indent=1) + "\n"


def parse(text: str, *, name: str = "precheck.json") -> Forecast:
    """Return the forecast that a precheck.json has; raise ConfigError where it is none that this version knows."""
    try:
        found = json.loads(text)
        if found["schema"] != SCHEMA:
            raise ConfigError(f"{name}: schema {found['schema']} was found, and this bpfmatrix reads {SCHEMA}")
        return Forecast(
            version=found["version"],
            started=found["started"],
            seconds=found["seconds"],
            kernels=tuple(LookedAt(**each) for each in found["kernels"]),
            objects=tuple(_object(each) for each in found["objects"]),
            notices=tuple(found["notices"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{name}: this is no forecast of bpfmatrix: {error}. Run precheck again") from error


def _object(found: Mapping[str, Any]) -> ObjectForecast:
    return ObjectForecast(
        name=found["name"],
        title=found["title"],
        programs=tuple(ProgramOf(**each) for each in found["programs"]),
        kernels={name: _programs(each) for name, each in found["kernels"].items()},
        faults=found["faults"],
        modules=tuple(found["modules"]),
    )


def _programs(found: Sequence[Mapping[str, Any]]) -> tuple[ProgramForecast, ...]:
    return tuple(
        ProgramForecast(
            program=each["program"],
            findings=tuple(
                Finding(
                    weight=Weight(one["weight"]),
                    subject=one["subject"],
                    text=one["text"],
                    modules=tuple(one["modules"]),
                )
                for one in each["findings"]
            ),
        )
        for each in found
    )
