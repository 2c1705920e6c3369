"""What this host offers: each finding with what to do about it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from harness.config.matrix import Matrix, load_matrix
from harness.errors import BpfmatrixError
from harness.host import package_data
from harness.host.cache import Cache
from harness.host.called_as import command
from harness.host.packages import install_command, or_run
from harness.host.process import find_tool, run
from harness.host.resources import available_memory_mib
from harness.host.tools import HostTool
from harness.model.architectures import ARCHITECTURES, Architecture, host_architecture
from harness.qemu.accel import qemu_version, remembered
from harness.run.options import MATRIX_FILE
from harness.supply.debian.apt import KEYRING, KEYRING_PACKAGE
from harness.supply.kernels.tools import tools_of
from harness.supply.project import Project
from harness.supply.supplies import Supplies

Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing about the host. `fatal` means that no run is possible without it."""

    subject: str
    text: str
    good: bool = True
    fatal: bool = False
    advice: str = ""

    @property
    def sign(self) -> str:
        """A mark for the terminal."""
        return "ok  " if self.good else "LACK" if self.fatal else "note"


def examine(matrix_file: Path) -> list[Finding]:
    """Look at everything that a run needs; never raises for what it finds."""
    cache = Cache()
    host = host_architecture()
    findings = [_host(host)]
    findings += [_qemu(arch, needed=arch is host) for arch in ARCHITECTURES.values()]
    if host is not None:
        findings.append(_accelerator(host, cache=cache))
    findings += [
        _tool("clang", package="clang", purpose="compile BPF programs", version=r"version (\S+)"),
        _tool("llvm-strip", package="llvm", purpose="strip BPF objects", version=r"version (\S+)"),
        _tool("modprobe", package="kmod", purpose="order kernel modules", version=r"version (\S+)"),
        _tool("setpriv", package="util-linux", purpose="tie QEMU's life to the harness", version=r"linux (\S+)"),
        _tool("dpkg-deb", package="dpkg", purpose="unpack packages", version=r"version (\S+)"),
        _tool("apt-helper", package="apt", purpose="fetch packages", version=r"apt (\S+)"),
        _headers(),
        _keyring(),
    ]
    matrix = _attempt("matrix", lambda: load_matrix(matrix_file))
    if isinstance(matrix, Matrix):
        text = f"{matrix_file}: {len(matrix.kernels)} kernels"
        findings.append(Finding(subject="matrix", text=text))
        findings.append(_mirror(matrix_file, matrix, cache=cache))
        findings += [_tool_of_some(tool) for tool in tools_of(matrix.kernels)]
    else:
        missing = matrix_file == MATRIX_FILE and not matrix_file.exists()
        findings.append(_no_matrix() if missing else matrix)
        if not matrix_file.exists():  # what the host itself offers can be said all the same
            default = package_data.matrix_file()
            findings.append(_mirror(default, load_matrix(default), cache=cache))
    findings += [_cache(cache), _memory()]
    return findings


def _no_matrix() -> Finding:
    """A folder without a project, where programs of one's own can be tried all the same."""
    text = f"no {MATRIX_FILE} here: check and exec take the kernels that come with bpfmatrix"
    return Finding(subject="matrix", text=text, good=False, advice=f"for cases of your own: {command('init')}")


def _host(host: Architecture | None) -> Finding:
    cores = len(os.sched_getaffinity(0))
    if host is None:
        text = f"{os.uname().machine} is no architecture of the matrix; all guests are emulated"
        return Finding(subject="host", text=text, good=False)
    return Finding(subject="host", text=f"{host.name}, {cores} cores, kernel {os.uname().release}")


def _qemu(arch: Architecture, *, needed: bool) -> Finding:
    try:
        return Finding(subject="qemu", text=f"{arch.name}: {arch.qemu} {qemu_version(arch)}")
    except BpfmatrixError:
        return Finding(
            subject="qemu",
            text=f"{arch.name}: {arch.qemu} is not installed",
            good=False,
            fatal=needed,
            advice=install_command([arch.qemu_package]) + or_run(),
        )


def _accelerator(host: Architecture, *, cache: Cache) -> Finding:
    if not Path("/dev/kvm").exists():
        return Finding(subject="accelerator", text="tcg: the host has no /dev/kvm")
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        advice = "add yourself to the group that owns /dev/kvm (usually: adduser $USER kvm)"
        return Finding(subject="accelerator", text="tcg: /dev/kvm may not be opened", good=False, advice=advice)
    try:
        known = remembered(host, cache=cache)
    except BpfmatrixError:
        known = None
    if known is None:
        text = "/dev/kvm opens; the first run boots a probe guest to see whether it works"
        return Finding(subject="accelerator", text=text)
    works, why = known
    return Finding(subject="accelerator", text=f"{'kvm' if works else 'tcg'}: {why}")


def _tool(name: str, *, package: str, purpose: str, version: str) -> Finding:
    try:
        path = find_tool(name, package=package, purpose=purpose)
    except BpfmatrixError:
        return Finding(
            subject=name,
            text=f"not installed; needed to {purpose}",
            good=False,
            fatal=True,
            advice=install_command([package]),
        )
    match = re.search(version, run([path, "--version"]).stdout)
    return Finding(subject=name, text=match.group(1) if match else path)


def _tool_of_some(tool: HostTool) -> Finding:
    """A program that some kernels of the matrix need; all others run without it."""
    found = tool.found()
    if found is not None:
        return Finding(subject=found, text=f"there, to {tool.purpose}")
    text = f"not installed; kernels of this matrix need it to {tool.purpose}"
    return Finding(subject=tool.name, text=text, good=False, advice=install_command([tool.package]) + or_run())


def _headers() -> Finding:
    for folder in (Path("/usr/include"), Path("/usr/local/include")):
        if (folder / "bpf/bpf_tracing.h").exists():
            return Finding(subject="libbpf", text=f"headers in {folder}/bpf")
    return Finding(
        subject="libbpf",
        text="bpf/bpf_tracing.h is not installed; needed to compile BPF programs",
        good=False,
        fatal=True,
        advice=install_command(["libbpf-dev"]),
    )


def _mirror(matrix_file: Path, matrix: Matrix, *, cache: Cache) -> Finding:
    def look() -> str:
        mirrors = Supplies(Project(matrix_file=matrix_file), matrix, cache=cache).mirrors()
        return f"{mirrors.base('debian')} (from {mirrors.origins['debian']})"

    found = _attempt("mirror", look)
    return found if isinstance(found, Finding) else Finding(subject="mirror", text=found)


def _keyring() -> Finding:
    if KEYRING.exists():
        return Finding(subject="keyring", text=f"{KEYRING}")
    return Finding(
        subject="keyring",
        text=f"{KEYRING} is missing; needed to check the signatures of Debian's packages",
        good=False,
        fatal=True,
        advice=install_command([KEYRING_PACKAGE]),
    )


def _cache(cache: Cache) -> Finding:
    existing = next(path for path in (cache.root, *cache.root.parents) if path.exists())
    free = shutil.disk_usage(existing).free / 2**30
    good = free > 2 and os.access(existing, os.W_OK)
    return Finding(
        subject="cache",
        text=f"{cache.root}: {cache.size() / 2**20:.0f} MiB used, {free:.1f} GiB free on its disk",
        good=good,
        advice="" if good else "free some space, or set BPFMATRIX_CACHE to another folder",
    )


def _memory() -> Finding:
    free = available_memory_mib()
    good = free > 1024
    advice = "" if good else "end something, or run with --jobs 1"
    return Finding(subject="memory", text=f"{free} MiB available", good=good, advice=advice)


def _attempt(subject: str, look: Callable[[], Found]) -> Found | Finding:
    try:
        return look()
    except BpfmatrixError as error:
        return Finding(subject=subject, text=str(error), good=False, fatal=True)
