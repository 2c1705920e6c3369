"""`precheck` writes what it says, and compares it with a run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from forecast_samples import OBJECT, as_large_as_a_kernels, compiled, kernel_btf
from reports_of_runs import report_of

from harness.cli.precheck import Asked, marked, precheck
from harness.errors import UsageError
from harness.model.results import OutcomeKind, Stage
from harness.reports import json_report
from harness.run.options import Options
from harness.supply.project import Project


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    monkeypatch.setenv("BPFMATRIX_CACHE", str(tmp_path / "cache"))
    types = as_large_as_a_kernels(kernel_btf("int tcp_connect(int a) { return a; }"))
    (tmp_path / "image").write_bytes(b"\x7fELF\x02\x01" + bytes(500) + types)
    entry = f"{{name: mine, arch: x86_64, source: path, image: {tmp_path}/image, release: 6.1.1-1}}"
    (tmp_path / "matrix.yaml").write_text(f"kernels:\n  - {entry}\n")
    path = compiled(f'{OBJECT} SEC("fentry/tcp_connect") int it(u64 *ctx) {{ return 0; }}')
    (tmp_path / "mine.bpf.o").write_bytes(path.read_bytes())
    return Options(project=Project(matrix_file=tmp_path / "matrix.yaml"), arches=["x86_64"])


def test_it_writes_its_reports_and_the_file_that_is_named(
    options: Options, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = Asked(objects=[tmp_path / "mine.bpf.o"], json=tmp_path / "other/it.json")
    assert precheck(options, asked) == 0
    (folder,) = (tmp_path / "results").iterdir()
    assert {each.name for each in folder.iterdir()} == {"precheck.json", "precheck.md"}
    assert json.loads((tmp_path / "other/it.json").read_text()) == json.loads((folder / "precheck.json").read_text())
    printed = capsys.readouterr().out
    assert "it: found on 6.1.1-1" in printed
    assert "Only a run decides" in printed


def test_it_is_compared_with_a_run(options: Options, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "report.json").write_text(json_report.render(report_of(OutcomeKind.WORKS)))
    precheck(options, Asked(objects=[tmp_path / "mine.bpf.o"], compare=run))
    assert "compared with the run on" in capsys.readouterr().out
    (page,) = (tmp_path / "results").glob("*/precheck.md")
    assert "## Compared with a run" in page.read_text()


def test_the_reports_of_a_run_name_what_differs(options: Options, tmp_path: Path) -> None:
    from harness.run.checking import with_objects
    from harness.supply.own.said import Given

    asked = with_objects(options, [tmp_path / "mine.bpf.o"], Given())
    refused = report_of(OutcomeKind.REFUSED, Stage.LOAD_TARGET)
    (kernel,) = refused.kernels
    refused = replace(refused, kernels=(replace(kernel, package=None, version="6.1.1-1", release="6.1.1-1"),))
    found = marked(refused, tmp_path / "run", asked)
    assert found.run.notices == (
        "forecast compared with the run on 1 kernel: row: 1 found, and yet refused",
        "forecast: mine/it on row (6.1.1-1): forecast found, run: refused at load-target",
    )
    assert json_report.parse((tmp_path / "run/report.json").read_text()).run.notices == found.run.notices
    assert "## Compared with a run" in (tmp_path / "run/precheck.md").read_text()


def test_a_run_without_a_report_is_a_usage_error(options: Options, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name the folder of a run of check"):
        precheck(options, Asked(objects=[tmp_path / "mine.bpf.o"], compare=tmp_path))
