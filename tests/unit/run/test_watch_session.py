"""Real runs of a watch, with guests that are played."""

# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from unit_samples import RELEASE, compiled, golden_lines, record_of, written_case, x86_image

from harness.config.case import WrittenCase
from harness.errors import (
    EXIT_OK,
    CompileError,
    ConfigError,
    UsageError,
)
from harness.facts.kernel import KernelFacts
from harness.host import emulators
from harness.host.cache import Cache
from harness.model.results import (
    Verdict,
)
from harness.qemu.accel import Accel
from harness.run import prepared as prepared_run
from harness.run import rows
from harness.run import watch as watching
from harness.run.one_kernel import facts_of
from harness.run.options import Options
from harness.run.watch import Session, watch
from harness.scenario.case import Case
from harness.screen.watch import WatchScreen
from harness.supply.guest_plan import GuestPlan
from harness.supply.image.programs import GuestPrograms
from harness.supply.project import Project
from harness.supply.supplies import Built, Supplies


class Room:
    """A project of one `path` kernel; `made` are the supplies of its runs, `plans` their guests."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: list[Supplies] = []
        self.plans: list[GuestPlan] = []
        for case in ("one", "two"):
            model = written_case().model_dump(
                mode="json", by_alias=True, exclude={"id", "folder"}, exclude_defaults=True
            )
            (folder / f"bpf/{case}").mkdir(parents=True)
            (folder / f"bpf/{case}/case.yaml").write_text(json.dumps(model))
            for name in ("target", "tracer"):
                (folder / f"bpf/{case}/{name}.bpf.c").write_text("int value;\n")
        (folder / "vmlinuz").write_bytes(x86_image())
        self.write_matrix()
        self.cache = Cache(folder / "cache")
        self.out = io.StringIO()
        self.screen = WatchScreen(console=Console(file=self.out, width=200, highlight=False))
        self.options = Options(project=Project(matrix_file=folder / "matrix.yaml"), cases=["*"], jobs=1)
        self.session = Session(self.options, screen=self.screen, cache=self.cache)

    def write_matrix(self, **keys: Any) -> None:
        kernel = {"name": "6.1", "arch": "x86_64", "source": "path", "image": "vmlinuz"}
        (self.folder / "matrix.yaml").write_text(json.dumps({"kernels": [kernel], **keys}))

    def kernel(self, plan: GuestPlan, cases: Sequence[Case], **_: object) -> KernelFacts:
        self.plans.append(plan)
        records = {}
        for case in cases:
            lines = [{**line, "case": case.id} if "case" in line else line for line in golden_lines()]
            records[case.id] = record_of(lines, case.id)
        environment: dict[str, object] = {"release": RELEASE, "version": "Debian 6.1.176-1 (x)"}
        return replace(facts_of(plan), records=records, environment=environment, boots=1)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    room = Room(tmp_path)
    init = Supplies.__init__

    def made(self: Supplies, *anything: Any, **keys: Any) -> None:
        init(self, *anything, **keys)
        room.made.append(self)

    monkeypatch.setattr(Supplies, "__init__", made)
    monkeypatch.setattr(Supplies, "base", lambda self, arch: tmp_path / "base.cpio")
    monkeypatch.setattr(Supplies, "programs", lambda self, arch: GuestPrograms())
    monkeypatch.setattr(Supplies, "accel", lambda self, wanted, files: Accel("tcg", "the test says so"))
    monkeypatch.setattr(
        Supplies,
        "build",
        lambda self, cases, arch, clang=None: Built(cases=compiled(cases), files={c.id: {} for c in cases}),
    )
    monkeypatch.setattr(rows, "qemu_version", lambda arch: "7.2.9")
    monkeypatch.setattr(prepared_run, "qemu_version", lambda arch: "7.2.9")
    monkeypatch.setattr(rows, "run_kernel", room.kernel)
    monkeypatch.setattr(prepared_run, "host_name", lambda: "x86_64")
    monkeypatch.setattr(emulators, "has_tool", lambda name: True)
    yield room


def test_a_run_leaves_what_a_run_of_the_matrix_leaves(room: Room) -> None:
    ready = room.session.ready([])
    assert ready.kernels == ["6.1"]
    finished = ready.run()
    assert finished.interrupted == ""
    assert [cell.verdict for cell in finished.report.cells] == [Verdict.PASS] * 2
    assert finished.folder.parent == room.folder / "results"
    assert (room.folder / "results/latest").resolve() == finished.folder
    for name in ("report.json", "junit.xml", "report.md", "report.html"):
        assert (finished.folder / name).stat().st_size > 0
    assert set(room.screen.grid) == {("6.1", "one"), ("6.1", "two")}


def test_runs_share_what_was_prepared_until_the_matrix_changes(room: Room) -> None:
    assert len(room.session.ready([]).run().report.cells) == 2
    assert len(room.session.ready(["two"]).run().report.cells) == 1
    assert len(room.made) == 1
    first, second = room.plans
    assert first.keys is second.keys
    assert first.objects == {"one": {}, "two": {}}
    room.write_matrix(defaults={"memory": 300})
    room.session.ready(["two"]).run()
    assert len(room.made) == 2
    assert room.plans[2].keys is first.keys
    assert room.plans[2].settings.memory == 300


def test_only_runs_of_this_session_are_removed(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "KEPT_RUNS", 2)
    earlier = Session(room.options, screen=room.screen, cache=room.cache).ready([]).run().folder
    other = room.folder / "results/notes"
    other.mkdir()
    runs = [room.session.ready(["one"]).run().folder for _ in range(4)]
    # Of runs in one second a later one may take the name of one that was removed.
    left = {folder for folder in (room.folder / "results").iterdir() if not folder.is_symlink()}
    assert left == {earlier, other, *runs[-2:]}
    assert (room.folder / "results/latest").resolve() == runs[-1]


def test_what_is_saved_while_a_run_is_going_on_is_not_in_it(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    built = {"one": {"target.bpf.c": Path("as it was")}, "two": {}}
    monkeypatch.setattr(
        Supplies, "build", lambda self, cases, arch, clang=None: Built(files=built, cases=compiled(cases))
    )
    ready = room.session.ready([])
    monkeypatch.setattr(Supplies, "build", lambda self, cases, arch, clang=None: Built(cases=compiled(cases)))
    ready.run()
    assert room.plans[0].objects == built


def test_a_case_that_cannot_be_built_is_no_run(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """The matrix makes such cells `error`; here they keep what they were until the source is saved again."""

    def build(self: Supplies, cases: Sequence[WrittenCase], arch: object, clang: object = None) -> Built:
        return Built(
            cases=compiled(cases),
            faults={case.id: CompileError(f"{case.id} does not compile") for case in cases if case.id == "two"},
        )

    monkeypatch.setattr(Supplies, "build", build)
    with pytest.raises(CompileError, match="two does not compile"):
        room.session.ready([])
    assert room.session.ready(["one"]).run().report.cases == (("one", "fentry and fexit on a kprobe BPF program"),)


def test_a_watch_ends_with_its_last_exit_code(room: Room) -> None:
    def ctrl_c(seconds: float) -> None:
        raise KeyboardInterrupt

    assert watch(room.options, screen=room.screen, cache=room.cache, sleep=ctrl_c) == EXIT_OK
    said = room.out.getvalue().splitlines()
    assert said[0] == "first run"
    assert said[-1] == "watch ended (Ctrl-C). Exit code 0: every cell came out as its case expects."


def test_without_a_matrix_file_there_is_nothing_to_wait_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        watch(Options(project=Project(matrix_file=tmp_path / "matrix.yaml"), cases=["a"]))


def test_a_case_that_does_not_exist_is_told_though_another_is_broken(room: Room) -> None:
    (room.folder / "bpf/one/case.yaml").write_text("title: [")
    with pytest.raises(UsageError, match='no case matches "thre"'):
        watch(replace(room.options, cases=["two", "thre"]), screen=room.screen, cache=room.cache)


def test_a_matrix_that_is_wrong_from_the_start_is_reported_and_waited_for(room: Room) -> None:
    def fix(seconds: float) -> None:
        if room.plans:
            raise KeyboardInterrupt
        if seconds == watching.INTERVAL:
            room.write_matrix()

    (room.folder / "matrix.yaml").write_text("kernels: [")
    assert watch(room.options, screen=room.screen, cache=room.cache, sleep=fix) == EXIT_OK
    assert "matrix.yaml:1: not valid YAML" in room.out.getvalue()
    assert len(room.plans) == 1
