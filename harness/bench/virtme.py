"""The same job done by virtme-ng: the guest agent with the case's objects, in a guest that vng boots.

vng runs a command in a guest whose root is the host's own file system, read-only but for the folders that it is given
(vng(1): --run, --exec, --rwdir). The agent's lines go to a file of such a folder, since what a guest without
virtio-serial prints is shown by vng only where it shows the console, too.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from harness.config.matrix import Kernel
from harness.errors import BenchError
from harness.facts.transcript import Transcript
from harness.host.cache import Cache, digest
from harness.judge.outcome import outcome_of
from harness.model.results import OutcomeKind
from harness.scenario.case import Case
from harness.scenario.jobs import job_of
from harness.supply.image import cpio
from harness.supply.image.programs import AGENT, PROGRAMS
from harness.supply.kernels.modules import find_modules
from harness.supply.kernels.source import KernelSource

SECONDS = 180.0
"""How long one run of vng may take."""
FORMAT = 2
PYTHON = "/usr/bin/python3"
"""The guest's Python: the host's, since the guest's root is the host's."""
LIBBPF = ("/usr/lib*/libbpf.so.1", "/usr/lib/*/libbpf.so.1")


@dataclass(frozen=True, kw_only=True)
class Virtme:
    """An installed virtme-ng: its `vng`, and its version."""

    program: Path
    version: str


def find_virtme() -> tuple[Virtme | None, str]:
    """Return virtme-ng where it is installed, on PATH or beside this Python; else None, and why not."""
    beside = Path(sys.executable).parent
    found = shutil.which("vng") or shutil.which("vng", path=str(beside))
    if found is None:
        return None, "virtme-ng is not installed (its vng is not on PATH); pip install 'bpfmatrix[bench]'"
    if not Path(PYTHON).exists() or not any(any(Path("/").glob(name.lstrip("/"))) for name in LIBBPF):
        return None, f"the agent needs {PYTHON} and libbpf.so.1 of the host, whose root vng's guests have (libbpf1)"
    done = subprocess.run([found, "--version"], capture_output=True, text=True, check=False, env=_environment(found))
    return Virtme(program=Path(found), version=done.stdout.strip().removeprefix("virtme-ng ") or "unknown"), ""


def vng_argv(program: Path, *, kernel: Path, busybox: Path, job: Path, folder: Path, kvm: bool, cpus: int) -> list[str]:
    """Return vng's command line: run the agent over the job file in a guest, its lines into `folder`.

    The guest's memory and machine are vng's own choice. Modules are found by vng beside the kernel
    (lib/modules/RELEASE in a folder above it).
    """
    agent = shlex.join([PYTHON, str(PROGRAMS / AGENT), str(job)])
    script = f"{agent} >{shlex.quote(str(folder / 'agent.jsonl'))} 2>{shlex.quote(str(folder / 'agent.stderr'))}"
    return [
        str(program),
        *("--run", str(kernel)),
        *([] if kvm else ["--disable-kvm"]),
        "--force-9p",  # virtiofsd is another program, and may be missing
        *("--user", "root"),
        *("--cpus", str(cpus)),
        *("--busybox", str(busybox)),
        *("--rwdir", str(folder)),
        *("--exec", script),
    ]


def kernel_tree(source: KernelSource[Any, Any], kernel: Kernel, pin: Any, *, release: str, cache: Cache) -> Path:
    """Return a folder with boot/ and lib/modules/ of a build of a kernel, from the cache or fetched now.

    Unlike a guest of ours, vng's needs all modules, and what depmod makes of them.
    """

    def make(folder: Path) -> dict[str, Any]:
        source.unpack(kernel, pin, folder)
        find_modules(folder, release=release, names=[])
        return {}

    key = digest(FORMAT, kernel.source, asdict(pin), release)
    return cache.entry("kernel-trees", key, make).path


def write_job(case: Case, *, objects: Mapping[str, Path], deadline: float, path: Path) -> None:
    """Write the agent's job file for one case, with its objects where the host has them."""
    job = job_of([(case, {name: PurePosixPath(file) for name, file in objects.items()})], deadline=deadline)
    path.write_text(json.dumps(job))


def write_busybox(base: Path, path: Path) -> None:
    """Take busybox out of the guest image, for vng's initramfs."""
    node = next(node for node in cpio.read(base.read_bytes()) if node.path == "usr/bin/busybox")
    path.write_bytes(node.data)
    path.chmod(0o755)


def run_vng(argv: Sequence[str], *, case: Case, folder: Path) -> tuple[float, str]:
    """Run vng to its end; return its seconds, and how the case went where it is not `works`.

    Raises BenchError where the agent gave no complete answer.
    """
    for name in ("agent.jsonl", "agent.stderr"):
        (folder / name).unlink(missing_ok=True)
    said = folder / "vng.output"
    begun = time.monotonic()
    with said.open("wb") as output:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=_environment(argv[0]),
            start_new_session=True,
        )
        try:
            process.wait(SECONDS)
        except BaseException as error:  # also Ctrl-C: nothing of vng's, QEMU least of all, is left behind
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise BenchError(f"vng did not end within {SECONDS:g} s: {shlex.join(argv)}") from error
            raise
    seconds = time.monotonic() - begun
    return seconds, _answer(argv, case=case, folder=folder, said=said)


def _answer(argv: Sequence[str], *, case: Case, folder: Path, said: Path) -> str:
    transcript = Transcript()
    lines = folder / "agent.jsonl"
    for line in lines.read_bytes().splitlines() if lines.exists() else []:
        transcript.feed(line)
    if not transcript.done:
        stderr = "\n".join(
            (folder / name).read_text(errors="replace").strip()[-500:]
            for name in ("agent.stderr", said.name)
            if (folder / name).exists()
        )
        raise BenchError(f"the agent gave no complete answer under virtme-ng: {shlex.join(argv)}\n{stderr}".rstrip())
    outcome = outcome_of(case, transcript.record(case.id))
    return "" if outcome.kind is OutcomeKind.WORKS else f"virtme-ng: {case.id}: {outcome.kind}: {outcome.reason}"


def _environment(program: str) -> dict[str, str]:
    """Return the environment for vng, which starts `virtme-run` by its name."""
    return {**os.environ, "PATH": f"{Path(program).absolute().parent}{os.pathsep}{os.environ.get('PATH', '')}"}
