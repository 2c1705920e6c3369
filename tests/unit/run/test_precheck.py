"""A forecast of real objects on kernels that are files: images with types, modules beside one of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from forecast_samples import OBJECT, as_large_as_a_kernels, compiled, elf_with, kernel_btf, module_btf

from harness.errors import UsageError
from harness.forecast.answers import Answer
from harness.forecast.btf import Btf
from harness.forecast.document import Forecast
from harness.run.checking import with_objects
from harness.run.options import Options
from harness.run.precheck import precheck
from harness.supply.own.said import Given
from harness.supply.project import Project

OLD = "struct sock { int a; } *s; int tcp_connect(struct sock *p) { return 0; }"
NEW = "struct sock { int a, more; } *s; int tcp_connect(struct sock *p) { return 0; }"
SOURCE = """
struct sock { int more; } CORE;
SEC("fentry/tcp_connect") int reads(u64 *ctx) { struct sock *s = (void *)ctx[0]; return s->more; }
SEC("fentry/far") int traces(u64 *ctx) { return 0; }
SEC("?xdp") int off(void *ctx) { return 0; }
"""
MATRIX = """
kernels:
  - {{name: old, arch: x86_64, source: path, image: {folder}/old, release: 5.10.1}}
  - {{name: new, arch: x86_64, source: path, image: {folder}/new, release: 6.12.1, modules: {folder}/modules}}
  - {{name: none, arch: x86_64, source: path, image: {folder}/none, release: 6.13.1}}
  - {{name: other, arch: s390x, source: path, image: {folder}/other, release: 6.13.1}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Options:
    """Two kernels with types, one without, and one of another architecture that is not there."""
    monkeypatch.setenv("BPFMATRIX_CACHE", str(tmp_path / "cache"))
    for name, types in (("old", kernel_btf(OLD)), ("new", kernel_btf(NEW))):
        (tmp_path / name).write_bytes(b"\x7fELF\x02\x01" + bytes(500) + as_large_as_a_kernels(types))
    (tmp_path / "none").write_bytes(b"\x7fELF\x02\x01" + bytes(500))
    folder = tmp_path / "modules/kernel"
    folder.mkdir(parents=True)
    base = Btf(as_large_as_a_kernels(kernel_btf(NEW)), order="little")
    (folder / "distant.ko").write_bytes(elf_with(module_btf(base, "far")))
    (tmp_path / "modules/modules.dep").write_text("")
    (tmp_path / "matrix.yaml").write_text(MATRIX.format(folder=tmp_path))
    (tmp_path / "mine.bpf.o").write_bytes(compiled(f"{OBJECT}{SOURCE}").read_bytes())
    return Options(project=Project(matrix_file=tmp_path / "matrix.yaml"), arches=["x86_64"])


def said(options: Options, *, sweep: bool = False) -> tuple[Forecast, dict[str, dict[str, str]]]:
    path = options.project.folder / "mine.bpf.o"
    lines: list[str] = []
    found = precheck(with_objects(options, [path], Given()), sweep=sweep, say=lines.append)
    (one,) = found.objects
    return found, {
        kernel: {each.program: str(each.answer) for each in programs} for kernel, programs in one.kernels.items()
    }


@pytest.mark.parametrize("sweep", [False, True])
@pytest.mark.parametrize("jobs", [1, 2])
def test_each_program_on_each_kernel(project: Options, *, sweep: bool, jobs: int) -> None:
    from dataclasses import replace

    found, answers = said(replace(project, jobs=jobs), sweep=sweep)
    assert answers == {
        "old": {"reads": "missing", "traces": "missing", "off": "found"},
        "new": {"reads": "found", "traces": "needs-module", "off": "found"},
        "none": {"reads": "missing", "traces": "missing", "off": "found"},
    }
    assert [(each.name, each.release, each.types) for each in found.kernels] == [
        ("old", "5.10.1", True),
        ("new", "6.12.1", True),
        ("none", "6.13.1", False),
    ]
    assert [(each.name, each.on) for each in found.objects[0].programs] == [
        ("reads", True),
        ("traces", True),
        ("off", False),
    ]
    assert found.exit_code == 1


def test_a_module_that_is_loaded_before_has_its_targets(project: Options) -> None:
    (project.project.folder / "check.yaml").write_text("modules: [distant]\nprograms: [traces]\n")
    _, answers = said(project)
    assert answers["new"]["traces"] == str(Answer.FOUND)


def test_the_types_of_another_kernel_take_the_place_of_a_kernels_own(project: Options) -> None:
    folder = project.project.folder
    (folder / "other.btf").write_bytes(kernel_btf(NEW))
    (folder / "check.yaml").write_text("btf: other.btf\n")
    _, answers = said(project)
    assert answers["old"]["reads"] == "found"


def test_what_cannot_be_had_is_in_the_forecast(project: Options) -> None:
    (project.project.folder / "old").unlink()
    found, answers = said(project)
    assert set(answers) == {"new", "none"}
    assert "cannot be read" in found.kernels[0].problem
    assert found.exit_code == 3


def test_nothing_to_look_at_is_a_usage_error(project: Options) -> None:
    with pytest.raises(UsageError, match="precheck needs an object"):
        with_objects(project, [], Given(), command_name="precheck")
