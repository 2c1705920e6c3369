"""A run that is ready: what it was asked for, what it found wrong, and what it refuses before any guest."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest
from unit_samples import compiled, written_case

from harness.config.matrix import Matrix
from harness.errors import CompileError, ConfigError, UsageError
from harness.host.cache import Cache
from harness.run.options import Options
from harness.run.plan import Plan, rows_of
from harness.run.prepared import Prepared, load_plan, max_cache_bytes
from harness.supply.image.keys import make_keys
from harness.supply.project import Project
from harness.supply.supplies import Built, Supplies
from harness.supply.unbuilt import yaml_cases

GIB = 2**30


@pytest.mark.parametrize(
    ("said", "size"),
    [({}, 8 * GIB), ({"BPFMATRIX_CACHE_GIB": "0.5"}, GIB // 2), ({"BPFMATRIX_CACHE_GIB": "0"}, 0)],
)
def test_what_the_cache_may_keep(said: dict[str, str], size: int) -> None:
    assert max_cache_bytes(said) == size


@pytest.mark.parametrize("text", ["", "much", "-1", "nan", "inf", "8 GiB", "1e300"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match=rf'BPFMATRIX_CACHE_GIB must be a number of GiB, .* it is "{text}"'):
        max_cache_bytes({"BPFMATRIX_CACHE_GIB": text})


def matrix_of(**defaults: Any) -> Matrix:
    kernels = [{"name": arch, "arch": arch, "source": "path", "image": "vmlinuz"} for arch in ("x86_64", "arm64")]
    return Matrix.model_validate({"defaults": defaults, "kernels": kernels})


def prepared(folder: Path, matrix: Matrix, *, built: dict[str, Built], **options: Any) -> Prepared:
    project = Project(matrix_file=folder / "matrix.yaml")
    return Prepared(
        options=Options(project=project, **options),
        matrix=matrix,
        plan=Plan(rows=rows_of(matrix), cases=yaml_cases([written_case(), written_case(id="other")])),
        supplies=Supplies(project, matrix, cache=Cache(folder / "cache")),
        keys=make_keys(),
        observer=cast(Any, None),
        built=built,
        started=datetime(2026, 11, 29, 23, 59, 59, tzinfo=UTC),
        jobs=1,
        max_cache_bytes=0,
    )


def test_the_accelerator_is_what_the_command_line_says_else_what_the_matrix_says(tmp_path: Path) -> None:
    matrix = matrix_of(accel="tcg")
    assert prepared(tmp_path, matrix, built={}).accel == "tcg"
    assert prepared(tmp_path, matrix, built={}, accel="kvm").accel == "kvm"
    assert prepared(tmp_path, matrix_of(), built={}).accel == "auto"


def test_what_is_wrong_with_cases_is_said_once_for_all_architectures(tmp_path: Path) -> None:
    built = {arch: Built(faults={"other": CompileError("other does not compile")}) for arch in ("x86_64", "arm64")}
    found = prepared(tmp_path, matrix_of(), built=built)
    assert [str(fault) for fault in found.faults] == ["other does not compile"]


def test_what_another_compiler_takes_is_no_mistake_of_the_case(tmp_path: Path) -> None:
    wrong, own = CompileError("other does not compile"), CompileError("case does not compile with it")
    built = {
        "x86_64+clang-14": Built(faults={"other": wrong, "case": own}),
        "x86_64+clang-19": Built(faults={"other": wrong}),
        "arm64+clang-14": Built(),
    }
    found = prepared(tmp_path, matrix_of(), built=built)
    assert (found.faults, found.mistakes) == ((wrong, own), (wrong,))
    assert [found.compiled_elsewhere("case", objects) for objects in built] == [True, False, False]


def test_cases_are_those_of_the_architecture_in_the_order_of_the_plan(tmp_path: Path) -> None:
    cases = compiled([written_case(id="other"), written_case()])
    arm = {name: replace(case, title="on arm64") for name, case in cases.items()}
    found = prepared(tmp_path, matrix_of(), built={"x86_64": Built(cases=cases), "arm64": Built(cases=arm)})
    assert [case.id for case in found.cases("x86_64")] == [written_case().id, "other"]
    assert [case.title for case in found.cases("arm64")] == ["on arm64"] * 2


def test_known_splats_are_those_of_the_day_on_which_the_run_began(tmp_path: Path) -> None:
    assert prepared(tmp_path, matrix_of(), built={}).allow.today.isoformat() == "2026-11-29"


def test_a_signature_that_cannot_be_its_cases_is_refused_with_its_file(tmp_path: Path) -> None:
    case = written_case().model_dump(mode="json", by_alias=True, exclude={"id", "folder"}, exclude_defaults=True)
    rule = {"outcome": "misbehaves", "stage": "observe", "reason": "r", "source": "s"}
    case["expect"] = [{**rule, "differences": [{"step": "attach nothing", "refused": "EINVAL"}]}]
    folder = tmp_path / "bpf/mine"
    folder.mkdir(parents=True)
    (folder / "case.yaml").write_text(json.dumps(case))
    for name in ("target", "tracer"):
        (folder / f"{name}.bpf.c").touch()
    kernels = [{"name": "k", "arch": "x86_64", "source": "path", "image": "vmlinuz"}]
    (tmp_path / "matrix.yaml").write_text(json.dumps({"cases": ["bpf/*"], "kernels": kernels}))
    with pytest.raises(ConfigError, match=r"bpf/mine/case\.yaml: .*attach nothing"):
        load_plan(Options(project=Project(matrix_file=tmp_path / "matrix.yaml"), arches=["all"]))
