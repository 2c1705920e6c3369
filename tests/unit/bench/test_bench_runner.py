"""What a bench makes run on this host: its command line, and what a run that fails is; what things take on disk."""

# ruff: noqa: ARG002  (what stands in for something else takes what that takes)

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from bench_sample import report
from unit_samples import ROOT

from harness.bench.runner import HostRunner, allocated, snapshot_made_since
from harness.errors import BenchError
from harness.host import process
from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES
from harness.model.results import Start
from harness.reports.json_report import render
from harness.supply.project import Project

PROJECT = Project(matrix_file=ROOT / "matrix.yaml")


class Processes:
    """Stands for the processes of this host: notes each, and leaves `found` in the folder that it is given."""

    def __init__(self) -> None:
        self.found = render(report())
        self.calls: list[list[str]] = []
        self.environment: dict[str, str] = {}

    def run(self, argv: list[str], *, env: dict[str, str], timeout: float) -> CompletedProcess[str]:
        self.calls.append(argv)
        self.environment = env
        if self.found:
            folder = Path(argv[argv.index("--results") + 1]) / "latest"
            folder.mkdir()
            (folder / "report.json").write_text(self.found)
        return CompletedProcess(argv, 2, stdout="", stderr="no kernel matches\n")


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> Processes:
    processes = Processes()
    monkeypatch.setattr(process, "run", processes.run)
    return processes


def runner(folder: Path, *, accel: str | None = None) -> HostRunner:
    (folder / "scratch").mkdir()
    anything: Any = None
    return HostRunner(
        anything,
        anything,
        arch=ARCHITECTURES["x86_64"],
        case=anything,
        cache=Cache(folder / "cache"),
        scratch=folder / "scratch",
        accel=accel,
    )


@pytest.mark.parametrize(
    ("accel", "start", "asked"),
    [(None, Start.WARM, []), (None, Start.COLD, ["--cold"]), ("tcg", Start.COLD, ["--accel", "tcg", "--cold"])],
)
def test_a_run_is_a_process_with_the_cache_of_the_bench(
    accel: str | None, start: Start, asked: list[str], processes: Processes, tmp_path: Path
) -> None:
    found, seconds = runner(tmp_path, accel=accel).report(PROJECT, ["6.1", "6.12"], ["xdp"], start=start, jobs=2)
    assert (found, seconds >= 0) == (report(), True)
    (argv,) = processes.calls
    results = argv.index("--results")
    assert Path(argv.pop(results + 1)).parent == tmp_path / "scratch"
    assert argv == [
        *(sys.executable, "-m", "harness.cli", "matrix", "--matrix-file", str(ROOT / "matrix.yaml")),
        *("--kernel", "6.1", "--kernel", "6.12", "--case", "xdp", "--jobs", "2", "--results", *asked),
    ]
    assert processes.environment["BPFMATRIX_CACHE"] == str(tmp_path / "cache")
    assert list((tmp_path / "scratch").iterdir()) == [], "what the run has left is gone"


def test_a_run_is_of_the_suite_that_is_measured(processes: Processes, tmp_path: Path) -> None:
    project = Project(matrix_file=ROOT / "matrix.yaml", suite="tracing")
    runner(tmp_path).report(project, ["6.1"], ["xdp"], start=Start.WARM)
    (argv,) = processes.calls
    assert argv[argv.index("--suite") + 1] == "tracing"


def test_a_run_without_a_report_is_reported_with_what_it_said(processes: Processes, tmp_path: Path) -> None:
    processes.found = ""
    with pytest.raises(
        BenchError, match=r"left no report \(exit code 2\): .*harness.cli matrix[^\n]*\nno kernel matches"
    ):
        runner(tmp_path).report(PROJECT, ["6.1"], ["xdp"], start=Start.WARM)


def test_holes_take_nothing_of_the_disk(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"x" * 8192)
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(1 << 24)
    assert 8192 <= allocated(tmp_path) < 1 << 20
    assert allocated(tmp_path / "data") == allocated(tmp_path)


def test_a_snapshot_that_was_just_made_is_noticed(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    assert not snapshot_made_since(cache, 0)
    (tmp_path / "snapshots/x").mkdir(parents=True)
    manifest = tmp_path / "snapshots/x/manifest.json"
    manifest.write_text("{}")
    made = manifest.stat().st_mtime
    assert snapshot_made_since(cache, made - 1)
    assert not snapshot_made_since(cache, made + 1)
    shutil.rmtree(manifest.parent)
    assert not snapshot_made_since(cache, 0)
