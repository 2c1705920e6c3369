"""Which accelerator: found out by booting, never by looking at /dev/kvm.

A KVM may open, create a virtual machine, and still never let a kernel print a byte. So KVM is chosen only after
a real guest has reached its init under it within a few seconds; the finding is kept for as long as host kernel,
QEMU and processor are the same.
"""

from __future__ import annotations

import functools
import json
import os
import platform
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.errors import QemuError
from harness.host.cache import Cache, digest
from harness.host.process import find_tool, run
from harness.host.scratch import scratch_folder
from harness.model.architectures import Architecture
from harness.qemu.argv import FLOOR, GuestSpec, kernel_cmdline
from harness.qemu.process import running

PROBE_SECONDS = 5.0
MARKER = "bpfmatrix: reached init"
"""What images/init writes to the console under FLOOR."""


@dataclass(frozen=True)
class Accel:
    """The accelerator in force, and how that was established."""

    name: str
    reason: str


def qemu_version(arch: Architecture) -> str:
    """Return the version of an architecture's QEMU, asked once (`forget_versions`).

    Raises MissingToolError where it is not installed.
    """
    program = find_tool(arch.qemu, package=arch.qemu_package, purpose=f"boot {arch.name} kernels")
    return _version(program)


def forget_versions() -> None:
    """Let `qemu_version` ask every QEMU again: each run does, and then asks once."""
    _version.cache_clear()


@functools.cache
def _version(program: str) -> str:
    match = re.search(r"version (\S+)(?: \((.*)\))?", run([program, "--version"]).stdout)
    return "unknown" if match is None else (match.group(2) or match.group(1))


def choose(
    wanted: str,
    arch: Architecture,
    *,
    cache: Cache,
    probe: Callable[[], tuple[bool, str]],
    host: str | None = None,
) -> Accel:
    """Return the accelerator for guests of `arch`; `probe` boots under KVM and says how that went.

    `wanted` is `auto`, `kvm` or `tcg`. Raises QemuError where `kvm` is wanted and does not work.
    """
    host = host or platform.machine()
    if wanted == "tcg":
        return Accel("tcg", "asked for")
    if host not in arch.kvm_hosts:
        return _without(wanted, f"a {host} host cannot run {arch.name} guests under KVM")
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        there = Path("/dev/kvm").exists()
        why = "/dev/kvm may not be opened by this user" if there else "the host has no /dev/kvm"
        return _without(wanted, why)
    works, why = _remembered(arch, cache=cache, probe=probe)
    return Accel("kvm", why) if works else _without(wanted, why)


def boot_probe(arch: Architecture, *, kernel: Path, base: Path) -> tuple[bool, str]:
    """Boot a kernel under KVM up to its init; return whether it got there, and a sentence about it."""
    with scratch_folder() as folder:

        def spec(monitor_fd: int) -> GuestSpec:
            return GuestSpec(
                arch=arch,
                accel="kvm",
                memory=256,
                cpus=1,
                kernel=kernel,
                initrd=base,
                cmdline=kernel_cmdline(arch, accel="kvm", serial=False, extra=FLOOR),
                console=folder / "console",
                monitor_fd=monitor_fd,
                network=False,
            )

        try:
            with running(spec, folder=folder) as qemu:
                ended = qemu.wait(PROBE_SECONDS)
                text = qemu.console_text()
        except QemuError as error:
            return False, f"KVM does not start a guest: {str(error).splitlines()[0]}"
    if MARKER in text:
        return True, "a probe guest reached its init under KVM"
    said = f"it printed {len(text)} bytes" if text else "it printed nothing"
    how = "ended early" if ended else f"had not reached its init after {PROBE_SECONDS:g} s"
    return False, f"KVM opens, but a probe guest under it {how} ({said})"


def remembered(arch: Architecture, *, cache: Cache) -> tuple[bool, str] | None:
    """Return the finding about KVM that holds on this host now, or None where it was never probed."""
    try:
        found = json.loads(_note(arch, cache=cache).read_text())
        return bool(found["works"]), str(found["why"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remembered(arch: Architecture, *, cache: Cache, probe: Callable[[], tuple[bool, str]]) -> tuple[bool, str]:
    with cache.lock(f"accel-{arch.name}"):
        found = remembered(arch, cache=cache)
        if found is None:
            found = probe()
            note = _note(arch, cache=cache)
            temporary = note.with_suffix(f".{os.getpid()}")
            temporary.write_text(json.dumps({"works": found[0], "why": found[1]}))
            temporary.replace(note)
        return found


def processor() -> str:
    """Return the model of the host's processor, empty where it does not say."""
    cpu = re.search(r"model name\s*:\s*(.*)", Path("/proc/cpuinfo").read_text())
    return cpu.group(1) if cpu else ""


def _note(arch: Architecture, *, cache: Cache) -> Path:
    key = digest(platform.release(), platform.version(), qemu_version(arch), processor())
    return cache.folder("accel", arch.name) / f"{key}.json"


def _without(wanted: str, why: str) -> Accel:
    if wanted == "kvm":
        raise QemuError(f"KVM was asked for, but {why}. Use --accel tcg, or leave the choice to auto")
    return Accel("tcg", why)
