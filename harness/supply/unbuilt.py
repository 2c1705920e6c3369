"""A case of a plan before its objects are known, whatever it was written in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.config.case import WrittenCase
from harness.model.architectures import Architecture
from harness.scenario.case import Case
from harness.scenario.from_command import Command
from harness.scenario.from_yaml import command_of, compile_case
from harness.supply.brought import Brought, brought_by
from harness.supply.dependencies import Sight
from harness.supply.kernel_btf import checked_btf
from harness.supply.names import resolve
from harness.supply.objects import ObjectBuilder
from harness.supply.pushed import parse_push
from harness.supply.wanted import Wanted


@dataclass(frozen=True, kw_only=True)
class BuiltCase:
    """A case with what its objects say, and their files by the names that the case gives them.

    `wanted` is what it brings into its guest, which is found once there is a guest image.
    """

    case: Case
    files: Mapping[str, Path]
    wanted: Wanted | Brought | None = None


class ModuleUser(Protocol):
    """What may need modules of a kernel."""

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that it names."""


class UnbuiltCase(ModuleUser, Protocol):
    """What a run's plan has of a case."""

    @property
    def id(self) -> str:
        """The id, unique in a plan, without a space or a slash."""

    @property
    def title(self) -> str:
        """One line about it."""

    @property
    def has_sources(self) -> bool:
        """Whether a compiler makes objects of it: without, all compilers are the same to it."""

    def compiled(self) -> Case:
        """Return the case as far as it is known without its objects: what is reported where they cannot be had."""

    def build(self, objects: ObjectBuilder, arch: Architecture, *, sight: Sight) -> BuiltCase:
        """Build or find its objects for an architecture.

        Raises BuildError where they cannot be had, ConfigError where the case gives names that they do not have.
        """


@dataclass(frozen=True)
class YamlCase:
    """A case of a folder, written in YAML."""

    written: WrittenCase

    @property
    def id(self) -> str:
        """The name of its folder."""
        return self.written.id

    @property
    def title(self) -> str:
        """Its title."""
        return self.written.title

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that it names."""
        return self.written.modules

    @property
    def has_sources(self) -> bool:
        """Whether it names a source."""
        return any(file.endswith(".c") for file in self.written.files.values())

    def compiled(self) -> Case:
        """Return the case with the names as they are written."""
        return compile_case(self.written)

    def build(self, objects: ObjectBuilder, arch: Architecture, *, sight: Sight) -> BuiltCase:
        """Compile its sources, and look up in the objects the names that it gives."""
        command = command_of(self.written)
        if command is not None:
            return BuiltCase(case=self.compiled(), files={}, wanted=wanted_of(self.written, command))
        own = self.written.for_arch(arch.name)
        built = objects.build(own, arch, sight=sight)
        case = resolve(own, {name: each.listing for name, each in built.items()})
        files = {name: each.path for name, each in built.items()}
        if own.btf_file:
            files[own.btf_file] = checked_btf(own.path_of(own.btf_file), arch)
        return BuiltCase(case=case, files=files, wanted=brought_by(own))


def wanted_of(written: WrittenCase, command: Command) -> Wanted:
    """Return what a written case's command needs in its guest."""
    return Wanted(
        command=command,
        folder=written.folder,
        files=tuple(parse_push(text, folder=written.folder) for text in written.brought),
        packages=written.packages,
    )


def yaml_cases(written: Iterable[WrittenCase]) -> tuple[YamlCase, ...]:
    """Return cases that were written in YAML as a plan has them."""
    return tuple(YamlCase(each) for each in written)
