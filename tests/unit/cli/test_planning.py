from __future__ import annotations

import json
from pathlib import Path

import pytest
from unit_samples import written_case

from harness.cli.planning import plan
from harness.errors import EXIT_OK, UsageError
from harness.run.options import Options
from harness.supply.project import Project


@pytest.fixture
def options(tmp_path: Path) -> Options:
    kernels = [{"name": name, "arch": "s390x", "source": "path", "image": "vmlinuz"} for name in ("a", "b", "c")]
    (tmp_path / "matrix.yaml").write_text(json.dumps({"kernels": kernels}))
    (tmp_path / "bpf/case").mkdir(parents=True)
    case = written_case().model_dump(mode="json", by_alias=True, exclude={"id", "folder"}, exclude_defaults=True)
    (tmp_path / "bpf/case/case.yaml").write_text(json.dumps(case))
    for name in ("target", "tracer"):
        (tmp_path / f"bpf/case/{name}.bpf.c").write_text("int value;\n")
    return Options(project=Project(matrix_file=tmp_path / "matrix.yaml"), arches=["all"])


def test_the_plan_is_printed_and_nothing_else(options: Options, capsys: pytest.CaptureFixture[str]) -> None:
    assert plan(options, shards=2, format="github") == EXIT_OK
    out, err = capsys.readouterr()
    assert [job["kernels"] for job in json.loads(out)["include"]] == ["a c", "b"]
    assert err == ""
    assert not (options.project.folder / "results").exists()


def test_a_format_that_is_none(options: Options) -> None:
    with pytest.raises(UsageError, match='--format takes github, gitlab, json; got "yaml"'):
        plan(options, shards=2, format="yaml")
