"""A case that is an object of the user's own: tried program by program, with what check.yaml says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.config.check import CheckFile
from harness.config.reading.yaml_source import Loc, Positions, dotted
from harness.errors import CompileError, ConfigError, ObjectFileError
from harness.host.paths import shown
from harness.model.architectures import ARCHITECTURES, Architecture
from harness.model.listing import Listing
from harness.scenario.case import Case
from harness.scenario.from_check import options_of, wrong_names
from harness.scenario.from_object import ObjectOptions, case_of_object, programs_on
from harness.supply.dependencies import Sight
from harness.supply.kernel_btf import checked_btf
from harness.supply.objects import BuiltObject, ObjectBuilder
from harness.supply.own.arch_names import parts_of
from harness.supply.own.headers import what_is_missing
from harness.supply.unbuilt import BuiltCase

KERNEL_BTF = "kernel.btf"
"""What the file with types of a kernel is called beside the object."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """What the user says of an object: `check` merges check.yaml (`file`, None where there is none) and the options.

    `positions` are those of the file. `options` maps places that the command line gave to how they were given.
    """

    check: CheckFile = field(default_factory=CheckFile)
    file: Path | None = None
    positions: Positions = field(default_factory=lambda: Positions(lines={}, texts={}))
    options: Mapping[Loc, str] = field(default_factory=dict)

    def explained(self, loc: Loc, text: str) -> str:
        """Return a sentence about a place, with the file's line, or the option that says it instead."""
        for length in range(len(loc), 0, -1):
            given = self.options.get(loc[:length])
            if given is not None:
                return text.replace(dotted(loc), given, 1)
        if self.file is None:
            return text
        return f"{shown(self.file)}:{self.positions.line(loc)}: {text}"


@dataclass(frozen=True, kw_only=True)
class ObjectCase:
    """An object of the user's own. `files` are objects or one source, one file for each architecture where they differ.

    With `data` the object was found inside of the file, a program for `arch`.
    """

    id: str
    files: tuple[Path, ...]
    said: Said
    data: bytes = b""
    arch: str = ""
    flags: tuple[str, ...] = ()

    def __hash__(self) -> int:
        return hash((self.id, self.files))

    @property
    def title(self) -> str:
        """The file, as far as one name stands for all."""
        return f"{shown(self.files[0])}{f' ({len(self.files)} files)' if len(self.files) > 1 else ''}"

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that check.yaml names."""
        return self.said.check.modules

    @property
    def has_sources(self) -> bool:
        """Whether it is a source."""
        return self.files[0].name.endswith(".c")

    def compiled(self) -> Case:
        """Return the case without its parts, which only the object knows."""
        return Case(id=self.id, title=self.title)

    def build(self, objects: ObjectBuilder, arch: Architecture, *, sight: Sight) -> BuiltCase:
        """Take or compile the object of an architecture, and make the parts of what it has.

        Raises BuildError where there is no such object or it has no programs, ConfigError where check.yaml or an option
        gives names that it does not have.
        """
        built = self.built(objects, arch, sight=sight)
        listing = built.listing
        options = self.options(listing)
        if not programs_on(listing, options):
            raise ObjectFileError(_nothing_to_try(self.title, listing))
        case = case_of_object(self.id, file=self.id, listing=listing, options=options, title=self.title)
        btf = self.kernel_btf(arch)
        if btf is None:
            return BuiltCase(case=case, files={self.id: built.path})
        return BuiltCase(case=replace(case, btf=KERNEL_BTF), files={self.id: built.path, KERNEL_BTF: btf})

    def options(self, listing: Listing) -> ObjectOptions:
        """Return what the user says of the object; raise ConfigError where names are none that it has."""
        problems = [self.said.explained(loc, text) for loc, text in wrong_names(self.said.check, listing)]
        if problems:
            raise ConfigError("\n".join(dict.fromkeys(problems)))
        return options_of(self.said.check)

    def built(self, objects: ObjectBuilder, arch: Architecture, *, sight: Sight) -> BuiltObject:
        """Take or compile the object of an architecture; raise BuildError where there is none."""
        if self.data:
            if self.arch not in ("", arch.name):
                raise ObjectFileError(
                    f"{shown(self.files[0])} is a program for {self.arch}, so what is in it is not for {arch.name}. "
                    f"Leave {arch.name} out with --arch, or give the program for it"
                )
            return objects.kept(self.data, arch, stem=self.id)
        file = self._file_for(arch)
        if not file.name.endswith(".c"):
            return objects.object_of(file, arch)
        try:
            return objects.own_source(file, arch, sight=sight, flags=self.flags)
        except CompileError as error:
            start = file.parent if self.said.file is None else self.said.file.parent
            missing = what_is_missing(error.log, source=file, start=start)
            if not missing:
                raise
            raise CompileError(f"{error.reason}; {missing}", log=error.log) from error

    def kernel_btf(self, arch: Architecture) -> Path | None:
        """Return the file with types of a kernel that check.yaml or an option names; raise ObjectFileError."""
        named = self.said.check.btf
        if named is None:
            return None
        file = named if isinstance(named, str) else named.get(arch.name)
        if file is None:
            raise ObjectFileError(
                self.said.explained(("btf",), f"btf: has no file for {arch.name} (it has: {', '.join(named)})")
            )
        start = self.said.file.parent if self.said.file is not None and ("btf",) not in self.said.options else Path()
        return checked_btf(start / file, arch)

    def _file_for(self, arch: Architecture) -> Path:
        """Return the file that is for an architecture; one whose name says so comes before one that is for several."""
        if len(self.files) == 1 and not parts_of(self.files[0].name).says_something:
            return self.files[0]
        fitting = [path for path in self.files if parts_of(path.name).fits(arch.name)]
        if not fitting:
            there = ", ".join(path.name for path in self.files)
            raise ObjectFileError(
                f"{shown(self.files[0].parent)} has no {parts_of(self.files[0].name).key[0]} for {arch.name} "
                f"({arch.byte_order}-endian); it has {there}. Compile it with -D__TARGET_ARCH_{arch.clang_arch} "
                f"-target {arch.bpf_target}, or leave {arch.name} out"
            )
        return min(fitting, key=lambda path: len(parts_of(path.name).arches) or len(ARCHITECTURES) + 1)


def _nothing_to_try(title: str, listing: Listing) -> str:
    if not listing.programs:
        return f'{title} has no program: nothing in it is in a section with a name such as SEC("xdp")'
    there = ", ".join(listing.programs)
    return (
        f"all programs of {title} are off ({there}): their sections begin with ?, or autoload is false. "
        "Name those to try with --program"
    )
