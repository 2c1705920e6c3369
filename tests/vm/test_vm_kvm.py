"""KVM from the probe to the report, on any host that has the device.

QEMU is a script here, first on PATH. Asked for `-accel kvm -cpu host`, it has the real QEMU emulate instead. So all
that the harness does for KVM is done; only the accelerator itself is played.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from projects import ROOT

from harness.cli import commands
from harness.config.matrix import load_matrix
from harness.errors import EXIT_HARNESS, EXIT_OK
from harness.guest.snapshots import Snapshots
from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES
from harness.model.results import Report, Start, Verdict
from harness.qemu import accel
from harness.qemu.accel import qemu_version
from harness.reports.json_report import parse
from harness.run.options import Options
from harness.supply.guest_plan import GuestPlan
from harness.supply.image.keys import make_keys
from harness.supply.project import Project
from harness.supply.supplies import Supplies

X86 = ARCHITECTURES["x86_64"]
KERNEL, ALL_CASES_OF = "6.1-x86_64", "6.12-x86_64"
WORKS, REFUSED = "kprobe-fentry-fexit", "refuse-missing-function"
VERDICTS = {WORKS: Verdict.PASS, REFUSED: Verdict.XFAIL}
CASES = [*VERDICTS]
PROVEN = "a probe guest reached its init under KVM"
SILENT = "KVM opens, but a probe guest under it had not reached its init after 0.5 s (it printed nothing)"
SHARED = ("apt", "dependencies", "images", "kernels", "listings", "locks", "modules", "objects", "programs")
"""What of the user's cache serves these tests. The rest is their own, so that the probe runs and snapshots are made."""

WRAPPER = """\
#!{python} -IS
import json, os, sys
argv = sys.argv[1:]
if "-accel" in argv:
    with open({log!r}, "a") as log:
        log.write(json.dumps(argv) + "\\n")
    at, cpu = argv.index("-accel") + 1, argv.index("-cpu") + 1
    if argv[at] == "kvm":
        if argv[cpu] != "host":
            sys.exit("this KVM has no processor but the host's")
        argv[at], argv[cpu] = "tcg", {cpu!r}
        argv += {more!r}
os.execv({qemu!r}, [{qemu!r}, *argv])
"""


def missing() -> str:
    """What this host lacks for KVM to be tried, or an empty text."""
    if os.uname().machine not in X86.kvm_hosts:
        return f"a {os.uname().machine} host cannot run x86_64 guests under KVM"
    return "" if os.access("/dev/kvm", os.R_OK | os.W_OK) else "the host has no /dev/kvm that opens"


pytestmark = [pytest.mark.vm, pytest.mark.skipif(bool(missing()), reason=missing())]


@dataclass(frozen=True)
class Host:
    """A host whose KVM is played: a folder for what it keeps, and its cache."""

    folder: Path
    cache: Path

    def matrix(self, name: str, *, wanted: str, kernels: list[str], cases: list[str], cold: bool = False) -> int:
        """Run the command `matrix`; return its exit code."""
        return commands.matrix(
            Options(
                project=Project(matrix_file=ROOT / "matrix.yaml"),
                kernels=kernels,
                cases=cases,
                results=self.folder / name,
                accel=wanted,
                jobs=min(2, len(os.sched_getaffinity(0))),
                cold=cold,
            )
        )

    def report(self, name: str) -> Report:
        """The report of a run, as report.json has it."""
        path = self.folder / name / "latest/report.json"
        return parse(path.read_text(), name=str(path))

    def started(self) -> list[tuple[str, str, str]]:
        """Each guest that QEMU was asked for since the last time: its accelerator, its processor, how it started."""
        log = self.folder / "log"
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        log.unlink()
        return [
            (
                argv[argv.index("-accel") + 1],
                argv[argv.index("-cpu") + 1],
                "restored" if "-incoming" in argv else "booted",
            )
            for argv in lines
        ]


@pytest.fixture(scope="module")
def user() -> Iterator[Cache]:
    """The user's cache, in use for as long as the tests run: what they take from it stays."""
    cache = Cache()
    cache.root.mkdir(parents=True, exist_ok=True)
    cache.users.enter()
    yield cache


def played(folder: Path, user: Cache, patch: pytest.MonkeyPatch, *more: str, seconds: float) -> Host:
    """Make a host whose QEMU takes the words `more` where it is asked for KVM, and whose probe has `seconds`."""
    qemu = shutil.which(X86.qemu)
    assert qemu is not None
    (folder / "bin").mkdir()
    wrapper = folder / "bin" / X86.qemu
    wrapper.write_text(
        WRAPPER.format(python=sys.executable, log=str(folder / "log"), cpu=X86.tcg_cpu, more=list(more), qemu=qemu)
    )
    wrapper.chmod(0o755)
    cache = folder / "cache"
    cache.mkdir()
    for kind in SHARED:
        (user.root / kind).mkdir(exist_ok=True)
        (cache / kind).symlink_to(user.root / kind)
    patch.setenv("BPFMATRIX_CACHE", str(cache))
    patch.setenv("BPFMATRIX_CACHE_GIB", "10000")  # what the links lead to is not this cache's to trim
    patch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    patch.setattr(accel, "PROBE_SECONDS", seconds)  # emulation on a busy host takes longer than KVM ever may
    return Host(folder, cache)


@dataclass(frozen=True)
class Runs:
    """The same cells three times: with snapshots made now, with those that are there, and without any."""

    host: Host
    codes: dict[str, int]
    started: dict[str, list[tuple[str, str, str]]]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, user: Cache) -> Iterator[Runs]:
    with pytest.MonkeyPatch.context() as patch:
        host = played(tmp_path_factory.mktemp("kvm"), user, patch, seconds=60)
        codes, started = {}, {}
        for name, wanted, cold in (("first", "kvm", False), ("warm", "auto", False), ("cold", "kvm", True)):
            codes[name] = host.matrix(name, wanted=wanted, kernels=[KERNEL], cases=CASES, cold=cold)
            started[name] = host.started()
        yield Runs(host, codes, started)


RUNS = pytest.mark.parametrize("name", ["first", "warm", "cold"])


@RUNS
def test_every_cell_is_as_expected_under_kvm(runs: Runs, name: str) -> None:
    report = runs.host.report(name)
    assert {(cell.kernel, cell.case): cell.verdict for cell in report.cells} == {
        (KERNEL, case): VERDICTS[case] for case in CASES
    }
    assert {cell.start for cell in report.cells} == {Start.COLD if name == "cold" else Start.WARM}
    assert (runs.codes[name], report.run.exit_code) == (EXIT_OK, EXIT_OK)


@RUNS
def test_the_report_says_that_it_was_kvm_and_how_that_was_found_out(runs: Runs, name: str) -> None:
    report = runs.host.report(name)
    assert (report.run.accel, report.run.accel_reason) == ("kvm", PROVEN)
    assert [kernel.accel for kernel in report.kernels] == ["kvm"]
    assert [problem for kernel in report.kernels for problem in kernel.problems] == []
    assert report.run.notices == ()


def test_kvm_is_probed_once_and_has_the_hosts_processor_in_every_guest(runs: Runs) -> None:
    booted, restored = ("kvm", "host", "booted"), ("kvm", "host", "restored")
    assert runs.started["first"] == [booted, booted, restored], "a probe, and a snapshot"
    assert runs.started["warm"] == [restored]
    assert runs.started["cold"] == [booted]
    assert len(list((runs.host.cache / "accel/x86_64").iterdir())) == 1


def plan_for(host: Host, *, wanted: str) -> GuestPlan:
    project = Project(matrix_file=ROOT / "matrix.yaml")
    matrix = load_matrix(project.matrix_file)
    supplies = Supplies(project, matrix, cache=Cache())
    kernel = next(kernel for kernel in matrix.kernels if kernel.name == KERNEL)
    return supplies.guest(kernel, (), keys=make_keys(), folder=host.folder / "plan", accel=wanted)


def test_a_snapshot_is_for_this_accelerator_and_this_processor(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under KVM a guest has the processor of its host: on another one it may find less than it saw when it booted."""
    snapshots, host = Snapshots(Cache(), qemu_version=qemu_version(X86)), runs.host
    kvm, tcg = plan_for(host, wanted="kvm"), plan_for(host, wanted="tcg")
    assert (kvm.accel, tcg.accel) == ("kvm", "tcg")
    assert snapshots.kept(kvm) is not None
    assert snapshots.kept(tcg) is None
    monkeypatch.setattr("harness.guest.snapshots.processor", lambda: "another processor")
    assert snapshots.kept(kvm) is None


def test_a_kvm_that_never_lets_a_guest_say_a_byte_ends_in_tcg_or_in_an_error(
    tmp_path: Path, user: Cache, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    host = played(tmp_path, user, monkeypatch, "-S", seconds=0.5)  # -S: the processor is never started
    kernels, cases = [KERNEL], [WORKS]
    assert host.matrix("auto", wanted="auto", kernels=kernels, cases=cases, cold=True) == EXIT_OK
    assert host.started() == [("kvm", "host", "booted"), ("tcg", X86.tcg_cpu, "booted")]
    report = host.report("auto")
    assert (report.run.accel, report.run.accel_reason) == ("tcg", SILENT)
    assert [cell.verdict for cell in report.cells] == [Verdict.PASS]
    assert "under tcg" in capsys.readouterr().out

    assert host.matrix("kvm", wanted="kvm", kernels=kernels, cases=cases) == EXIT_HARNESS
    assert not (tmp_path / "log").exists(), "what the probe found is remembered, and no guest is started"
    (cell,) = host.report("kvm").cells
    error = f"KVM was asked for, but {SILENT}. Use --accel tcg, or leave the choice to auto"
    assert cell.verdict == Verdict.ERROR
    assert cell.outcome.reason.endswith(error)
    assert error in capsys.readouterr().out


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_every_case_of_a_kernel_is_as_expected_under_kvm_cold_and_warm(
    tmp_path: Path, user: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = played(tmp_path, user, monkeypatch, seconds=60)
    for name, cold in (("cold", True), ("first", False), ("warm", False)):
        assert host.matrix(name, wanted="kvm", kernels=[ALL_CASES_OF], cases=[], cold=cold) == EXIT_OK
        report = host.report(name)
        assert report.run.accel == "kvm"
        assert {cell.start for cell in report.cells} == {Start.COLD if cold else Start.WARM}
        assert {asked[:2] for asked in host.started()} == {("kvm", "host")}
