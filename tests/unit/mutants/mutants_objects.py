"""Objects of committed cases, compiled once for all tests of a process."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from unit_samples import ROOT, X86

from harness.supply.objects import compile_flags, compile_object

CASES = {
    "subprog-static": ("tracer.bpf.c",),
    "shared": ("subprog-target.bpf.c", "seed-target.bpf.c", "seed-tracers.bpf.c"),
    "tracer-func-ip": ("tracer.bpf.c",),
    "kprobe-func-ret": ("tracer.bpf.c",),
    "lsm": ("target.bpf.c",),
    "tracer-limit": ("tracer.bpf.c",),
}


@cache
def committed_objects() -> dict[str, bytes]:
    """Return objects of committed cases: folder/file -> content."""
    flags = compile_flags(X86, include=[ROOT / "bpf/include"])
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for case, files in CASES.items():
            for file in files:
                target = Path(folder) / f"{case}-{file}.o"
                compile_object(ROOT / "bpf" / case / file, target, clang="clang", flags=flags)
                found[f"{case}/{file}"] = target.read_bytes()
    return found
