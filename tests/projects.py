"""Projects in temporary folders: kernels of the committed matrix, cases derived from the committed one."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from harness.config.case import WrittenCase

ROOT = Path(__file__).resolve().parent.parent
INPUTS = Path(__file__).resolve().parent / "inputs"
"""Cases made after public reports of faults, as they were written."""
FLAGSHIP = ROOT / "bpf/kprobe-fentry-fexit"
KERNEL = "6.1-x86_64"
"""The kernel of the tests that do not care which one it is: it boots fastest."""
FAR_AWAY = {"boot": 600, "case": 600}
"""Deadlines that no guest meets on a busy host, in seconds; a test of a deadline sets its own."""


def load_input(name: str, **changes: Any) -> WrittenCase:
    """Return the case of an input, with some of its keys replaced."""
    keys = {**yaml.safe_load((INPUTS / name / "case.yaml").read_text()), **changes}
    return WrittenCase.model_validate({**keys, "id": name, "folder": INPUTS / name})


class TemporaryProject:
    """A project of its own: matrix.yaml and cases are written; matrix.lock, images/ and what cases share are committed.

    `kernels` names kernels of the committed matrix; `changes` are keys to add to each of them, `defaults` keys
    to add to its defaults, whose deadlines are far away. Nothing is resolved again, since the lock still answers every
    kernel.
    """

    def __init__(
        self,
        folder: Path,
        *,
        kernels: Sequence[str] = (KERNEL,),
        changes: Mapping[str, Any] | None = None,
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.matrix_file = folder / "matrix.yaml"
        (folder / "bpf").mkdir(parents=True)
        for name in ("images", "matrix.lock", "bpf/include", "bpf/shared", "bpf/expectations.yaml"):
            (folder / name).symlink_to(ROOT / name)
        committed = yaml.safe_load((ROOT / "matrix.yaml").read_text())
        by_name = {kernel["name"]: kernel for kernel in committed["kernels"]}
        self.matrix: dict[str, Any] = {
            "defaults": {**committed["defaults"], "deadlines": FAR_AWAY, **(defaults or {})},
            "cases": ["bpf/*"],
            "kernels": [{**by_name[name], **(changes or {})} for name in kernels],
        }
        self.write_matrix()

    def write_matrix(self) -> None:
        """Write matrix.yaml from `matrix`, which may have been changed."""
        self.matrix_file.write_text(yaml.safe_dump(self.matrix, sort_keys=False))

    def committed(self, *names: str) -> None:
        """Add committed cases as they are."""
        for name in names:
            (self.folder / "bpf" / name).symlink_to(ROOT / "bpf" / name)

    def case(
        self,
        name: str,
        change: Callable[[dict[str, Any]], object] = lambda _: None,
        *,
        replace: Mapping[str, tuple[str, str]] | None = None,
        base: Path = FLAGSHIP,
    ) -> Path:
        """Add a case: `base` with its case.yaml changed by `change`, and text replaced in its sources.

        `replace` maps a file to (old, new); the old text must be there. A file that cases share is the case's own
        here, by the name of its object. Returns the case's folder.
        """
        folder = self.folder / "bpf" / name
        shutil.copytree(base, folder)
        case = copy.deepcopy(yaml.safe_load((base / "case.yaml").read_text()))
        change(case)
        for holder, key, own in [
            *((case[each], "object", each) for each in ("target", "tracer") if each in case),
            *((case["objects"], each, each) for each in case.get("objects", ())),
        ]:
            if holder[key].startswith("shared/"):
                shutil.copyfile(base.parent / holder[key], folder / f"{own}.bpf.c")
                holder[key] = f"{own}.bpf.c"
        (folder / "case.yaml").write_text(yaml.safe_dump(case, sort_keys=False))
        for file, (old, new) in (replace or {}).items():
            text = (folder / file).read_text()
            assert old in text, f"{file} has no {old!r} any more; adapt this test"
            (folder / file).write_text(text.replace(old, new))
        return folder


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit code, and everything that it said, in one piece."""

    code: int
    output: str


def command(*arguments: str | Path) -> list[str]:
    """Return the argv that runs the command line's `arguments` with this very Python."""
    return [sys.executable, "-m", "invoke", *map(str, arguments)]


def start(
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    prefix: Sequence[str | Path] = (),
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[str]:
    """Start the command line without waiting for it; `env` is added to the environment."""
    return subprocess.Popen(
        [*map(str, prefix), *command(*arguments)],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def run(
    *arguments: str | Path,
    env: Mapping[str, str] | None = None,
    prefix: Sequence[str | Path] = (),
    seconds: float = 240,
) -> Done:
    """Run the command line to its end; what it starts is gone afterwards even where it takes too long."""
    process = start(*arguments, env=env, prefix=prefix)
    try:
        output, _ = process.communicate(timeout=seconds)
    finally:
        process.kill()
        process.wait()
    return Done(process.returncode, output)


def until(condition: Callable[[], bool], *, seconds: float = 120, what: str) -> None:
    """Wait until `condition` holds; fail with `what` after `seconds`, which are generous and never the point."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Return the processes below `pid`, in any depth (Linux's /proc)."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # pid (comm) state ppid ...; the name may hold anything, even a parenthesis.
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
    found = [pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]


def guests(pid: int) -> list[int]:
    """Return the QEMU processes below `pid` that run a guest (not those that are asked for their version)."""
    return [child for child in children(pid) if "qemu-system" in (argv := _argv(child))[0] and "-mon" in argv]


def alive(pid: int) -> bool:
    """Say whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state != "Z"


def _argv(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return [""]
