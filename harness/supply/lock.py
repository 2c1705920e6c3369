"""matrix.lock: which builds the matrix is made of. What a source pins it keeps as it is, and understands none of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from harness.errors import ConfigError
from harness.host.called_as import command
from harness.supply.debian.pin import ImagePin
from harness.supply.kernels.registry import PIN_TYPES

SCHEMA = 2
"""The number of the file's form. 1: without a number, and each kernel is Debian's, without a `source`."""

_HEADER = """\
# The exact builds that matrix.yaml and images/contents.yaml stand for. Written by the command `lock`; do not edit.
# File names are below the archive's base; the mirror that has them is not the lock's business.
"""


@dataclass(frozen=True)
class KernelPin:
    """The entry of one kernel: the name of the source that made it, and what that source pins."""

    source: str
    pin: Any


class SweptRow(BaseModel):
    """One row of a sweep: its name, which `kernels` of the lock has as well, and the suite that has the build."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    suite: str = ""


class SweepPin(BaseModel):
    """The rows of an entry of the matrix that is a sweep, the oldest build first; `builds` and `suites` repeat it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    builds: int | Literal["all"]
    suites: tuple[str, ...] = ()
    rows: tuple[SweptRow, ...]


@dataclass(frozen=True, kw_only=True)
class Lock:
    """The whole lock: kernels and sweeps by their name in the matrix, images by architecture, packages by `pin_key`.
    Packages of the axes are there by `Request.key` (harness/supply/axis_packages.py).

    Of a sweep each build is an entry of `kernels`.
    """

    kernels: Mapping[str, KernelPin] = field(default_factory=dict)
    images: Mapping[str, ImagePin] = field(default_factory=dict)
    packages: Mapping[str, ImagePin] = field(default_factory=dict)
    sweeps: Mapping[str, SweepPin] = field(default_factory=dict)
    axes: Mapping[str, ImagePin] = field(default_factory=dict)

    def render(self) -> str:
        """Return the text of the file; the same lock always gives the same text."""
        kernels = {name: {"source": entry.source, **_plain(entry.pin)} for name, entry in self.kernels.items()}
        images = {name: _plain(image) for name, image in self.images.items()}
        data = {"images": images, "kernels": kernels}
        if self.packages:
            data["packages"] = {name: _plain(packages) for name, packages in self.packages.items()}
        if self.axes:
            data["axes"] = {name: _plain(packages) for name, packages in self.axes.items()}
        if self.sweeps:
            sweeps = {name: each.model_dump(mode="json", exclude_defaults=True) for name, each in self.sweeps.items()}
            data["sweeps"] = sweeps
        text = yaml.safe_dump(data, sort_keys=True, width=160, allow_unicode=True)
        return f"{_HEADER}schema: {SCHEMA}\n{text}"


class _Document(BaseModel):
    """The file's form; what the kernels' entries hold is their sources' own."""

    model_config = ConfigDict(extra="forbid")

    form: int = Field(default=1, alias="schema", ge=1, le=SCHEMA)
    kernels: dict[str, dict[str, Any]] = Field(default_factory=dict)
    images: dict[str, ImagePin] = Field(default_factory=dict)
    packages: dict[str, ImagePin] = Field(default_factory=dict)
    sweeps: dict[str, SweepPin] = Field(default_factory=dict)
    axes: dict[str, ImagePin] = Field(default_factory=dict)


def read_lock(path: Path, *, pin_types: Mapping[str, type[Any]] = PIN_TYPES) -> Lock:
    """Return the lock at `path`, an empty one where there is no file; raise ConfigError on a malformed one.

    `pin_types` has what each source pins, by the source's name.
    """
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        return _parse(data or {}, pin_types)
    except FileNotFoundError:
        return Lock()
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError, ValueError) as error:
        raise ConfigError(
            f"{path}: not a usable lock: {error}\nRemove it and run `{command('lock')}`, or take it back from git."
        ) from error


def write_lock(path: Path, lock: Lock) -> None:
    """Replace the file at `path` atomically; raise OSError where that fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(lock.render(), encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _parse(data: Any, pin_types: Mapping[str, type[Any]]) -> Lock:
    document = _Document.model_validate(data)
    of_all = {"source": "debian"} if document.form == 1 else {}
    kernels = {name: _kernel_pin(name, {**of_all, **entry}, pin_types) for name, entry in document.kernels.items()}
    return Lock(
        kernels=kernels,
        images=document.images,
        packages=document.packages,
        sweeps=document.sweeps,
        axes=document.axes,
    )


def _kernel_pin(name: str, entry: dict[str, Any], pin_types: Mapping[str, type[Any]]) -> KernelPin:
    """Return an entry with its pin; raise ValueError where its source is unknown, or pins something else."""
    source = entry.pop("source", None)
    if source not in pin_types:
        raise ValueError(f"kernels.{name}: no source of kernels with pins is called {source!r}")
    try:
        return KernelPin(source, _adapter(pin_types[source]).validate_python(entry))
    except ValidationError as error:
        raise ValueError(f"kernels.{name}: {error}") from error


def _plain(pin: Any) -> dict[str, Any]:
    found: dict[str, Any] = _adapter(type(pin)).dump_python(pin, mode="json", exclude_none=True)
    return found


def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    """Return what reads and writes values of a class; making it takes longer than using it."""
    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


_adapters: dict[type[Any], TypeAdapter[Any]] = {}
