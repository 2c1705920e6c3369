"""BPF objects: compiled with clang per architecture, stripped of DWARF, cached by everything that went in."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.config.case import WrittenCase
from harness.errors import CompileError, ObjectFileError
from harness.host.cache import Cache, digest, file_state, sha256_known
from harness.host.paths import shown
from harness.host.process import find_tool, run
from harness.host.scratch import scratch_folder
from harness.model.architectures import ARCHITECTURES, Architecture, host_architecture
from harness.model.listing import Listing
from harness.supply.compilers import Clang, Compiler, HostCompiler
from harness.supply.dependencies import Dependencies, Sight, looked_for, newer_than, read_depfile, search_folders
from harness.supply.listing import read_listing

FORMAT = 4
NO_VMLINUX = "'vmlinux.h' file not found"
"""What clang says where a source misses one."""
_BROKE_DOWN = "PLEASE submit a bug report"
"""What LLVM's backend writes, and its own calls behind it, where it breaks down over a source."""
OTHER_TYPES = re.compile(
    r"error: (no member named|incomplete definition of type|.*to an? incomplete type|field has incomplete type"
    r"|unknown type name|redefinition of|conflicting types for)"
)
"""What clang says where a type is not as a source thinks. An undeclared identifier is most often a macro, which no
vmlinux.h has."""
NO_BTF = ".nobtf.bpf.c"
"""The end of a source's name whose programs are to be loaded without BTF."""
EM_BPF = 247
"""e_machine of a BPF object (include/uapi/linux/elf-em.h)."""
ENVIRONMENT = ("CPATH", "C_INCLUDE_PATH", "CCC_OVERRIDE_OPTIONS", "COMPILER_PATH")
"""Variables that change where clang looks, or what it does."""
OWN_TYPES = "kernel.h"
"""The shared header that defines types of the kernel, unless the user's own headers have defined them before."""
# Guards of headers that define what kernel.h defines (see there); they must come before it.
_SAME_TYPES = re.compile(
    r"^\s*#\s*define\s+(?:__VMLINUX_H__|__LINUX_BPF_H__|__LINUX_BPF_PERF_EVENT_H__|_LINUX_PERF_EVENT_H|_LINUX_IN6_H"
    r"|_ASM_X86_PTRACE_H|__ASM_PTRACE_H|_ASM_RISCV_PTRACE_H|_S390_PTRACE_H|_ASM_POWERPC_PTRACE_H)\b",
    re.MULTILINE,
)
SETTLED_NS = 20_000_000
"""A file that is not older than this when a compiler starts may be written while it is read (file systems count time in
steps of up to 10 ms)."""
MOST_COMPILATIONS = 5
NOTES = "dependencies"
"""The folder of the cache that holds what each object was made of."""


@dataclass(frozen=True, kw_only=True)
class BuiltObject:
    """An object file, and what it has; `compiler` is the version of the clang that made it, "" of a prebuilt one."""

    path: Path
    listing: Listing
    compiler: str = ""


@dataclass(frozen=True, kw_only=True)
class KernelHeader:
    """A folder with the vmlinux.h of a kernel."""

    kernel: str
    folder: Path


class ObjectBuilder:
    """Builds the objects of cases. `include` are the folders of the shared headers, in the order of the search.

    `compiler` is what compiles them (default: the host's clang); `used` are the versions that the objects are of.
    `headers` returns those with a vmlinux.h for an architecture, for sources that miss one: the first comes first, the
    others are asked for where a source does not compile with it. `note` takes what the user must be told.
    """

    def __init__(
        self,
        *,
        cache: Cache,
        include: Sequence[Path],
        headers: Callable[[Architecture], Iterable[KernelHeader]] | None = None,
        note: Callable[[str], None] = lambda _: None,
        compiler: Compiler | None = None,
    ) -> None:
        self._headers, self._tell = headers, note
        self._compiler = compiler or HostCompiler()
        self.used: set[str] = set()
        self._cache = cache
        self._include = tuple(include)
        self._identity_known: Any = None
        self._folders: dict[str, list[str]] = {}
        self._notes: dict[str, Path] = {}

    def build(self, case: WrittenCase, arch: Architecture, *, sight: Sight | None = None) -> dict[str, BuiltObject]:
        """Return file name -> built object for every object that the case names.

        `sight` is how the files are, for several cases in a row. Raises CompileError with clang's own text,
        ObjectFileError for a prebuilt file that is no BPF object of the architecture's byte order.
        """
        sight = sight or Sight()
        return {
            name: self.object_of(case.path_of(name), arch, sight=sight, flags=case.flags_of(name))
            for name in dict.fromkeys(case.files.values())
        }

    def object_of(
        self, source: Path, arch: Architecture, *, sight: Sight | None = None, flags: Sequence[str] = ()
    ) -> BuiltObject:
        """Return the object of one source, compiled with more `flags` behind the usual ones, or a file that is one.

        Raises what `build` raises.
        """
        if not source.name.endswith(".c"):
            check_object(source, arch)
            listing = self._listing_of(source)
            check_registers(source, listing, arch)
            return BuiltObject(path=source, listing=listing)
        identity = self._identity()
        used = [*compile_flags(arch, include=self._include), *flags]
        base = digest(FORMAT, identity, used, str(source))
        note = self._note(source, arch, flags)
        known = _read_note(note, base=base)
        if known is not None and (sight or Sight()).unchanged(known[1]):
            entry = self._cache.peek("objects", known[0])
            if entry is not None:
                version = str(entry.meta.get("compiler", ""))
                self.used.add(version)
                listing = Listing.from_json(entry.meta["listing"])
                return BuiltObject(path=entry.path / "object.o", listing=listing, compiler=version)
        clang = self._compiler.clang()
        self.used.add(clang.version)
        return self._compiled(source, arch, clang=clang, flags=used, base=base, note=note)

    def own_source(self, source: Path, arch: Architecture, *, sight: Sight, flags: Sequence[str]) -> BuiltObject:
        """Return what `object_of` does for a source of the user's own; a vmlinux.h that it misses is made.

        Where its types are not those that the source was written for, those of other kernels are tried: with CO-RE each
        kernel's own count once the program is loaded.
        """
        try:
            return self.object_of(source, arch, sight=sight, flags=flags)
        except CompileError as error:
            if self._headers is None or NO_VMLINUX not in error.log:
                raise
        first: tuple[KernelHeader, CompileError] | None = None
        for header in self._headers(arch):
            try:
                built = self.object_of(source, arch, sight=sight, flags=(*flags, "-idirafter", str(header.folder)))
            except CompileError as error:
                first = first or (header, error)
                if not OTHER_TYPES.search(error.log):
                    break
                continue
            if first is not None:
                self._tell(
                    f"{shown(source)} is compiled with the types of {header.kernel}: with those of {first[0].kernel} "
                    f"it does not compile ({_first_error(first[1].log)}). A vmlinux.h beside it takes their place"
                )
            return built
        assert first is not None  # headers that yield none raise
        raise first[1]

    def kept(self, data: bytes, arch: Architecture, *, stem: str) -> BuiltObject:
        """Return an object that was found inside another file as a file of the cache; raise what `build` raises."""

        def keep(entry: Path) -> dict[str, Any]:
            (entry / f"{stem}.o").write_bytes(data)
            return {}

        entry = self._cache.entry("embedded", digest(FORMAT, stem, hashlib.sha256(data).hexdigest()), keep)
        return self.object_of(entry.path / f"{stem}.o", arch)

    def _compiled(
        self, source: Path, arch: Architecture, *, clang: Clang, flags: list[str], base: str, note: Path
    ) -> BuiltObject:
        """Compile a source, keep the object under what it was made of, and note what that was."""
        with scratch_folder() as folder:
            made = folder / "object.o"
            for _ in range(MOST_COMPILATIONS):
                begun = time.time_ns()
                paths = compile_object(source, made, clang=clang.argv, flags=flags, include=self._include)
                dependencies = self._dependencies(paths, clang=clang.argv, flags=flags)
                settled = not newer_than(paths, nanoseconds=begun - SETTLED_NS)
                if settled:
                    break
                time.sleep(SETTLED_NS / 1e9)  # what was saved just now may not be what was compiled
            listing = read_listing(made, stem=source.name.split(".")[0])

            def keep(entry: Path) -> dict[str, Any]:
                shutil.copyfile(made, entry / "object.o")
                about = {"source": source.name, "arch": arch.name, "compiler": clang.version}
                return {**about, "listing": listing.to_json()}

            key = digest(FORMAT, base, sorted(dependencies.files.items()))
            entry = self._cache.entry("objects", key, keep)
        if settled:
            self._write_note(note, base=base, key=key, dependencies=dependencies)
        return BuiltObject(path=entry.path / "object.o", listing=listing, compiler=clang.version)

    def _dependencies(self, paths: Sequence[str], *, clang: Sequence[str], flags: list[str]) -> Dependencies:
        known = digest(flags)
        if known not in self._folders:
            said = run([*clang, *flags, "-v", "-E", "-x", "c", "/dev/null", "-o", "/dev/null"]).stderr
            self._folders[known] = search_folders(said)
        absent = dict.fromkeys(looked_for(paths, self._folders[known]))
        return Dependencies(files={path: sha256_known(Path(path)) for path in paths}, absent=tuple(absent))

    def _identity(self) -> Any:
        """Return what distinguishes this clang and this llvm-strip from others."""
        if self._identity_known is None:
            said, binaries = self._compiler.identity()
            strip = Path(find_tool("llvm-strip", package="llvm", purpose="strip BPF objects")).resolve()
            variables = {name: os.environ.get(name, "") for name in ENVIRONMENT}
            self._identity_known = (said, [*binaries, (str(strip), file_state(strip)[2:])], variables)
        return self._identity_known

    def _listing_of(self, path: Path) -> Listing:
        """Return what a prebuilt object has, read once for each content that it has."""
        key = digest(FORMAT, sha256_known(path), path.name)
        entry = self._cache.peek("listings", key) or self._cache.entry(
            "listings", key, lambda _: {"listing": read_listing(path, stem=path.name.split(".")[0]).to_json()}
        )
        return Listing.from_json(entry.meta["listing"])

    def _note(self, source: Path, arch: Architecture, flags: Sequence[str] = ()) -> Path:
        """Return the file that says what the object of a source was made of, the last time with these more flags."""
        if arch.name not in self._notes:
            self._notes[arch.name] = self._cache.folder(NOTES, arch.name)
        return self._notes[arch.name] / f"{digest(str(source), *flags)}.json"

    def _write_note(self, path: Path, *, base: str, key: str, dependencies: Dependencies) -> None:
        """Note what an object was made of; where the file system takes nothing, it is compiled again the next time."""
        with contextlib.suppress(OSError), self._cache.scratch(NOTES) as folder:
            made = folder / path.name
            made.write_text(json.dumps({"base": base, "key": key, **dependencies.to_json()}))
            made.rename(path)


def _read_note(path: Path, *, base: str) -> tuple[str, Dependencies] | None:
    """Return the key of an object and what it was made of, None where that is not known or was otherwise made."""
    try:
        said = json.loads(path.read_text())
        return (str(said["key"]), Dependencies.from_json(said)) if said["base"] == base else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def compile_flags(arch: Architecture, *, include: Sequence[Path]) -> list[str]:
    """Return clang's flags for an architecture.

    `-mcpu=v2` is what every kernel since 4.14 runs; `-g` makes the BTF that tracing needs. Where no other folder has a
    header (<asm/types.h>, of <linux/bpf.h>), the guest architecture's own are searched, where a cross compiler brought
    them, and then the host's.
    """
    host = host_architecture() or arch
    places = [f"/usr/include/{arch.multiarch}", f"/usr/{arch.multiarch}/include", f"/usr/include/{host.multiarch}"]
    return [
        "-O2",
        "-g",
        "-Wall",
        "-Werror",
        "-target",
        arch.bpf_target,
        "-mcpu=v2",
        f"-D__TARGET_ARCH_{arch.clang_arch}",
        *(f"-I{folder}" for folder in include),
        *(word for place in dict.fromkeys(places) for word in ("-idirafter", place)),
    ]


def compile_object(
    source: Path, target: Path, *, clang: str | Sequence[str], flags: list[str], include: Sequence[Path] = ()
) -> list[str]:
    """Compile one source and strip its DWARF (its BTF stays); return the files that were read, in their order.

    `clang` is the compiler, or the words that start it.
    Raises CompileError with clang's own text. A source named *.nobtf.bpf.c also loses .BTF.ext, without which libbpf
    loads its programs without BTF: what is left of it describes the maps. Where a source does not compile that includes
    kernel.h of `include`, and types of its own kernel only behind it, it is compiled with those before it.
    """
    depfile = target.with_suffix(".d")
    clang = [clang] if isinstance(clang, str) else list(clang)
    # Without that flag a clang that breaks down leaves the source, and a script, in /tmp.
    argv: list[str | Path] = [*clang, *flags, "-fno-crash-diagnostics"]
    argv += ["-MD", "-MF", depfile, "-c", source, "-o", target]
    done = run(argv)
    if done.returncode != 0:
        first = _own_types_first(source, clang=clang, flags=flags, include=include)
        done = run([*argv, *(word for path in first for word in ("-include", path))]) if first else done
    if done.returncode != 0:
        raise CompileError(f"{source} does not compile", log=done.stderr.partition(_BROKE_DOWN)[0].strip())
    strip = find_tool("llvm-strip", package="llvm", purpose="strip BPF objects")
    removed = ["--remove-section=.BTF.ext", "--remove-section=.rel.BTF.ext"] if source.name.endswith(NO_BTF) else []
    stripped = run([strip, "-g", *removed, target])
    if stripped.returncode != 0:
        raise CompileError(f"{source}: the object cannot be stripped", log=stripped.stderr.strip())
    return read_depfile(depfile.read_text())


def _own_types_first(source: Path, *, clang: Sequence[str], flags: list[str], include: Sequence[Path]) -> list[str]:
    """Return the headers that a source includes behind kernel.h and that define the same types.

    No order of includes is a mistake, and kernel.h leaves out what is there before it.
    """
    paths = read_depfile(run([*clang, *flags, "-M", source]).stdout)
    own = [str(folder / OWN_TYPES) for folder in include]
    start = next((number for number, path in enumerate(paths) if path in own), len(paths))
    return [path for path in paths[start + 1 :] if _SAME_TYPES.search(Path(path).read_text(errors="replace"))]


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


def check_registers(path: Path, listing: Listing, arch: Architecture) -> None:
    """Raise ObjectFileError where an object's `struct pt_regs` is another architecture's.

    It would read its arguments from where that one has them: wrong values, and no error.
    """
    owner = next((each for each in ARCHITECTURES.values() if each.own_register in listing.registers), arch)
    if owner is not arch:
        raise ObjectFileError(
            f"{path} reads the registers of {owner.name} (its struct pt_regs has {owner.own_register}), so what it "
            f"reads on {arch.name} would be wrong. Give an object for each architecture: "
            f"{{{owner.name}: {path.name}, ...}}"
        )


def _first_error(log: str) -> str:
    """Return the first error that clang tells, without its place."""
    return next((line.partition("error: ")[2] for line in log.splitlines() if "error: " in line), log.strip())
