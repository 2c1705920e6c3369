"""What a kernel of the matrix is to be configured with: its base, the parts of bpfmatrix, and those of the user."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.config.matrix import BuildKernel
from harness.errors import KernelFileError
from harness.host import package_data
from harness.host.cache import digest
from harness.model.architectures import Architecture
from harness.supply.build.kconfig import ConfigLineError, parse_options, wanted_of, wants_btf


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """How a kernel is configured.

    `target` is what `make` gets first, "" where `text` is the configuration to begin with. `needed` are the parts
    that bpfmatrix has for every kernel and for this architecture, `own` those of the user, the last one of which counts
    most.
    """

    target: str
    text: str
    needed: tuple[Mapping[str, str], ...]
    own: tuple[Mapping[str, str], ...]

    @property
    def parts(self) -> tuple[Mapping[str, str], ...]:
        """All parts, in the order in which they count."""
        return (*self.needed, *self.own)

    @property
    def wanted(self) -> dict[str, str]:
        """All options that somebody wants, and their values."""
        return wanted_of(self.parts)

    @property
    def btf(self) -> bool:
        """Whether the kernel is to have BTF."""
        return wants_btf(self.parts)

    @property
    def hash(self) -> str:
        """What tells this configuration from others."""
        base = hashlib.sha256(self.text.encode()).hexdigest() if self.text else self.target
        return digest(base, list(self.wanted.items()))


def needed_files(arch: Architecture) -> tuple[Path, ...]:
    """Return the files with what guests of an architecture need: one for all, and one of its own."""
    folder = package_data.kconfig_folder()
    return (folder / "all.config", folder / f"{arch.name}.config")


def configuration_of(kernel: BuildKernel, arch: Architecture) -> Configuration:
    """Return how a kernel of the matrix is configured; raise KernelFileError where a file is missing or is no part."""
    base = kernel.base_config
    text = _read(base, kernel=kernel.name) if isinstance(base, Path) else ""
    if text:
        _options(text, str(base), kernel=kernel.name)
    target = "" if isinstance(base, Path) else arch.defconfig if base == "defconfig" else base
    own = (
        _options(_read(item, kernel=kernel.name), str(item), kernel=kernel.name)
        if isinstance(item, Path)
        else _options(item, "config", kernel=kernel.name)
        for item in kernel.config
    )
    needed = (parse_options(path.read_text(encoding="utf-8")) for path in needed_files(arch))
    return Configuration(target=target, text=text, needed=tuple(needed), own=tuple(own))


def _read(path: Path, *, kernel: str) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise KernelFileError(f"kernel {kernel}: {path} cannot be read: {error.strerror}") from error


def _options(text: str, where: str, *, kernel: str) -> dict[str, str]:
    try:
        return parse_options(text)
    except ConfigLineError as error:
        raise KernelFileError(f"kernel {kernel}: {where}: {error}") from error
