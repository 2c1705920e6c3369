"""Rows with a userland and a compiler: libbpfs and compilers of Debian's suites, in real guests."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from projects import INPUTS, TemporaryProject

from harness.errors import ConfigError
from harness.host.cache import Cache
from harness.model.results import Attribution, Axis, CellResult, OutcomeKind, Report, Stage, Start, Verdict
from harness.run.checking import with_objects
from harness.run.matrix import run_matrix
from harness.run.options import Options
from harness.supply import supplies
from harness.supply.libraries import DEFAULT_FOLDERS, configured_folders
from harness.supply.own.said import Given
from harness.supply.project import Project

pytestmark = pytest.mark.vm

KERNELS, LIBBPFS, CLANGS = ("6.1-x86_64", "6.12-x86_64"), ("default", "bookworm"), ("14", "19")
SEED, SECTION, CODE = "kprobe-fentry-fexit", "axes-section", "axes-code"
ROWS = [f"{kernel}+libbpf-{libbpf}+clang-{clang}" for kernel in KERNELS for libbpf in LIBBPFS for clang in CLANGS]


def project(folder: Path, **keys: object) -> Options:
    made = TemporaryProject(folder, kernels=KERNELS)
    made.committed(SEED)
    for name in (SECTION, CODE):
        (made.folder / "bpf" / name).symlink_to(INPUTS / name)
    made.matrix |= keys
    made.write_matrix()
    return Options(project=Project(matrix_file=made.matrix_file), results=folder / "results")


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> Options:
    return project(tmp_path_factory.mktemp("axes") / "project", libbpf=list(LIBBPFS), clang=[14, 19])


@pytest.fixture(scope="module")
def report(options: Options) -> Report:
    return run_matrix(options).report


def cells(report: Report, case: str) -> dict[str, CellResult]:
    return {cell.kernel: cell for cell in report.cells if cell.case == case}


def decided(report: Report) -> dict[str, Attribution]:
    return {each.case: each for each in report.attributions}


def test_the_seed_works_with_each_libbpf_and_each_compiler_on_each_kernel(report: Report) -> None:
    assert {name: cell.verdict for name, cell in cells(report, SEED).items()} == dict.fromkeys(ROWS, Verdict.PASS)
    assert SEED not in decided(report)


def test_rows_say_which_libbpf_and_which_compiler_they_had(report: Report) -> None:
    found = {kernel.name: (kernel.libbpf_version, kernel.clang_version.split(".")[0]) for kernel in report.kernels}
    assert {name: clang for name, (_, clang) in found.items()} == {name: name[-2:] for name in ROWS}
    versions = {libbpf: {found[name][0] for name in ROWS if f"libbpf-{libbpf}" in name} for libbpf in LIBBPFS}
    assert versions == {"default": {"v1.5"}, "bookworm": {"v1.1"}}, "as each says itself in the guest"


def test_libbpf_decides_about_a_section_that_only_the_younger_one_knows(report: Report) -> None:
    found = decided(report)[SECTION]
    assert (found.axis, found.left_out) == (Axis.LIBBPF, ())
    assert {value: (answer.outcome, answer.stage) for answer in found.answers for value in answer.values} == {
        "libbpf-default": (OutcomeKind.WORKS, None),
        "libbpf-bookworm": (OutcomeKind.REFUSED, Stage.LOAD_TRACER),
    }
    refused = cells(report, SECTION)["6.12-x86_64+libbpf-bookworm+clang-19"].outcome
    assert "tc/ingress" in refused.reason


def test_the_compiler_decides_about_code_that_the_verifier_takes_from_one_of_them(report: Report) -> None:
    found = decided(report)[CODE]
    assert found.axis is Axis.CLANG
    assert {value: answer.outcome for answer in found.answers for value in answer.values} == {
        "clang-14": OutcomeKind.REFUSED,
        "clang-19": OutcomeKind.WORKS,
    }


def test_the_next_run_restores_each_libbpfs_guests_and_needs_no_network(
    options: Options, report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> None:
        raise AssertionError("a mirror was asked for")

    monkeypatch.setattr(supplies, "find_mirrors", unreachable)
    again = run_matrix(options).report
    assert {cell.start for cell in again.cells} == {Start.WARM}
    assert {(cell.kernel, cell.case): cell.verdict for cell in again.cells} == {
        (cell.kernel, cell.case): cell.verdict for cell in report.cells
    }
    assert again.attributions == report.attributions


def host_libbpf() -> Path:
    """The host's own libbpf, which compiling objects needs anyway."""
    return next(
        path for folder in (*configured_folders(), *DEFAULT_FOLDERS) if (path := Path(folder) / "libbpf.so.1").is_file()
    )


def test_a_library_of_ones_own_is_what_the_guests_have(tmp_path: Path) -> None:
    own = tmp_path / "libbpf.so"
    shutil.copy(host_libbpf(), own)
    wanted = replace(project(tmp_path / "project"), kernels=[KERNELS[0]], cases=[SEED], libbpf=[str(own)])
    report = run_matrix(wanted).report
    (cell,) = report.cells
    assert (cell.kernel, cell.verdict) == (f"{KERNELS[0]}+libbpf-libbpf.so", Verdict.PASS)
    assert report.kernels[0].libbpf_version in host_libbpf().resolve().name.replace("so.", "v")
    own.write_bytes(own.read_bytes()[:1000])
    with pytest.raises(ConfigError, match="is no libbpf"):
        run_matrix(wanted)
    assert list((Cache().root / "libbpf").iterdir())


OLDEST, CHECKED = "5.10-x86_64", "axes-code"


def test_a_libbpf_before_1_0_is_talked_with_and_what_it_lacks_is_named(tmp_path: Path) -> None:
    made = TemporaryProject(tmp_path / "project", kernels=(OLDEST,))
    made.committed(SEED)
    wanted = Options(
        project=Project(matrix_file=made.matrix_file), results=tmp_path / "results", libbpf=["bullseye"], clang=["14"]
    )
    (cell,) = (report := run_matrix(wanted).report).cells
    assert (cell.verdict, report.kernels[0].libbpf_version) == (Verdict.PASS, "v0.3.0")
    source = INPUTS / CHECKED / "prog.bpf.c"
    (checked,) = run_matrix(with_objects(wanted, [source], Given())).report.cells
    (part, *_) = checked.parts
    assert (part.verdict, part.outcome.cause_name) == (Verdict.NOT_APPLICABLE, "bpf_map__set_autocreate")
    assert part.outcome.reason.endswith("which libbpf v0.3.0 does not have")
