# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import os
import shutil
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from harness.cli import doctor
from harness.cli.doctor import Finding, examine
from harness.errors import MissingToolError
from harness.host import tools
from harness.host.cache import Cache
from harness.host.process import run
from harness.model.architectures import ARCHITECTURES, Architecture
from harness.qemu import accel

MATRIX = """\
kernels:
  - {name: "6.1", arch: x86_64, source: debian, suite: bookworm, package: linux-image-cloud-amd64}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A matrix file, on a host with nothing but what the tests give it."""
    monkeypatch.setenv("BPFMATRIX_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("BPFMATRIX_DEBIAN_MIRROR", "file:///srv/debian")
    monkeypatch.setattr(doctor, "host_architecture", lambda: ARCHITECTURES["x86_64"])
    monkeypatch.setattr(doctor, "qemu_version", lambda arch: "7.2.9")
    monkeypatch.setattr(doctor, "available_memory_mib", lambda: 8000)
    monkeypatch.setattr(doctor, "run", lambda argv: CompletedProcess(argv, 0, stdout=SAID, stderr=""))
    path = tmp_path / "matrix.yaml"
    path.write_text(MATRIX)
    return path


SAID = "clang version 14.0.6\nsetpriv from util-linux 2.38\napt 2.6.1 (amd64)\n"
"""What every tool of this host says of its version: asking each of the real ones takes its time."""


def found(path: Path) -> dict[str, list[Finding]]:
    findings: dict[str, list[Finding]] = {}
    for finding in examine(path):
        findings.setdefault(finding.subject, []).append(finding)
    return findings


def test_this_very_host_can_run_everything_that_the_tests_need(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "run", run)
    findings = found(project)
    assert [finding.text for each in findings.values() for finding in each if finding.fatal] == []
    for subject in ("clang", "modprobe", "setpriv", "dpkg-deb", "apt-helper"):
        assert findings[subject][0].text[0].isdigit(), f"{subject}: its version is not read"


def test_every_subject_is_looked_at(project: Path) -> None:
    findings = found(project)
    for subject in (
        "host",
        "qemu",
        "accelerator",
        "clang",
        "llvm-strip",
        "modprobe",
        "setpriv",
        "dpkg-deb",
        "apt-helper",
    ):
        assert subject in findings
    for subject in ("libbpf", "matrix", "mirror", "cache", "memory"):
        assert len(findings[subject]) == 1
    assert [finding.text for finding in findings["qemu"]] == [
        f"{arch.name}: {arch.qemu} 7.2.9" for arch in ARCHITECTURES.values()
    ]
    texts = [findings[subject][0].text for subject in ("clang", "setpriv", "apt-helper")]
    assert texts == ["14.0.6", "2.38", "2.6.1"]
    assert findings["matrix"][0].text == f"{project}: 1 kernels"
    assert findings["mirror"][0].text == "file:///srv/debian (from $BPFMATRIX_DEBIAN_MIRROR)"


@pytest.mark.parametrize(
    ("finding", "sign"),
    [
        (Finding(subject="s", text="t"), "ok"),
        (Finding(subject="s", text="t", good=False), "note"),
        (Finding(subject="s", text="t", good=False, fatal=True), "LACK"),
    ],
)
def test_signs(finding: Finding, sign: str) -> None:
    assert finding.sign.strip() == sign
    assert len(finding.sign) == 4


def test_a_host_without_any_tool_is_told_what_to_install(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, *, package: str, purpose: str) -> str:
        raise MissingToolError(f"{name} is not installed")

    def no_qemu(arch: Architecture) -> str:
        raise MissingToolError("not installed")

    monkeypatch.setattr(doctor, "find_tool", missing)
    monkeypatch.setattr(doctor, "qemu_version", no_qemu)
    findings = found(project)
    for subject, package in {"clang": "clang", "llvm-strip": "llvm", "modprobe": "kmod", "dpkg-deb": "dpkg"}.items():
        (finding,) = findings[subject]
        assert (finding.good, finding.fatal, finding.advice) == (False, True, f"apt-get install {package}")
    fatal = [finding.fatal for finding in findings["qemu"]]
    assert fatal == [name == "x86_64" for name in ARCHITECTURES], "only the host's own QEMU is needed by every run"
    assert all("apt-get install qemu-system-" in finding.advice for finding in findings["qemu"])


RPM = """\
  - {name: el9, arch: x86_64, source: rpm, distribution: rhel-like, baseurl: "file:///srv", unsigned: true}
"""


def test_what_only_some_kernels_need_is_looked_for_where_the_matrix_has_them(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = {"gpgv", "rpmkeys", "rpm2cpio", "bsdtar"}
    assert names.isdisjoint(found(project))
    project.write_text(MATRIX + RPM)
    monkeypatch.setattr(tools, "has_tool", lambda name: name in ("gpgv", "bsdtar"))
    findings = {name: each[0] for name, each in found(project).items() if name in names}
    assert {name: (each.good, each.fatal) for name, each in findings.items()} == {
        "gpgv": (True, False),
        "rpmkeys": (False, False),
        "bsdtar": (True, False),
    }
    assert findings["rpmkeys"].text == (
        "not installed; kernels of this matrix need it to check the signatures of RPM packages"
    )
    assert findings["rpmkeys"].advice.startswith("apt-get install rpm")


def test_a_host_that_is_no_architecture_of_the_matrix(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "host_architecture", lambda: None)
    findings = found(project)
    assert "all guests are emulated" in findings["host"][0].text
    assert "accelerator" not in findings


class Device:
    """A /dev/kvm: whether it is there, may be opened, and what an earlier run found out about it."""

    def __init__(self, *, exists: bool = True, access: bool = True, known: tuple[bool, str] | None = None) -> None:
        self.exists, self.access, self.known = exists, access, known


@pytest.mark.parametrize(
    ("device", "says"),
    [
        (Device(exists=False, access=False), "tcg: the host has no /dev/kvm"),
        (Device(access=False), "tcg: /dev/kvm may not be opened"),
        (Device(), "the first run boots a probe guest"),
        (Device(known=(True, "a probe guest reached its init")), "kvm: a probe guest reached its init"),
        (Device(known=(False, "KVM opens, but")), "tcg: KVM opens, but"),
    ],
)
def test_the_accelerator_and_how_that_is_known(
    device: Device, says: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exists, access, known = device.exists, device.access, device.known
    good = access or not exists
    real_exists, real_access = Path.exists, os.access
    monkeypatch.setattr(Path, "exists", lambda self: exists if str(self) == "/dev/kvm" else real_exists(self))
    monkeypatch.setattr(os, "access", lambda path, mode: access if path == "/dev/kvm" else real_access(path, mode))
    monkeypatch.setattr(doctor, "remembered", lambda host, cache: known)
    (finding,) = found(project)["accelerator"]
    assert says in finding.text
    assert finding.good == good
    assert bool(finding.advice) == (not good)


def test_the_finding_of_an_earlier_run_is_shown(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accel, "qemu_version", lambda arch: "7.2.9")
    monkeypatch.setattr(os, "access", lambda path, mode: True)
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda self: str(self) == "/dev/kvm" or exists(self))
    accel.choose("auto", ARCHITECTURES["x86_64"], cache=Cache(), probe=lambda: (False, "it hangs"), host="x86_64")
    assert found(project)["accelerator"][0].text == "tcg: it hangs"


def test_a_wrong_matrix_is_a_finding(project: Path) -> None:
    project.write_text("kernls: []\n")
    (finding,) = found(project)["matrix"]
    assert finding.fatal
    assert "kernls" in finding.text


def test_without_a_matrix_it_says_how_to_write_one_and_what_the_host_offers(project: Path) -> None:
    project.unlink()
    findings = found(project)
    (finding,) = findings["matrix"]
    assert finding.fatal
    assert "`./run init`" in finding.text
    assert findings["mirror"][0].text == "file:///srv/debian (from $BPFMATRIX_DEBIAN_MIRROR)"


def test_a_folder_without_a_project_lacks_nothing_that_check_and_exec_need(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.unlink()
    monkeypatch.chdir(project.parent)
    (finding,) = found(Path("matrix.yaml"))["matrix"]
    assert not finding.fatal and "check and exec" in finding.text
    assert finding.advice == "for cases of your own: ./run init"


def test_a_malformed_lock_is_a_finding_and_no_error(project: Path) -> None:
    (project.parent / "matrix.lock").write_text("unknown: 1\n")
    (finding,) = found(project)["mirror"]
    assert not finding.good
    assert "matrix.lock" in finding.text


def test_no_mirror_is_a_finding(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BPFMATRIX_DEBIAN_MIRROR")
    monkeypatch.setattr("harness.supply.debian.mirrors.host_sources", dict)
    (finding,) = found(project)["mirror"]
    assert not finding.good
    assert "BPFMATRIX_DEBIAN_MIRROR" in finding.text


def test_a_host_without_debians_sources_learns_of_the_setting(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked is the host's own apt, which has no sources here."""
    monkeypatch.delenv("BPFMATRIX_DEBIAN_MIRROR")
    config = tmp_path / "apt.conf"
    config.write_text('#clear Dir::Etc;\nDir::Etc::sourcelist "/dev/null";\nDir::Etc::sourceparts "/dev/null";\n')
    monkeypatch.setenv("APT_CONFIG", str(config))
    (finding,) = found(project)["mirror"]
    assert (finding.good, finding.fatal) == (False, True)
    for setting in ("BPFMATRIX_DEBIAN_MIRROR", "mirrors: {debian: ...}"):
        assert setting in finding.text


@pytest.mark.parametrize(
    ("release", "advice"),
    [({"ID": "ubuntu"}, "apt-get install debian-archive-keyring"), ({"ID": "fedora"}, "dnf install debian-keyring")],
)
def test_a_host_without_debians_keyring_learns_of_its_package(
    release: dict[str, str], advice: str, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert found(project)["keyring"][0].good
    monkeypatch.setattr(doctor, "KEYRING", tmp_path / "none.gpg")
    monkeypatch.setattr("platform.freedesktop_os_release", lambda: release)
    (finding,) = found(project)["keyring"]
    assert (finding.fatal, finding.advice) == (True, advice)


def test_missing_headers_are_a_finding(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda self: self.name != "bpf_tracing.h" and exists(self))
    (finding,) = found(project)["libbpf"]
    assert (finding.fatal, finding.advice) == (True, "apt-get install libbpf-dev")


class Usage:
    def __init__(self, free: int) -> None:
        self.free = free


@pytest.mark.parametrize(("gib", "good"), [(100, True), (1, False)])
def test_the_caches_size_and_disk(gib: int, good: bool, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(gib * 2**30))

    def make(folder: Path) -> dict[str, Any]:
        (folder / "file").write_bytes(b"x" * 3 * 2**20)
        return {}

    Cache().entry("kernels", "k", make)
    (finding,) = found(project)["cache"]
    assert finding.good == good
    assert "3 MiB used" in finding.text
    assert f"{gib}.0 GiB free" in finding.text
    assert ("BPFMATRIX_CACHE" in finding.advice) == (not good)


@pytest.mark.parametrize(("free", "good"), [(4000, True), (500, False)])
def test_the_memory(free: int, good: bool, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "available_memory_mib", lambda: free)
    (finding,) = found(project)["memory"]
    assert (finding.text, finding.good) == (f"{free} MiB available", good)
    assert ("--jobs 1" in finding.advice) == (not good)
