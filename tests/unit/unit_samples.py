"""What several unit tests share: golden files, a real transcript of the agent, and small values to start from."""

from __future__ import annotations

import copy
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.config.case import WrittenCase
from harness.config.case_folders import load_case
from harness.facts.kernel import KernelFacts
from harness.facts.records import CaseRecord
from harness.facts.transcript import Transcript
from harness.model.architectures import ARCHITECTURES
from harness.model.results import PackageInfo
from harness.model.rows import Row
from harness.model.settings import Deadlines, Settings
from harness.scenario.case import Case
from harness.scenario.from_yaml import compile_case
from harness.supply.debian.apt import PackageFile
from harness.supply.guest_plan import GuestPlan
from harness.supply.image.keys import make_keys
from harness.supply.kernels.files import KernelFiles
from harness.supply.unbuilt import UnbuiltCase

ROOT = Path(__file__).resolve().parent.parent.parent
GOLDEN = Path(__file__).parent / "golden"
X86 = ARCHITECTURES["x86_64"]
RELEASE = "6.1.0-50-cloud-amd64"
CASE_ID = "kprobe-fentry-fexit"
NOW = ("x86_64", "s390x")
"""The architectures for which everything is compiled in every run of the tests: one of each byte order."""
SOME_NOW = [
    arch if name in NOW else pytest.param(arch, marks=pytest.mark.nightly) for name, arch in ARCHITECTURES.items()
]
"""All architectures, as values of a parameter."""

Line = dict[str, Any]


def check_golden(name: str, text: str) -> None:
    """Fail where `text` is not the golden file `name`; UPDATE_GOLDEN=1 writes it again."""
    path = GOLDEN / name
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.is_file(), f"golden/{name} is missing; UPDATE_GOLDEN=1 writes it"
    assert text == path.read_text(encoding="utf-8"), f"golden/{name}; UPDATE_GOLDEN=1 writes it again"


def sample_case(**changes: Any) -> Case:
    """The value of `written_case`."""
    return compile_case(written_case(**changes))


def compiled(cases: Sequence[WrittenCase | UnbuiltCase]) -> Mapping[str, Case]:
    """The values of some cases by id, as if nothing were known of their objects."""
    return {case.id: compile_case(case) if isinstance(case, WrittenCase) else case.compiled() for case in cases}


def written_case(**changes: Any) -> WrittenCase:
    """The case that golden/agent-6.1.jsonl is a run of; `changes` replace top-level keys (None removes one)."""
    keys: dict[str, Any] = {
        "id": CASE_ID,
        "folder": Path("bpf") / CASE_ID,
        "title": "fentry and fexit on a kprobe BPF program",
        "target": {
            "object": "target.bpf.c",
            "attach": ["k_tcp_connect", "k_icsk_complete_hashdance"],
            "tail-calls": [{"map": "progs", "index": 0, "program": "handle_new_connection"}],
        },
        "tracer": {
            "object": "tracer.bpf.c",
            "shared-maps": ["events"],
            "attach": [
                {"program": "fentry_tcp_connect", "target": "k_tcp_connect"},
                {"program": "fexit_tcp_connect", "target": "k_tcp_connect"},
            ],
        },
        "events": "events",
        "trigger": {"kind": "tcp-connect", "address": "127.0.0.1"},
        "observe": {
            "client": [{"kind": "fentry"}, {"kind": "kprobe"}, {"kind": "fexit", "retval": 0}],
            "listener": [{"kind": "kprobe"}],
        },
        "control": {"client": [{"kind": "kprobe"}], "listener": [{"kind": "kprobe"}]},
    }
    keys.update(changes)
    return WrittenCase.model_validate({key: value for key, value in keys.items() if value is not None})


STEPS: list[dict[str, Any]] = [
    {"do": "load", "object": "target"},
    {"do": "load", "object": "tracer", "tracing": {"fexit": "target.main"}, "share": {"trace": "target.trace"}},
    {"do": "attach", "program": "tracer.fexit"},
    {"do": "attach", "program": "tracer.fexit", "link": "again", "refused": ["EINVAL", "EBUSY"], "message": "failed"},
    {"do": "trigger", "trigger": {"kind": "run", "program": "target.main", "retval": 2}},
    {"do": "observe", "expect": {"trace": [{"kind": "target"}, {"kind": "fexit", "retval": 2, "times": 2}]}},
    {"do": "info", "link": "fexit", "expect": {"type": 2, "target_obj_id": "target.main"}},
    {"do": "detach", "link": "fexit"},
]


def flagship_of_golden() -> Case:
    """The committed flagship with one look and its own files, as it was when golden/agent-6.1.jsonl was written."""
    case = load_case(ROOT / "bpf/kprobe-fentry-fexit")
    assert case.target is not None and case.tracer is not None
    target = case.target.model_copy(update={"object": "target.bpf.c"})
    case = case.model_copy(
        update={"target": target, "tracer": case.tracer.model_copy(update={"object": "tracer.bpf.c"})}
    )
    return compile_case(case.model_copy(update={"again": None, "control": written_case().control}))


def steps_case(*steps: dict[str, Any], **changes: Any) -> Case:
    """The value of `written_steps`."""
    return compile_case(written_steps(*steps, **changes))


def written_steps(*steps: dict[str, Any], **changes: Any) -> WrittenCase:
    """A case that spells out its steps: those of `STEPS`, or others; `changes` replace top-level keys."""
    keys: dict[str, Any] = {
        "id": "spelled-out",
        "folder": Path("bpf") / "spelled-out",
        "title": "a case with steps of its own",
        "objects": {"target": "target.bpf.c", "tracer": "tracer.bpf.c"},
        "steps": steps or STEPS,
    }
    return WrittenCase.model_validate({**keys, **changes})


def golden_bytes() -> bytes:
    """The agent's output on a real 6.1 kernel, as it came (the kernel's boot log is cut)."""
    return (GOLDEN / "agent-6.1.jsonl").read_bytes()


def golden_lines() -> list[Line]:
    """The same as dictionaries, for a test to change."""
    return [json.loads(line) for line in golden_bytes().splitlines()]


def changed(change: Callable[[Line], Line | None]) -> list[Line]:
    """The real transcript with `change` applied to every line; None leaves the line out. Numbers are made good."""
    lines = [change(copy.deepcopy(line)) for line in golden_lines()]
    return renumbered(line for line in lines if line is not None)


def renumbered(lines: Iterable[Line]) -> list[Line]:
    """Return the lines with their running numbers, and the count of the last one, made good."""
    made = [{**line, "n": number} for number, line in enumerate(lines, start=1)]
    return [{**line, "lines": len(made)} if line["type"] == "done" else line for line in made]


def encoded(lines: Iterable[Line]) -> list[bytes]:
    """Return the lines as the agent writes them, without their ends."""
    return [json.dumps(line).encode() for line in lines]


def fed(lines: Iterable[bytes]) -> Transcript:
    """Return the transcript of some lines."""
    transcript = Transcript()
    for line in lines:
        transcript.feed(line)
    return transcript


def record_of(lines: Iterable[Line], case: str = CASE_ID) -> CaseRecord:
    """Return what a transcript says of a case."""
    return fed(encoded(lines)).record(case)


def kernel_facts(**changes: Any) -> KernelFacts:
    """The facts of a kernel of which nothing is known but its files; `changes` are other fields."""
    package = PackageInfo(source="debian", name="linux-image-6.1", version="6.1.176-1", sha256="0" * 64)
    keys = {"row": Row(kernel="6.1-x86_64"), "arch": "x86_64", "release": RELEASE, "package": package, "accel": "tcg"}
    return KernelFacts(**{**keys, **changes})


def package_file(name: str = "linux-image-6.1", version: str = "6.1.176-1", **changes: Any) -> PackageFile:
    """A package file that never existed."""
    keys: dict[str, Any] = {
        "name": name,
        "version": version,
        "archive": "debian",
        "file": f"pool/main/l/linux/{name}_{version}_amd64.deb",
        "sha256": hashlib.sha256(f"{name} {version}".encode()).hexdigest(),
        "size": 1000,
    }
    return PackageFile(**{**keys, **changes})


def kernel_files(where: Path, /, **changes: Any) -> KernelFiles:
    """A kernel whose image is the file `vmlinuz` of the folder `where`, which need not exist."""
    keys: dict[str, Any] = {
        "name": "6.1-x86_64",
        "arch": X86,
        "release": RELEASE,
        "image": where / "vmlinuz",
        "config": None,
        "modules": (),
        "absent": (),
        "has_network": True,
        "package": PackageInfo(
            source="debian", name=f"linux-image-{RELEASE}", version="6.1.176-1", sha256="0" * 64, suite="bookworm"
        ),
    }
    return KernelFiles(**{**keys, **changes})


def guest_plan(where: Path, /, **changes: Any) -> GuestPlan:
    """A plan for a guest that is never booted, with its results below the folder `where`."""
    keys: dict[str, Any] = {
        "kernel": kernel_files(where),
        "settings": Settings(memory=256, cpus=1, deadlines=Deadlines()),
        "accel": "tcg",
        "base": where / "base.cpio",
        "keys": make_keys(),
        "objects": {},
        "folder": where / "6.1-x86_64",
    }
    return GuestPlan(**{**keys, **changes})


def x86_image(release: str = RELEASE, *, size: int = 4096) -> bytes:
    """The beginning of a bzImage as the boot protocol has it: "HdrS" at 0x202, the version's place at 0x20e."""
    image = bytearray(size)
    image[0x1FE:0x206] = b"\x55\xaa\xebfHdrS"  # the boot sector's mark, and a jump over what follows
    image[0x20E:0x210] = (0x400).to_bytes(2, "little")
    text = f"{release} (builder) #1 SMP\0".encode()
    image[0x600 : 0x600 + len(text)] = text
    return bytes(image)


def object_file(folder: Path, name: str = "my.bpf.o") -> Path:
    """A file that begins as a BPF object does."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x01\0\xf7\0" + bytes(44))
    return folder / name
