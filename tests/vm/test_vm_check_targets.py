"""`check` of programs whose targets somebody chooses, that replace others, or that are called through struct_ops."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from projects import INPUTS, ROOT, TemporaryProject, run

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

KERNELS = ["5.10-x86_64", "6.12-x86_64"]
CHOSEN = """\
attach-to:
  at_kprobe: vfs_read
  at_kretprobe: vfs_unlink  # on 5.10 a kretprobe counts one call a processor at a time, and some wait in vfs_read()
  at_ksyscall: getpgid
  kprobes: vfs_rea?
  at_uprobe: "libc.so.6:labs"
  at_uretprobe: "libc.so.6:labs"
  uprobes: "libc.so.6:labs"
  tracepoint: task/task_rename
  raw: task_rename
  at_fentry: vfs_read
  hook: file_permission
  typed: task_rename
  replacement: target
"""
ELSEWHERE = {
    ("5.10-x86_64", "kprobes"): "refused attach-type-unknown",
    ("5.10-x86_64", "uprobes"): "refused attach-type-unknown",
    ("5.10-x86_64", "hook"): "did-not-run",  # security hooks are called only where the LSM was enabled at boot
    ("5.10-x86_64", "groups"): "refused kernel-function-unknown",
    ("5.10-x86_64", "all-together"): "refused kernel-function-unknown",
}
"""What is otherwise than on a new kernel, where all are attached."""
PROGRAMS = (
    *("at_kprobe", "at_kretprobe", "at_ksyscall", "kprobes", "at_uprobe", "at_uretprobe", "uprobes", "tracepoint"),
    *("raw", "at_fentry", "hook", "typed", "elements", "groups", "target", "replacement", "all-together"),
)  # fmt: skip
NO_RUNS = {"replacement": "not-counted", "ssthresh": "did-not-run", "undo_cwnd": "did-not-run"}

Part = dict[str, Any]


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], Part]:
    folder = tmp_path_factory.mktemp("targets")
    project = TemporaryProject(folder / "project", kernels=KERNELS)
    for name in ("chosen", "congestion"):
        (folder / name).mkdir()
        shutil.copy(ROOT / f"tests/inputs/programs/{name}.bpf.c", folder / name)
    (folder / "chosen/check.yaml").write_text(CHOSEN)
    given = [folder / f"{name}/{name}.bpf.c" for name in ("chosen", "congestion")]
    done = run("check", *given, "--matrix-file", project.matrix_file, "--results", folder / "r", seconds=700)
    assert (folder / "r/latest").exists(), done.output
    cells = json.loads((folder / "r/latest/report.json").read_text())["cells"]
    return {(cell["kernel"], cell["case"], part["name"]): part for cell in cells for part in cell["parts"]}


def answer(part: Part) -> str:
    """Return what became of a program, in a few words."""
    if part["outcome"] == "refused":
        return f"refused {part['refusal']}"
    return str(part["mark"] or part["outcome"])


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_a_chosen_target_is_attached_to_and_runs(
    kernel: str, name: str, parts: dict[tuple[str, str, str], Part]
) -> None:
    part = parts[kernel, "chosen", name]
    wanted = ELSEWHERE.get((kernel, name), NO_RUNS.get(name, "works"))
    assert answer(part) == wanted, part["reason"]
    if wanted == "works" and name != "all-together":
        assert part["measured"]["runs"] > 0


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", ["ssthresh", "cong_avoid", "undo_cwnd", "all-together"])
def test_a_congestion_control_is_registered(kernel: str, name: str, parts: dict[tuple[str, str, str], Part]) -> None:
    """Connections choose it by its name; what only a loss of packets calls does not run."""
    part = parts[kernel, "congestion", name]
    assert (part["verdict"], answer(part)) == ("pass", NO_RUNS.get(name, "works")), part["reason"]


@pytest.mark.parametrize(
    ("kernel", "word"), [("6.12-arm64", "arm64"), pytest.param("6.12-s390x", "s390", marks=pytest.mark.nightly)]
)
def test_each_architecture_has_its_own_object(kernel: str, word: str, tmp_path: Path) -> None:
    """Objects that came without their sources, by the names that bpf2go gives them; of one, the kernel's is taken."""
    source = tmp_path / "probe.bpf.c"
    source.write_text((INPUTS / "24-prebuilt/tracer.c").read_text())
    ends = {"x86": ("x86", "bpfel"), "arm64": ("arm64", "bpfel"), "s390": ("s390", "bpfeb")}
    for name, (target, end) in ends.items():
        flags = ("-O2", "-g", "-target", end, f"-D__TARGET_ARCH_{target}", f"-I{ROOT / 'bpf/include'}")
        made = tmp_path / f"probe_{name}_{end}.o"
        subprocess.run(["clang", *flags, "-c", source, "-o", made], check=True, capture_output=True)
    source.unlink()
    project = TemporaryProject(tmp_path / "project", kernels=[kernel])
    arch = kernel.rpartition("-")[2]
    given = (tmp_path / "probe_x86_bpfel.o", "--arch", arch, "--matrix-file", project.matrix_file)
    done = run("check", *given, "--results", tmp_path / "r", seconds=700)
    (cell,) = json.loads((tmp_path / "r/latest/report.json").read_text())["cells"]
    assert (cell["case"], cell["verdict"], done.code) == ("probe", "pass", 0), done.output
    assert {part["name"]: answer(part) for part in cell["parts"]} == dict.fromkeys(
        ("on_connect", "on_done", "all-together"), "works"
    )
    # Without its own object the cell is an error, before any guest starts.
    (tmp_path / f"probe_{word}_{ends[word][1]}.o").unlink()
    done = run("check", *given, "--results", tmp_path / "r")
    assert done.code == 2 and f"has no probe for {arch}" in done.output
