"""The command: what it refuses, what it leaves, how it ends. What measures is played."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from bench_sample import measurements, quick_measurements

from harness.bench import command
from harness.bench.measure import COUNTS, QUICK_COUNTS, Wanted
from harness.bench.samples import Measurements
from harness.errors import EXIT_OK, EXIT_UNEXPECTED, UsageError
from harness.run.options import Options
from harness.supply.project import Project


class Played:
    """What stands in for Bench."""

    wanted: Wanted
    found: Measurements

    def __init__(self, wanted: Wanted, **_: Any) -> None:
        type(self).wanted = wanted

    def run(self) -> Measurements:
        return self.found


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> type[Played]:
    Played.found = measurements()
    monkeypatch.setattr(command, "Bench", Played)
    return Played


def bench(folder: Path, **changes: Any) -> int:
    given: dict[str, Any] = {
        "kernel": None,
        "rounds": 5,
        "matrix_kernels": "*",
        "quick": False,
        "output": folder / "out",
        "page_file": None,
    }
    options = Options(project=Project(matrix_file=folder / "matrix.yaml"))
    return command.bench(options, **{**given, **changes})


def test_what_it_leaves(tmp_path: Path, played: type[Played], capsys: pytest.CaptureFixture[str]) -> None:
    assert bench(tmp_path) == EXIT_OK
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["bench.json", "bench.md", "phases.svg"]
    document = json.loads((tmp_path / "out/bench.json").read_text())
    assert document["ratios"]["cold_over_floor"] == 1.7812
    assert "(phases.svg)" in (tmp_path / "out/bench.md").read_text()
    said = capsys.readouterr().out
    assert "cold_over_floor            1.78\n" in said
    assert (played.wanted.rounds, played.wanted.matrix_kernels, played.wanted.counts) == (5, "*", COUNTS)


def test_without_a_folder_it_goes_to_the_results(tmp_path: Path, played: type[Played]) -> None:
    bench(tmp_path, output=None)
    (folder,) = (tmp_path / "results").iterdir()
    assert folder.name.startswith("bench-2")
    assert (folder / "bench.json").exists()


def test_quick_is_one_round_without_the_matrix(tmp_path: Path, played: type[Played]) -> None:
    bench(tmp_path, quick=True)
    assert (played.wanted.rounds, played.wanted.matrix_kernels, played.wanted.counts) == (1, None, QUICK_COUNTS)


def test_another_outcome_than_works_is_told_and_ends_with_1(
    tmp_path: Path, played: type[Played], capsys: pytest.CaptureFixture[str]
) -> None:
    played.found = quick_measurements()
    assert bench(tmp_path) == EXIT_UNEXPECTED
    said = capsys.readouterr().out
    assert "another outcome than works: 6.1-x86_64 x case-00: refused: as it was" in said
    assert "jobs2_over_ideal           not measured" in said


def test_a_page_gets_the_tables_and_the_plot_beside_it(tmp_path: Path, played: type[Played]) -> None:
    page = tmp_path / "performance.md"
    page.write_text("before\n<!-- bench: begin -->\nearlier\n<!-- bench: end -->\nafter\n")
    bench(tmp_path, page_file=page)
    text = page.read_text()
    assert text.startswith("before\n<!-- bench: begin -->\nKernel 6.1-x86_64")
    assert text.endswith("<!-- bench: end -->\nafter\n")
    assert "earlier" not in text
    assert "(performance.svg)" in text
    assert (tmp_path / "performance.svg").read_text() == (tmp_path / "out/phases.svg").read_text()


def test_what_is_written_on_the_page_while_it_measures_stays(
    tmp_path: Path, played: type[Played], monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "performance.md"
    page.write_text("before\n<!-- bench: begin -->\n<!-- bench: end -->\n")

    def run(_: Played) -> Measurements:
        page.write_text("written meanwhile\n<!-- bench: begin -->\n<!-- bench: end -->\n")
        return played.found

    monkeypatch.setattr(played, "run", run)
    bench(tmp_path, page_file=page)
    assert page.read_text().startswith("written meanwhile\n<!-- bench: begin -->\nKernel 6.1-x86_64")


@pytest.mark.parametrize("text", [None, "no marks"])
def test_a_page_without_a_place_is_refused_before_anything_is_measured(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "Bench", None)
    if text is not None:
        (tmp_path / "page.md").write_text(text)
    with pytest.raises(UsageError, match=r"cannot be read|no place for the bench"):
        bench(tmp_path, page_file=tmp_path / "page.md")


def test_no_other_command_loads_it() -> None:
    """Its imports would slow down every run of the matrix."""
    import subprocess
    import sys

    code = "import sys, harness.cli.commands; print([name for name in sys.modules if name.startswith('harness.bench')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
