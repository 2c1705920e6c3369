"""Debian's eBPF tools, as examples/debian-tools runs them: docs/debian-tools.md has all kernels, and the reasons."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from projects import ROOT

from harness.model.architectures import ARCHITECTURES
from harness.supply.objects import compile_flags, compile_object

pytestmark = [pytest.mark.vm, pytest.mark.nightly, pytest.mark.timeout(3000)]
KERNELS = ("5.10-x86_64", "6.1-x86_64", "7.3-x86_64")
FEW = ("opensnoop", "execsnoop", "tcpconnect", "capable", "filelife", "runqlen", "slabratetop")
FEW_RED = {"7.3-x86_64": {"filelife", "runqlen", "slabratetop"}}
"""Of those few, what the tools themselves get wrong."""
DISK_RED = {
    "5.10-x86_64": {"biosnoop", "bitesize"},
    "6.1-x86_64": {"biosnoop", "biostacks", "biotop", "cachestat", "readahead"},
    "7.3-x86_64": {"cachestat", "readahead"},
}
OTHERS_RED = {"7.3-x86_64": {"xdp-monitor"}}


def red(folder: Path, words: list[str], tools: list[str]) -> dict[str, set[str]]:
    """Run some tools on all kernels; return which were not green, by kernel."""
    shutil.copy(ROOT / "examples/debian-tools/suite.py", folder / "suite.py")
    kernels = [word for name in KERNELS for word in ("--kernel", name)]
    packages = [word for name in words if name[:1] != "-" for word in ("--package", name)]
    options = [name for name in words if name[:1] == "-"]
    argv = ["exec", *kernels, *packages, *options, "--deadline=900", "--junit=out/*.xml", "--", "./suite.py", *tools]
    done = subprocess.run(
        [sys.executable, "-m", "harness.cli", *argv],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    report = folder / "results/latest/report.json"
    assert report.exists(), done.stdout
    cells = {cell["kernel"]: cell for cell in json.loads(report.read_text())["cells"]}
    assert sorted(cells) == sorted(KERNELS) and all(cell["parts"] for cell in cells.values()), done.stdout
    found = {
        name: {part["name"] for part in cell["parts"] if part["verdict"] != "pass"} for name, cell in cells.items()
    }
    return {name: parts for name, parts in found.items() if parts}


def test_a_few_of_libbpf_tools(tmp_path: Path) -> None:
    assert red(tmp_path, ["libbpf-tools", "coreutils"], list(FEW)) == FEW_RED


def test_those_for_disks_and_file_systems(tmp_path: Path) -> None:
    modules = ["--module=loop", "--module=ext4", "--module=md_mod"]
    assert red(tmp_path, ["libbpf-tools", "e2fsprogs", "coreutils", *modules], ["disk"]) == DISK_RED


def test_scripts_of_bpftrace(tmp_path: Path) -> None:
    assert red(tmp_path, ["bpftrace", "coreutils"], ["bpftrace"]) == {}


def test_bpftool_and_xdp_tools(tmp_path: Path) -> None:
    source, flags = ROOT / "examples/object/execs.bpf.c", compile_flags(ARCHITECTURES["x86_64"], include=[])
    compile_object(source, tmp_path / "object.o", clang="clang", flags=flags)
    packages = ["bpftool", "xdp-tools", "iproute2", "coreutils"]
    assert red(tmp_path, [*packages, "--module=veth", "--push=object.o"], ["bpftool", "xdp"]) == OTHERS_RED
