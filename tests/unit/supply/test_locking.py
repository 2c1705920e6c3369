"""`invoke lock`: what it resolves, what it leaves alone, and what it keeps of a suite that has lost a package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from unit_samples import package_file

from harness.cli import commands
from harness.config.matrix import DebianKernel
from harness.errors import PackageGoneError
from harness.model.architectures import host_architecture
from harness.run.options import Options
from harness.run.prepared import load_plan
from harness.supply.axis_packages import AxisPackages, Request
from harness.supply.debian.pin import DebianPin, ImagePin
from harness.supply.image.guest_image import GuestImage
from harness.supply.kernels.debian import DebianSource
from harness.supply.kernels.source import Description, Resolution
from harness.supply.lock import KernelPin, Lock, read_lock, write_lock
from harness.supply.project import Project

MATRIX = """\
cases: ["bpf/*"]
kernels:
  - {name: old, arch: x86_64, source: debian, suite: bookworm, package: linux-image-cloud-amd64}
  - {name: new, arch: x86_64, source: debian, suite: bookworm-security, package: linux-image-cloud-amd64}
"""


def locked(suite: str, version: str) -> DebianPin:
    return DebianPin(
        suite=suite,
        package="linux-image-cloud-amd64",
        architecture="amd64",
        version=version,
        packages=(package_file(f"linux-image-{version}"),),
    )


def image(name: str) -> ImagePin:
    return ImagePin(suites=("trixie",), names=("libbpf1",), packages=(package_file(name),))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A matrix of two kernels, a lock of the first, and suites that have both as of today."""
    case = tmp_path / "bpf/a"
    case.mkdir(parents=True)
    case.joinpath("target.bpf.c").touch()
    case.joinpath("case.yaml").write_text(
        "title: t\nobjects: {target: target.bpf.c}\nsteps: [{do: load, object: target}]\n", encoding="utf-8"
    )
    tmp_path.joinpath("matrix.yaml").write_text(MATRIX, encoding="utf-8")
    before = Lock(
        kernels={"old": KernelPin("debian", locked("bookworm", "6.1.170-3"))}, images={"amd64": image("pinned")}
    )
    write_lock(tmp_path / "matrix.lock", before)
    monkeypatch.setenv("BPFMATRIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(GuestImage, "pin", lambda *_: image("newest"))
    offer(monkeypatch, "bookworm", "bookworm-security")
    return tmp_path


def offer(monkeypatch: pytest.MonkeyPatch, *suites: str, passed_over: tuple[str, ...] = ()) -> None:
    def pin(_: DebianSource, kernel: DebianKernel) -> Resolution[DebianPin]:
        if kernel.suite not in suites:
            raise PackageGoneError(f"{kernel.suite} has no package {kernel.package}")
        return Resolution(pin=locked(kernel.suite, "6.1.192-3"), passed_over=passed_over)

    monkeypatch.setattr(DebianSource, "pin", pin)


def lock(project: Path, *kernels: str) -> dict[str, str]:
    commands.lock(Options(project=Project(matrix_file=project / "matrix.yaml"), kernels=kernels))
    return versions(project)


def versions(project: Path) -> dict[str, str]:
    return {name: entry.pin.version for name, entry in read_lock(project / "matrix.lock").kernels.items()}


def pinned_images(project: Path) -> set[str]:
    return {entry.packages[0].name for entry in read_lock(project / "matrix.lock").images.values()}


def test_without_names_all_kernels_and_images_are_pinned_again(project: Path) -> None:
    assert lock(project) == {"old": "6.1.192-3", "new": "6.1.192-3"}
    assert pinned_images(project) == {"newest"}


def test_one_kernel_is_pinned_and_nothing_else_moves(project: Path) -> None:
    assert lock(project, "new") == {"old": "6.1.170-3", "new": "6.1.192-3"}
    assert "pinned" in pinned_images(project)


def test_packages_of_axes_are_pinned_stay_with_one_kernel_and_go_with_their_axis(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = iter(["first", "second"])

    def pin(_: AxisPackages, request: Request) -> ImagePin:
        return ImagePin(suites=request.suites, names=request.names, packages=(package_file(next(newest)),))

    monkeypatch.setattr(AxisPackages, "pin", pin)
    (project / "matrix.yaml").write_text(f"libbpf: [default, bookworm]\n{MATRIX}", encoding="utf-8")

    def pinned() -> dict[str, str]:
        axes = read_lock(project / "matrix.lock").axes
        return {key: entry.packages[0].name for key, entry in axes.items()}

    lock(project, "new")
    assert pinned() == {"amd64: libbpf of bookworm": "first"}
    lock(project, "new")
    assert pinned() == {"amd64: libbpf of bookworm": "first"}
    lock(project)
    assert pinned() == {"amd64: libbpf of bookworm": "second"}
    assert "http" not in (project / "matrix.lock").read_text()
    (project / "matrix.yaml").write_text(MATRIX, encoding="utf-8")
    lock(project, "new")
    assert pinned() == {}


def test_a_pin_outlives_the_package_that_the_suite_has_lost(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    offer(monkeypatch, "bookworm-security")
    assert lock(project) == {"old": "6.1.170-3", "new": "6.1.192-3"}
    assert "the pin of 6.1.170-3 stays" in " ".join(capsys.readouterr().out.split())


def test_what_cannot_be_pinned_at_all_is_an_error_after_the_rest_is_pinned(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(monkeypatch, "bookworm")
    with pytest.raises(PackageGoneError, match="new: not pinned"):
        lock(project)
    assert versions(project) == {"old": "6.1.192-3"}


def test_builds_that_were_passed_over_are_named(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    offer(monkeypatch, "bookworm", passed_over=("6.1.199-1 (linux-image-6.1.0-60)",))
    lock(project, "old")
    said = " ".join(capsys.readouterr().out.split())
    assert "old: 6.1.192-3 (was 6.1.170-3); passed over, since files of theirs are gone: 6.1.199-1" in said


def test_what_another_version_means_is_said(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    described = DebianSource.describe

    def describe(self: DebianSource, kernel: DebianKernel, pin: DebianPin | None) -> Description:
        return replace(described(self, kernel, pin), moved="the tag is another image now")

    monkeypatch.setattr(DebianSource, "describe", describe)
    lock(project)
    said = " ".join(capsys.readouterr().out.split())
    assert "old: 6.1.192-3 (was 6.1.170-3; the tag is another image now)" in said
    assert said.count("another image") == 1, "nothing was pinned of the other"


def test_a_kernel_that_comes_from_elsewhere_now_loses_its_pin(project: Path) -> None:
    text = (project / "matrix.yaml").read_text()
    entry = "{name: old, arch: x86_64, source: debian, suite: bookworm, package: linux-image-cloud-amd64}"
    assert entry in text
    (project / "matrix.yaml").write_text(text.replace(entry, "{name: old, arch: x86_64, source: path, image: vmlinuz}"))
    assert lock(project, "new") == {"new": "6.1.192-3"}
    assert lock(project, "old") == {"new": "6.1.192-3"}, "there is nothing to pin of a file"


def test_the_packages_of_cases_are_pinned_and_stay_where_one_kernel_alone_is(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = project / "bpf/b"
    case.mkdir()
    case.joinpath("case.yaml").write_text("title: t\ncommand: bash\npackages: [bash]\n", encoding="utf-8")
    asked: list[tuple[list[str], str]] = []

    def resolved(version: str) -> None:
        def pin(_: GuestImage, names: Sequence[str], architecture: str) -> ImagePin:
            asked.append((list(names), architecture))
            return ImagePin(suites=("trixie",), names=tuple(names), packages=(package_file("bash", version),))

        monkeypatch.setattr(GuestImage, "pin_packages", pin)

    def pinned() -> dict[str, str]:
        found = read_lock(project / "matrix.lock").packages
        return {key: pin.packages[0].version for key, pin in found.items()}

    file = Project(matrix_file=project / "matrix.yaml")
    resolved("1")
    commands.lock(Options(project=file))
    host = host_architecture()
    keys = {"amd64: bash", *([f"{host.debian}: bash"] if host else [])}
    assert pinned() == dict.fromkeys(keys, "1")
    resolved("2")
    commands.lock(Options(project=file, kernels=["new"]))
    assert pinned() == dict.fromkeys(keys, "1"), "as the images do"
    commands.lock(Options(project=file))
    assert pinned() == dict.fromkeys(keys, "2")
    assert asked[0] == (["bash"], "amd64")


# --- sweeps -----------------------------------------------------------------------------------------------------------

SWEEP = """\
  - {name: all, arch: x86_64, source: debian, suite: bookworm, package: linux-image-cloud-amd64,
     sweep: {builds: all, suites: [bookworm-security]}}
"""


def list_builds(monkeypatch: pytest.MonkeyPatch, **suites: tuple[str, ...]) -> None:
    """Let suites (with _ for -) list these versions, the newest first, all of which are there."""

    def builds(_: DebianSource, kernel: DebianKernel) -> Sequence[DebianPin]:
        versions = suites.get(kernel.suite.replace("-", "_"), ())
        if not versions:
            raise PackageGoneError(f"{kernel.suite} has none")
        return [locked(kernel.suite, version) for version in versions]

    monkeypatch.setattr(DebianSource, "builds", builds)
    monkeypatch.setattr(DebianSource, "gone", lambda *_: ())


@pytest.fixture
def swept(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    with (project / "matrix.yaml").open("a") as file:
        file.write(SWEEP)
    list_builds(monkeypatch, bookworm=("6.1.8-1", "6.1.7-1"), bookworm_security=("6.1.9-1", "6.1.8-1"))
    return project


ROWS = {f"all-6.1.{number}-1": f"6.1.{number}-1" for number in (7, 8, 9)}
OLD = {"old": "6.1.170-3"}


def test_each_build_of_a_sweep_is_pinned_as_a_row(swept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lock(swept, "all") == {**OLD, **ROWS}
    assert "all: 3 builds: 6.1.7-1, 6.1.8-1, 6.1.9-1" in " ".join(capsys.readouterr().out.split())
    matrix = Project(matrix_file=swept / "matrix.yaml").load_matrix()
    assert [kernel.name for kernel in matrix.kernels] == ["old", "new", *ROWS]
    assert [kernel.name for kernel in Project(matrix_file=swept / "matrix.yaml").load_matrix(sweeps=True).kernels] == [
        *("old", "new", "all"),
    ]


def test_rows_stay_while_another_kernel_is_pinned_and_follow_what_is_there(
    swept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lock(swept, "all")
    assert lock(swept, "new") == {**OLD, "new": "6.1.192-3", **ROWS}
    list_builds(monkeypatch, bookworm_security=("6.1.10-1", "6.1.9-1"))
    lost = {"6.1.7-1"}
    monkeypatch.setattr(DebianSource, "gone", lambda _, __, pin: ("the file",) if pin.version in lost else ())
    capsys.readouterr()
    assert lock(swept, "all") == {
        **OLD,
        "new": "6.1.192-3",
        "all-6.1.8-1": "6.1.8-1",
        "all-6.1.9-1": "6.1.9-1",
        "all-6.1.10-1": "6.1.10-1",
    }
    said = " ".join(capsys.readouterr().out.split())
    assert "all: 3 builds: 6.1.8-1, 6.1.9-1, 6.1.10-1; bookworm has none; not listed any more, but" in said
    assert "so they stay: 6.1.8-1; no longer in the lock, since files of theirs are gone: 6.1.7-1 (the file)" in said


def test_rows_of_a_suite_that_is_not_asked_any_more_go(swept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock(swept, "all")
    text = (swept / "matrix.yaml").read_text()
    (swept / "matrix.yaml").write_text(text.replace(", suites: [bookworm-security]", ""))
    list_builds(monkeypatch, bookworm=("6.1.8-1",))
    assert lock(swept, "all") == {**OLD, "all-6.1.8-1": "6.1.8-1"}


def test_a_sweep_is_run_by_its_name(swept: Path) -> None:
    lock(swept, "all")
    _, plan = load_plan(Options(project=Project(matrix_file=swept / "matrix.yaml"), kernels=["all"]))
    assert [kernel.name for kernel in plan.kernels] == [*ROWS]


def test_rows_outlive_a_suite_that_has_lost_all_builds(
    swept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    list_builds(monkeypatch)
    with pytest.raises(PackageGoneError, match="all: not pinned"):
        lock(swept, "all")
    list_builds(monkeypatch, bookworm=("6.1.8-1", "6.1.7-1"), bookworm_security=("6.1.9-1", "6.1.8-1"))
    lock(swept, "all")
    list_builds(monkeypatch)
    assert lock(swept, "all") == {**OLD, **ROWS}
    assert "the pin of 3 builds stays" in " ".join(capsys.readouterr().out.split())


def test_rows_go_with_their_sweep(swept: Path) -> None:
    lock(swept, "all")
    (swept / "matrix.yaml").write_text(MATRIX)
    assert lock(swept, "new") == {**OLD, "new": "6.1.192-3"}
    assert read_lock(swept / "matrix.lock").sweeps == {}
