"""What a guest is booted from, where its console's text goes, and how it is reached. No QEMU is started here."""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

import pytest
from unit_samples import guest_plan, kernel_files, x86_image

from harness.errors import QemuError
from harness.guest.boot import LISTENING, boot_files, booted, connected, guest_folder, guest_spec
from harness.host.tsc import tsc_khz
from harness.qemu.argv import GuestSpec, counter_rate, kernel_cmdline
from harness.qemu.process import QemuProcess
from harness.supply.guest_plan import GuestPlan
from harness.supply.image import cpio
from harness.supply.image.programs import GuestPrograms
from harness.supply.image.ramdisk import write_ramdisk

PROGRAMS = GuestPrograms(nodes=(cpio.file("usr/lib/bpfmatrix/service.py", b"the service"),))


@pytest.fixture
def plan(tmp_path: Path) -> GuestPlan:
    """A plan whose files are all there: an image, a userland, a module and a configuration."""
    (tmp_path / "base.cpio").write_bytes(cpio.archive([cpio.file("init", b"the userland")]))
    for name, content in (("vmlinuz", x86_image()), ("0-virtio.ko", b"a module"), ("config", b"CONFIG_BPF=y\n")):
        (tmp_path / name).write_bytes(content)
    kernel = kernel_files(tmp_path, modules=(tmp_path / "0-virtio.ko",), config=tmp_path / "config")
    return guest_plan(tmp_path, kernel=kernel, programs=PROGRAMS)


def files_in(ramdisk: Path, base: Path) -> dict[str, bytes]:
    """The files that an initramfs adds to the userland, with which it must begin."""
    data, userland = ramdisk.read_bytes(), base.read_bytes()
    assert data.startswith(userland)
    return {node.path: node.data for node in cpio.read(data[len(userland) :]) if node.data}


@dataclass
class Started:
    """QEMU as it would have been started."""

    spec: GuestSpec
    files: dict[str, bytes]
    keys: dict[str, Any] = field(default_factory=dict)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Started]:
    found: list[Started] = []

    @contextlib.contextmanager
    def running(make_spec: Callable[[int], GuestSpec], **keys: Any) -> Iterator[str]:
        spec = make_spec(7)
        found.append(Started(spec, files_in(spec.initrd, spec.initrd.parent / "base"), keys))
        spec.console.write_text("a line of the kernel\n")
        yield "the guest"

    write = write_ramdisk

    def noted(path: Path, *, base: Path, **more: Any) -> None:
        (path.parent / "base").write_bytes(base.read_bytes())
        write(path, base=base, **more)

    monkeypatch.setattr("harness.guest.boot.running", running)
    monkeypatch.setattr("harness.guest.boot.write_ramdisk", noted)
    return found


def test_a_guest_has_the_userland_its_modules_its_configuration_the_service_and_the_keys_of_the_run(
    plan: GuestPlan, started: list[Started]
) -> None:
    with booted(plan) as qemu:
        assert cast(Any, qemu) == "the guest"
    (guest,) = started
    assert guest.files == {
        "modules/0-virtio.ko": b"a module",
        f"boot/config-{plan.kernel.release}": b"CONFIG_BPF=y\n",
        "usr/lib/bpfmatrix/service.py": b"the service",
        "etc/dropbear/dropbear_ed25519_host_key": plan.keys.host_key_file,
        "root/.ssh/authorized_keys": f"{plan.keys.authorized_key}\n".encode(),
    }
    assert (guest.spec.monitor_fd, guest.spec.kernel) == (7, plan.kernel.image)
    assert guest.keys["stopping"] is plan.stopping, "no guest starts once the run is stopping"


@pytest.mark.parametrize("changes", [{"release": ""}, {"config": None}])
def test_a_kernel_of_no_known_release_or_configuration_brings_no_configuration(
    plan: GuestPlan, tmp_path: Path, changes: dict[str, Any]
) -> None:
    plan = replace(plan, kernel=replace(plan.kernel, **changes))
    boot_files(plan, folder=tmp_path, more=[])
    assert not [path for path in files_in(tmp_path / "initrd", plan.base) if path.startswith("boot/")]


def test_the_files_of_a_guest_are_gone_with_it_and_its_console_is_kept(plan: GuestPlan, started: list[Started]) -> None:
    for _ in range(2):
        with booted(plan):
            folder = started[-1].spec.console.parent
            assert folder.is_dir()
        assert not folder.exists()
    assert (plan.folder / "console.log").read_text() == "a line of the kernel\n" * 2, "of all its guests, in order"


def test_the_console_is_kept_though_the_guest_ends_in_an_error(plan: GuestPlan) -> None:
    with pytest.raises(ZeroDivisionError), guest_folder(plan) as folder:
        (folder / "console").write_bytes(b"the last line\xff")
        raise ZeroDivisionError
    assert (plan.folder / "console.log").read_bytes() == b"the last line\xff"
    assert not folder.exists()


def test_a_guest_that_never_had_a_console_leaves_no_log(plan: GuestPlan) -> None:
    with guest_folder(plan):
        pass
    assert not (plan.folder / "console.log").exists()
    assert plan.folder.is_dir(), "it is there as soon as a guest was started"


def test_a_full_disk_is_the_hosts_and_says_what_to_do(
    plan: GuestPlan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*anything: object, **keys: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("harness.guest.boot.write_ramdisk", full)
    with pytest.raises(QemuError, match=r"cannot be written to .*: No space left on device\. Free some space .*TMPDIR"):
        boot_files(plan, folder=tmp_path, more=[])


def test_a_guest_is_reached_over_its_network_or_over_the_serial_port(plan: GuestPlan) -> None:
    over_network = guest_spec(plan, folder=Path("/f"), monitor_fd=3)
    assert (over_network.network, over_network.serial_socket) == (True, None)
    without = replace(plan, kernel=replace(plan.kernel, has_network=False))
    over_serial = guest_spec(without, folder=Path("/f"), monitor_fd=3)
    assert (over_serial.network, over_serial.serial_socket) == (False, Path("/f/ssh"))
    rate = counter_rate(plan.kernel.arch, accel="tcg", host=tsc_khz)
    assert over_serial.cmdline == kernel_cmdline(plan.kernel.arch, accel="tcg", serial=True, counter_khz=rate)


def test_a_case_may_add_to_the_kernels_command_line(plan: GuestPlan) -> None:
    spec = guest_spec(replace(plan, cmdline="lockdown=integrity"), folder=Path("/f"), monitor_fd=3)
    assert spec.cmdline.endswith(" lockdown=integrity")


# --- reaching it -----------------------------------------------------------------------------------------------------


@dataclass
class Guest:
    """A guest that has said something on its console."""

    console: str = ""
    listening: bool = False
    line: None = None
    folder: Path = Path("/f")

    def alive(self) -> bool:
        return True

    def clock(self) -> float:
        return time.monotonic()

    def console_text(self) -> str:
        return self.console


@dataclass
class Line:
    """A connection that may be closed."""

    closed: bool = False

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []

    def connect(dial: object, **keys: Any) -> Line:
        found.append(keys)
        return Line()

    monkeypatch.setattr("harness.guest.boot.connect", connect)
    return found


@pytest.mark.parametrize(
    ("guest", "listening"),
    [(Guest(), False), (Guest(console=f"[7] {LISTENING}\n"), True), (Guest(listening=True), True)],
    ids=["silent", "said so", "known"],
)
def test_a_guest_is_dialled_once_it_listens(
    plan: GuestPlan, monkeypatch: pytest.MonkeyPatch, asked: list[dict[str, Any]], guest: Guest, listening: bool
) -> None:
    """Over a serial line at once: it must be open before the guest says its banner."""
    serial = replace(plan, kernel=replace(plan.kernel, has_network=False))
    with connected(serial, cast(QemuProcess, guest)):
        assert asked[-1]["listening"]() is True
        assert asked[-1]["compress"] is True, "a serial line is slow"

    class Monitor:
        @staticmethod
        def forwarded_port() -> int:
            return 1

    guest.monitor = Monitor  # type: ignore[attr-defined]
    with connected(plan, cast(QemuProcess, guest)):
        assert asked[-1]["listening"]() is listening
        assert asked[-1]["compress"] is False
        assert asked[-1]["seconds"] == plan.settings.deadlines.boot
        assert asked[-1]["keys"] is plan.keys


def test_the_connection_is_closed_however_the_block_ends(plan: GuestPlan, asked: list[dict[str, Any]]) -> None:
    serial = replace(plan, kernel=replace(plan.kernel, has_network=False))
    with pytest.raises(ZeroDivisionError), connected(serial, cast(QemuProcess, Guest())) as connection:
        raise ZeroDivisionError
    assert cast(Any, connection).closed
