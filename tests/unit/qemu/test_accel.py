# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from unit_samples import X86

from harness.errors import EXIT_HARNESS, MissingToolError, QemuError
from harness.host.cache import Cache
from harness.model.architectures import ARCHITECTURES
from harness.qemu import accel
from harness.qemu.accel import (
    MARKER,
    PROBE_SECONDS,
    Accel,
    boot_probe,
    choose,
    forget_versions,
    qemu_version,
    remembered,
)
from harness.qemu.argv import GuestSpec

WORKS = (True, "a probe guest reached its init under KVM")
HANGS = (False, "KVM opens, but a probe guest under it had not reached its init after 5 s (it printed nothing)")


class Probe:
    """A probe that counts how often it was asked."""

    def __init__(self, finding: tuple[bool, str]) -> None:
        self.finding = finding
        self.times = 0

    def __call__(self) -> tuple[bool, str]:
        self.times += 1
        return self.finding


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cache:
    """A cache on a host whose /dev/kvm opens and whose QEMU is some 7.2."""
    monkeypatch.setattr(accel, "qemu_version", lambda arch: "7.2.9")
    monkeypatch.setattr(os, "access", lambda path, mode: True)
    return Cache(tmp_path / "cache")


def chosen(cache: Cache, probe: Probe, wanted: str = "auto", host: str = "x86_64") -> Accel:
    return choose(wanted, X86, cache=cache, probe=probe, host=host)


def test_kvm_is_taken_where_a_guest_has_booted_under_it(cache: Cache) -> None:
    assert chosen(cache, Probe(WORKS)) == Accel("kvm", WORKS[1])


def test_a_kvm_that_opens_and_hangs_is_not_taken(cache: Cache) -> None:
    assert chosen(cache, Probe(HANGS)) == Accel("tcg", HANGS[1])


@pytest.mark.parametrize("finding", [WORKS, HANGS])
def test_the_finding_is_remembered(cache: Cache, finding: tuple[bool, str]) -> None:
    probe = Probe(finding)
    first = chosen(cache, probe)
    assert remembered(X86, cache=cache) == finding
    assert chosen(cache, probe) == first
    assert chosen(Cache(cache.root), probe) == first, "another process finds it in the cache"
    assert probe.times == 1


@pytest.mark.parametrize("what", ["qemu", "kernel", "build", "architecture"])
def test_the_finding_holds_for_the_same_host_only(cache: Cache, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = Probe(WORKS)
    chosen(cache, probe)
    if what == "qemu":
        monkeypatch.setattr(accel, "qemu_version", lambda arch: "9.0.0")
    elif what == "kernel":
        monkeypatch.setattr("platform.release", lambda: "99.0")
    elif what == "build":
        monkeypatch.setattr("platform.version", lambda: "#99")
    else:
        choose("auto", ARCHITECTURES["arm64"], cache=cache, probe=probe, host="aarch64")
    chosen(cache, probe)
    assert probe.times == 2


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "1", '{"works": true}', "null", '"x"'])
def test_a_damaged_note_is_probed_again(cache: Cache, text: str) -> None:
    probe = Probe(WORKS)
    chosen(cache, probe)
    (note,) = (cache.root / "accel/x86_64").iterdir()
    note.write_text(text)
    assert remembered(X86, cache=cache) is None
    assert chosen(cache, probe).name == "kvm"
    assert probe.times == 2
    assert [path.name for path in (cache.root / "accel/x86_64").iterdir()] == [note.name]


def test_a_probe_that_fails_is_not_remembered(cache: Cache) -> None:
    def probe() -> tuple[bool, str]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        choose("auto", X86, cache=cache, probe=probe, host="x86_64")
    assert remembered(X86, cache=cache) is None


def test_kvm_asked_for_and_not_working_is_an_error_that_says_why(cache: Cache) -> None:
    with pytest.raises(QemuError) as caught:
        chosen(cache, Probe(HANGS), wanted="kvm")
    assert str(caught.value).startswith(f"KVM was asked for, but {HANGS[1]}")
    assert "--accel tcg" in str(caught.value)
    assert caught.value.exit_code == EXIT_HARNESS
    assert chosen(cache, Probe(HANGS), wanted="tcg") == Accel("tcg", "asked for")


def test_tcg_asked_for_is_never_probed(cache: Cache) -> None:
    probe = Probe(WORKS)
    assert chosen(cache, probe, wanted="tcg") == Accel("tcg", "asked for")
    assert probe.times == 0


@pytest.mark.parametrize("host", ["aarch64", "s390x", "mips"])
def test_guests_of_another_architecture_are_emulated_with_the_reason(cache: Cache, host: str) -> None:
    probe = Probe(WORKS)
    assert chosen(cache, probe, host=host) == Accel("tcg", f"a {host} host cannot run x86_64 guests under KVM")
    with pytest.raises(QemuError, match=f"a {host} host cannot run x86_64 guests"):
        chosen(cache, probe, wanted="kvm", host=host)
    assert probe.times == 0


def test_the_host_is_looked_up_where_it_is_not_given(cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "mips")
    assert "a mips host" in choose("auto", X86, cache=cache, probe=Probe(WORKS)).reason


@pytest.mark.parametrize(
    ("there", "reason"), [(True, "/dev/kvm may not be opened by this user"), (False, "the host has no /dev/kvm")]
)
def test_a_device_that_cannot_be_opened_is_not_probed(
    cache: Cache, there: bool, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda self: there if str(self) == "/dev/kvm" else exists(self))
    probe = Probe(WORKS)
    assert chosen(cache, probe) == Accel("tcg", reason)
    assert probe.times == 0


# --- the probe --------------------------------------------------------------------------------------------------------


class Guest:
    """Stands for a running QEMU."""

    def __init__(self, *, text: str, ended: bool) -> None:
        self.text, self.ended = text, ended
        self.waited: list[float] = []

    def wait(self, seconds: float) -> bool:
        self.waited.append(seconds)
        return self.ended

    def console_text(self) -> str:
        return self.text


def probed(
    monkeypatch: pytest.MonkeyPatch, folder: Path, guest: Guest | QemuError
) -> tuple[tuple[bool, str], GuestSpec]:
    specs: list[GuestSpec] = []

    @contextlib.contextmanager
    def running(make: Callable[[int], GuestSpec], **keys: Any) -> Iterator[Guest]:
        specs.append(make(9))
        if isinstance(guest, QemuError):
            raise guest
        yield guest

    monkeypatch.setattr(accel, "running", running)
    return boot_probe(X86, kernel=folder / "vmlinuz", base=folder / "base.cpio"), specs[0]


@pytest.mark.parametrize(
    ("guest", "works", "reason"),
    [
        (Guest(text=f"booting\n{MARKER}\n", ended=True), True, "reached its init"),
        (Guest(text=f"{MARKER}\n", ended=False), True, "reached its init"),
        (Guest(text="", ended=False), False, "had not reached its init after 5 s (it printed nothing)"),
        (Guest(text="booting", ended=False), False, "had not reached its init after 5 s (it printed 7 bytes)"),
        (Guest(text="", ended=True), False, "ended early (it printed nothing)"),
        (
            QemuError("QEMU did not start: no\n  command: x"),
            False,
            "KVM does not start a guest: QEMU did not start: no",
        ),
    ],
)
def test_only_a_guest_that_reached_its_init_proves_kvm(
    guest: Guest | QemuError, works: bool, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found, why), spec = probed(monkeypatch, tmp_path, guest)
    assert found == works
    assert reason in why
    assert "\n" not in why
    assert (spec.accel, spec.network, spec.serial_socket) == ("kvm", False, None)
    assert "bpfmatrix.floor" in spec.cmdline
    if isinstance(guest, Guest):
        assert guest.waited == [PROBE_SECONDS]
        assert PROBE_SECONDS <= 5


def test_qemus_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = tmp_path / "said"
    program = tmp_path / X86.qemu
    program.write_text(f"#!/bin/sh\ncat {said}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for text, version in {
        "QEMU emulator version 7.2.9 (Debian 1:7.2+dfsg-7+deb12u6)\nCopyright": "Debian 1:7.2+dfsg-7+deb12u6",
        "QEMU emulator version 9.1.0\nCopyright": "9.1.0",
        "something else": "unknown",
    }.items():
        said.write_text(text)
        forget_versions()
        assert qemu_version(X86) == version
    said.write_text("QEMU emulator version 10.0.0")
    assert qemu_version(X86) == "unknown"  # a run asks once
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    with pytest.raises(MissingToolError, match=X86.qemu_package):
        qemu_version(ARCHITECTURES["x86_64"])
