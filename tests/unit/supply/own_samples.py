"""Objects to be checked: one source, its object of either byte order, and short ways to their cases."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from unit_samples import ROOT, X86

from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES, Architecture
from harness.scenario.case import Case
from harness.supply.dependencies import Sight
from harness.supply.objects import ObjectBuilder
from harness.supply.own.given import cases_of
from harness.supply.own.object_case import ObjectCase
from harness.supply.own.said import Given, Sayings

SOURCE = """\
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
const volatile int wanted = 1;
SEC("xdp") int pass_all(struct xdp_md *ctx) { return wanted; }
SEC("?xdp") int later(struct xdp_md *ctx) { return 2; }
char LICENSE[] SEC("license") = "GPL";
"""
S390 = ARCHITECTURES["s390x"]
_FOLDER = tempfile.TemporaryDirectory()


@cache
def object_of(order: str) -> Path:
    """The object of SOURCE of a byte order."""
    folder = Path(_FOLDER.name)
    (folder / "own.bpf.c").write_text(SOURCE)
    made = builder_in(folder).object_of(folder / "own.bpf.c", X86 if order == "little" else S390)
    return Path(shutil.copyfile(made.path, folder / f"{order}.o"))


def builder_in(folder: Path) -> ObjectBuilder:
    """What builds objects, with a cache of its own in a folder."""
    return ObjectBuilder(cache=Cache(folder / "cache"), include=[ROOT / "bpf/include"])


def cases(*paths: Path, **given: Any) -> tuple[ObjectCase, ...]:
    """The cases of what is named, with these options."""
    return cases_of(paths, said_of=Sayings(Given(**given)).of)


def built(case: ObjectCase, folder: Path, arch: Architecture = X86) -> Case:
    """The case with its parts."""
    return case.build(builder_in(folder), arch, sight=Sight()).case


def file_for(case: ObjectCase, folder: Path, arch: str) -> str:
    """The name of the file that is taken for an architecture."""
    (path,) = case.build(builder_in(folder), ARCHITECTURES[arch], sight=Sight()).files.values()
    return path.name


def put(folder: Path, order: str, *names: str) -> list[Path]:
    """Copies of the object of a byte order, under these names."""
    folder.mkdir(parents=True, exist_ok=True)
    return [Path(shutil.copyfile(object_of(order), folder / name)) for name in names]


def parts(case: Case) -> list[str]:
    """The names of a case's parts."""
    return [part.name for part in case.parts]


def program(folder: Path, objects: dict[str, Path], *, name: str = "my-tool") -> Path:
    """A program with these objects in variables of these names, as skeletons and include_bytes! have them."""
    lines = ["char start[] = {0x7f, 'E', 'L', 'F', 2, 1, 1, 0};", "int main(void) { return 0; }"]
    for symbol, path in objects.items():
        data = ", ".join(map(str, path.read_bytes()))
        lines.append(f"__attribute__((used, aligned(8))) static const unsigned char {symbol}[] = {{{data}}};")
    folder.mkdir(exist_ok=True)
    (folder / "tool.c").write_text("\n".join(lines))
    subprocess.run(["clang", "-o", folder / name, folder / "tool.c"], check=True)
    return folder / name
