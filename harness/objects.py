"""BPF objects: compiled with clang per architecture, stripped of DWARF, cached by everything that goes in."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from harness.architectures import Architecture
from harness.cache import Cache, digest, sha256_file
from harness.config.case import Case
from harness.errors import CompileError, ObjectFileError
from harness.process import find_tool, run

FORMAT = 1
NO_BTF = ".nobtf.bpf.c"
"""The end of a source's name whose programs are to be loaded without BTF."""
EM_BPF = 247
"""e_machine of a BPF object (include/uapi/linux/elf-em.h)."""


class ObjectBuilder:
    """Builds the objects of cases. `include` is the folder of the shared headers."""

    def __init__(self, *, cache: Cache, include: Path) -> None:
        self._cache = cache
        self._include = include
        self._clang_version: str | None = None

    def build(self, case: Case, arch: Architecture) -> dict[str, Path]:
        """Return file name -> built object for every object that the case names.

        Raises CompileError with clang's own words, ObjectFileError for a prebuilt file that is no BPF object
        of the architecture's byte order.
        """
        names = dict.fromkeys(case.files.values())
        built = {name: self._object(case.folder / name, arch) for name in names}
        for path in built.values():
            check_object(path, arch)
        return built

    def _object(self, source: Path, arch: Architecture) -> Path:
        if source.name.endswith(".bpf.o"):
            return source
        clang = find_tool("clang", package="clang", purpose="compile BPF programs")
        if self._clang_version is None:
            self._clang_version = run([clang, "--version"]).stdout.splitlines()[0]
        flags = compile_flags(arch, include=self._include)
        headers = sorted([*self._include.glob("*.h"), *source.parent.glob("*.h")])
        key = digest(
            FORMAT,
            self._clang_version,
            [flag for flag in flags if not flag.startswith("-I")],
            sha256_file(source),
            [(header.name, sha256_file(header)) for header in headers],
        )

        def make(folder: Path) -> dict[str, Any]:
            compile_object(source, folder / "object.o", clang=clang, flags=flags)
            return {"source": source.name, "arch": arch.name}

        return self._cache.entry("objects", key, make).path / "object.o"


def compile_flags(arch: Architecture, *, include: Path) -> list[str]:
    """Return clang's flags for an architecture.

    `-mcpu=v2` is what every kernel since 4.14 runs; `-g` makes the BTF that tracing needs.
    """
    return [
        "-O2",
        "-g",
        "-Wall",
        "-Werror",
        "-target",
        arch.bpf_target,
        "-mcpu=v2",
        f"-D__TARGET_ARCH_{arch.clang_arch}",
        f"-I{include}",
    ]


def compile_object(source: Path, target: Path, *, clang: str, flags: list[str]) -> None:
    """Compile one source and strip its DWARF (its BTF stays); raise CompileError with clang's own words.

    A source named *.nobtf.bpf.c also loses .BTF.ext, without which libbpf loads its programs without BTF: what is
    left of it describes the maps.
    """
    done = run([clang, *flags, "-c", source, "-o", target])
    if done.returncode != 0:
        raise CompileError(f"{source} does not compile", log=done.stderr.strip())
    strip = find_tool("llvm-strip", package="llvm", purpose="strip BPF objects")
    removed = ["--remove-section=.BTF.ext", "--remove-section=.rel.BTF.ext"] if source.name.endswith(NO_BTF) else []
    stripped = run([strip, "-g", *removed, target])
    if stripped.returncode != 0:
        raise CompileError(f"{source}: the object cannot be stripped", log=stripped.stderr.strip())


def check_object(path: Path, arch: Architecture) -> None:
    """Raise ObjectFileError where a file is not a 64-bit ELF object for BPF in the guest's byte order."""
    try:
        with path.open("rb") as file:
            head = file.read(20)
    except OSError as error:
        raise ObjectFileError(f"{path} cannot be read: {error.strerror}") from error
    if head[:4] != b"\x7fELF" or len(head) < 20:
        raise ObjectFileError(f"{path} is not a BPF object: it is no ELF file. Compile it with clang -target bpf")
    order = "little" if head[5] == 1 else "big"
    machine = int.from_bytes(head[18:20], "little" if order == "little" else "big")
    if machine != EM_BPF or head[4] != 2:  # ELFCLASS64
        raise ObjectFileError(
            f"{path} is an ELF file for machine {machine}, not for BPF ({EM_BPF}). Compile it with clang -target bpf"
        )
    if order != arch.byte_order:
        raise ObjectFileError(
            f"{path} is a {order}-endian BPF object, but {arch.name} is {arch.byte_order}-endian. "
            f"Compile it with clang -target {arch.bpf_target}"
        )


def copy_objects(objects: dict[str, Path], folder: Path) -> None:
    """Copy built objects beside a run's results, for whoever wants to look into them; raise OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in objects.items():
        shutil.copyfile(path, folder / name.replace(".bpf.c", ".bpf.o"))
