"""Inputs after public bug reports (tests/inputs/), as far as no guest is needed: what is built, and what is told."""

# ruff: noqa: E501  (a table is read by its columns)

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from unit_samples import ROOT, SOME_NOW, X86

from harness.config.case_folders import load_case
from harness.config.matrix import Matrix
from harness.errors import CompileError, ConfigError, ObjectFileError
from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES, Architecture
from harness.supply.project import Project
from harness.supply.supplies import Built, Supplies
from harness.supply.unbuilt import yaml_cases

INPUTS = ROOT / "tests/inputs"


def built(folder: Path, name: str, arch: Architecture = X86, *, copied: bool = False) -> Built:
    """Build an input as a run does, by a project without headers of its own; `copied` if it is to be changed."""
    if copied and not (folder / name).exists():
        shutil.copytree(INPUTS / name, folder / name)
    case = load_case((folder if copied else INPUTS) / name)
    matrix = Matrix.model_validate({"kernels": [{"name": "k", "arch": "x86_64", "source": "path", "image": "vmlinuz"}]})
    project = Project(matrix_file=folder / "matrix.yaml")
    return Supplies(project, matrix, cache=Cache(folder / "cache")).build(yaml_cases([case]), arch)


@pytest.mark.parametrize(
    ("name", "file"),
    [("26-own-headers", "include/common.h"), ("26b-included-source", "impl.c")],
)
def test_what_an_object_is_made_of_is_never_stale(tmp_path: Path, name: str, file: str) -> None:
    first = built(tmp_path, name, copied=True).files[name]["prog.bpf.c"]
    path = tmp_path / name / file
    path.write_text(path.read_text().replace("EVENT_TARGET", "EVENT_CALLEE"))
    second = built(tmp_path, name, copied=True).files[name]["prog.bpf.c"]
    assert first != second
    assert first.read_bytes() != second.read_bytes()


@pytest.mark.parametrize("arch", SOME_NOW, ids=list(ARCHITECTURES))
@pytest.mark.parametrize(
    "name", ["refused-32-vmlinux-h", "refused-32b-trace-first", "refused-32d-uapi", "32c-without-trace"]
)
def test_headers_of_ones_own_stand_beside_the_shared_ones(tmp_path: Path, name: str, arch: Architecture) -> None:
    found = built(tmp_path, name, arch)
    assert not found.faults, [fault.log for fault in found.faults.values() if isinstance(fault, CompileError)]
    assert not found.mistakes


@pytest.mark.parametrize("name", ["24-prebuilt", "refused-24b-prebuilt-other-name"])
def test_an_object_reads_the_registers_of_one_architecture(tmp_path: Path, name: str) -> None:
    assert not built(tmp_path, name).faults
    for arch in ("arm64", "riscv64", "ppc64le"):
        (fault,) = built(tmp_path, name, ARCHITECTURES[arch]).faults.values()
        assert isinstance(fault, ObjectFileError)
        assert "reads the registers of x86_64" in str(fault)
        assert f"on {arch} would be wrong" in str(fault)
    (fault,) = built(tmp_path, name, ARCHITECTURES["s390x"]).faults.values()
    assert "big-endian" in str(fault)


def test_an_object_for_each_architecture(tmp_path: Path) -> None:
    name = "refused-24b-prebuilt-other-name"
    shutil.copytree(INPUTS / name, tmp_path / name)
    path = tmp_path / name / "case.yaml"
    path.write_text(path.read_text().replace("tracer_x86_bpfel.o", "{x86_64: tracer_x86_bpfel.o, arm64: other.bpf.c}"))
    (tmp_path / name / "other.bpf.c").write_text((INPUTS / "24-prebuilt/tracer.c").read_text())
    found = {arch: built(tmp_path, name, ARCHITECTURES[arch], copied=True) for arch in ("x86_64", "arm64", "riscv64")}
    assert list(found["x86_64"].files[name]) == ["tracer_x86_bpfel.o"]
    assert list(found["arm64"].files[name]) == ["other.bpf.c"]
    assert found["arm64"].cases[name].objects == {"target": "other.bpf.c"}
    (fault,) = found["riscv64"].faults.values()
    assert "target has no object for riscv64 (it has: x86_64, arm64)" in str(fault)


def test_a_file_of_an_architecture_that_is_not_there_is_told(tmp_path: Path) -> None:
    name = "refused-24b-prebuilt-other-name"
    shutil.copytree(INPUTS / name, tmp_path / name)
    path = tmp_path / name / "case.yaml"
    path.write_text(path.read_text().replace("tracer_x86_bpfel.o", "{x86_64: tracer_x86_bpfeb.o}"))
    with pytest.raises(
        ConfigError, match=r"objects\.target\.x86_64: there is no file tracer_x86_bpfeb\.o .*did you mean"
    ):
        load_case(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("13c-typo-is-green", 'case.yaml:2: target.attach[0]: prog.bpf.c has no program "on_renam"; did you mean "on_rename"?'),
        ("13d-typo-tracing", 'case.yaml:4: steps[0].only[0]: prog.bpf.c has no program "on_renam"; did you mean "on_rename"?'),
        ("09-ringbuf", 'case.yaml:4: events: the map "rb" of prog.bpf.c is a BPF_MAP_TYPE_RINGBUF, and a BPF_MAP_TYPE_PERF'),
        ("09b-ringbuf-client", 'case.yaml:4: events: the map "rb" of prog.bpf.c is a BPF_MAP_TYPE_RINGBUF, and a BPF_MAP_'),
        ("29-own-event", "case.yaml:5: observe.client: only the trigger tcp-connect makes a connection"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_case_is_told_before_any_guest(tmp_path: Path, name: str, message: str) -> None:
    (line,) = built(tmp_path, name).mistakes
    assert message in line


@pytest.mark.parametrize(
    "name",
    [
        "09c-ringbuf-count",
        "29b-own-event-tcp",
        "33b-foreign-as-steps",
        "13-struct-ops-link",
        "13b-struct-ops-map",
        "19b-larger-map",
        "refused-17-exec",
        "refused-17b-openat",
    ],
)
def test_what_is_no_mistake_is_not_told(tmp_path: Path, name: str) -> None:
    found = built(tmp_path, name)
    assert (found.faults, found.mistakes) == ({}, ())


def test_the_trace_of_a_tracer_of_a_foreign_program_is_the_tracers(tmp_path: Path) -> None:
    name = "33-foreign-target"
    (step,) = [step for step in built(tmp_path, name).cases[name].steps if step.op == "read-trace"]
    assert step.args["object"] == "tracer"


def test_a_warning_is_told_in_the_compilers_text(tmp_path: Path) -> None:
    (fault,) = built(tmp_path, "refused-26-own-headers").faults.values()
    assert isinstance(fault, CompileError)
    assert "prog.bpf.c:6:6: error: unused variable 'unused'" in fault.log


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("refused-10-globals", ("steps[3].expect.map: unknown key; write what global variables must be",)),
        ("refused-wishes", ("target.autoattach: unknown key; write", "observe.ringbuf: unknown key; write")),
    ],
)
def test_what_a_case_cannot_say_yet_is_wrong_configuration(name: str, texts: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_case(INPUTS / name)
    assert caught.value.exit_code == 2
    for text in texts:
        assert text in str(caught.value)
