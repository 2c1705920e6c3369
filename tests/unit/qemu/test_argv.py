from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_samples import GOLDEN, X86, check_golden

from harness.errors import QemuError
from harness.model.architectures import ARCHITECTURES, Architecture
from harness.qemu.argv import FLOOR, GUEST_ADDRESS, GuestSpec, counter_rate, kernel_cmdline, qemu_argv

WAYS = ("network", "serial", "neither")
EACH = pytest.mark.parametrize("arch", ARCHITECTURES.values(), ids=lambda arch: arch.name)
ACCELS = pytest.mark.parametrize("accel", ["kvm", "tcg"])


def spec(arch: Architecture = X86, *, accel: str = "tcg", way: str = "network", **changes: Any) -> GuestSpec:
    keys: dict[str, Any] = {
        "arch": arch,
        "accel": accel,
        "memory": 256,
        "cpus": 2,
        "kernel": Path("/cache/vmlinuz"),
        "initrd": Path("/guest/initrd"),
        "cmdline": kernel_cmdline(arch, accel=accel, serial=way == "serial", extra=FLOOR if way == "neither" else ""),
        "console": Path("/guest/console"),
        "monitor_fd": 7,
        "network": way == "network",
        "serial_socket": Path("/guest/ssh") if way == "serial" else None,
    }
    return GuestSpec(**{**keys, **changes})


def value_of(argv: list[str], option: str) -> str:
    assert argv.count(option) == 1, f"{option} is not there exactly once"
    return argv[argv.index(option) + 1]


def values_of(argv: list[str], option: str) -> list[str]:
    return [argv[index + 1] for index, word in enumerate(argv) if word == option]


GUESTS = [
    (arch, accel, way)
    for arch in ARCHITECTURES.values()
    for accel in ("kvm", "tcg")
    for way in WAYS
    if way != "serial" or arch.spare_serial is not None
]


@pytest.mark.parametrize(("arch", "accel", "way"), GUESTS, ids=lambda value: getattr(value, "name", value))
def test_golden(arch: Architecture, accel: str, way: str) -> None:
    text = "".join(f"{word}\n" for word in qemu_argv(spec(arch, accel=accel, way=way)))
    check_golden(f"argv/{arch.name}-{accel}-{way}.txt", text)


def test_no_golden_file_is_left_over() -> None:
    wanted = {f"{arch.name}-{accel}-{way}.txt" for arch, accel, way in GUESTS}
    assert {path.name for path in (GOLDEN / "argv").iterdir()} == wanted


def test_a_machine_without_a_spare_serial_port_cannot_be_asked_for_one() -> None:
    without = [arch for arch in ARCHITECTURES.values() if arch.spare_serial is None]
    assert without, "every architecture has one: this test has lost its point"
    for arch in without:
        with pytest.raises(QemuError, match=f"{arch.name} guests have no spare serial port"):
            kernel_cmdline(arch, accel="tcg", serial=True)


@EACH
@ACCELS
@pytest.mark.parametrize("way", ["network", "neither"])
def test_what_holds_for_every_guest(arch: Architecture, accel: str, way: str) -> None:
    argv = qemu_argv(spec(arch, accel=accel, way=way))
    assert argv[0] == arch.qemu
    assert {"-nodefaults", "-no-reboot", "-no-user-config"} <= set(argv)
    assert value_of(argv, "-display") == "none"
    assert value_of(argv, "-accel") == accel
    assert value_of(argv, "-m") == "256M"
    assert value_of(argv, "-smp") == "2"
    assert "socket,id=monitor,fd=7" in values_of(argv, "-chardev")
    assert not {"-daemonize", "-monitor", "-vnc", "-nographic"} & set(argv)


@EACH
def test_the_emulated_processor_is_never_qemus_default(arch: Architecture) -> None:
    # The default lacks instructions that distributions' user space uses (SIGILL). RISC-V has no `max` before 8.2.
    model = value_of(qemu_argv(spec(arch, accel="tcg")), "-cpu").split(",")[0]
    assert model == ("rv64" if arch.name == "riscv64" else "max")


@EACH
def test_kvm_takes_the_hosts_processor(arch: Architecture) -> None:
    assert value_of(qemu_argv(spec(arch, accel="kvm")), "-cpu") == "host"


@EACH
def test_the_guest_sees_neither_the_host_nor_the_network(arch: Architecture) -> None:
    network = value_of(qemu_argv(spec(arch)), "-netdev").split(",")
    assert network[0] == "user"
    assert "restrict=on" in network
    assert [word for word in network if word.startswith(("hostfwd", "guestfwd", "smb", "tftp"))] == [
        f"hostfwd=tcp:127.0.0.1:0-{GUEST_ADDRESS}:22"
    ]


@pytest.mark.parametrize("way", ["serial", "neither"])
def test_without_a_network_there_is_no_network_device(way: str) -> None:
    argv = qemu_argv(spec(way=way))
    assert "-netdev" not in argv
    assert not [word for word in argv if "virtio-net" in word or "hostfwd" in word]


def test_the_serial_port_is_a_socket_that_waits_for_nobody() -> None:
    argv = qemu_argv(spec(way="serial"))
    assert "socket,id=ssh,path=/guest/ssh,server=on,wait=off" in values_of(argv, "-chardev")
    assert "isa-serial,chardev=ssh" in values_of(argv, "-device")
    assert "bpfmatrix.serial=ttyS1" in value_of(argv, "-append")


def test_a_comma_in_a_path_is_doubled() -> None:
    argv = qemu_argv(spec(way="serial", console=Path("/a,b/console"), serial_socket=Path("/a,b,/ssh")))
    assert "file,id=console,path=/a,,b/console" in argv
    assert "socket,id=ssh,path=/a,,b,,/ssh,server=on,wait=off" in argv


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_no_path_adds_an_option_of_its_own(name: str) -> None:
    folder = Path("/x") / name
    plain = qemu_argv(spec(way="serial"))
    argv = qemu_argv(spec(way="serial", console=folder / "console", serial_socket=folder / "ssh"))
    assert len(argv) == len(plain)
    for value, where in ((argv[plain.index(values_of(plain, "-chardev")[0])], folder / "console"),):
        # QEMU's own reading of it: split at single commas, then undouble.
        parameters = value.replace(",,", "\0").split(",")
        assert [word.replace("\0", ",") for word in parameters] == ["file", "id=console", f"path={where}"]


# --- snapshots --------------------------------------------------------------------------------------------------------

RAM = Path("/snapshots/key/ram")


@EACH
@ACCELS
@pytest.mark.parametrize("restored", [False, True])
def test_the_memory_of_a_snapshots_guest_is_a_file(arch: Architecture, accel: str, restored: bool) -> None:
    argv = qemu_argv(spec(arch, accel=accel, ram=RAM, restored=restored, memory=384))
    assert value_of(argv, "-machine") == f"{arch.machine},memory-backend=ram"
    # Private to a restored guest: whatever it writes, the next one finds the file as it was.
    share = "off" if restored else "on"
    assert value_of(argv, "-object") == f"memory-backend-file,id=ram,size=384M,mem-path={RAM},share={share}"
    assert value_of(argv, "-m") == "384M"


@EACH
def test_a_guest_whose_memory_is_no_file_has_no_backend(arch: Architecture) -> None:
    argv = qemu_argv(spec(arch))
    assert "-object" not in argv
    assert "-incoming" not in argv
    assert value_of(argv, "-machine") == arch.machine


@pytest.mark.parametrize(("arch", "accel", "way"), GUESTS, ids=lambda value: getattr(value, "name", value))
def test_a_restored_guest_is_the_same_machine_without_a_kernel_of_its_own(
    arch: Architecture, accel: str, way: str
) -> None:
    made = qemu_argv(spec(arch, accel=accel, way=way, ram=RAM))
    restored = qemu_argv(spec(arch, accel=accel, way=way, ram=RAM, restored=True))
    assert value_of(restored, "-incoming") == "defer"
    for option in ("-kernel", "-initrd", "-append"):
        assert option in made
        assert option not in restored
    kept = [word.replace("share=off", "share=on") for word in restored if word not in ("-incoming", "defer")]
    at = made.index("-kernel")
    assert kept == made[:at] + made[at + 6 :], "else QEMU does not take the state, or another machine wakes up"


@EACH
def test_the_host_may_write_to_a_console_that_is_a_socket(arch: Architecture) -> None:
    argv = qemu_argv(spec(arch, console_socket=Path("/guest/tty")))
    said = "socket,id=console,path=/guest/tty,server=on,wait=off,logfile=/guest/console"
    assert said in values_of(argv, "-chardev")
    assert not [word for word in argv if word.startswith("file,id=console")]


def test_commas_in_the_paths_of_a_snapshot_are_doubled() -> None:
    argv = qemu_argv(spec(ram=Path("/a,b/ram"), console_socket=Path("/c,d/tty"), console=Path("/c,d/console")))
    assert value_of(argv, "-object").split(",share")[0].endswith(",mem-path=/a,,b/ram")
    assert "socket,id=console,path=/c,,d/tty,server=on,wait=off,logfile=/c,,d/console" in values_of(argv, "-chardev")


def test_a_guest_that_is_to_stand_by_is_told_so() -> None:
    assert "bpfmatrix.standby" in kernel_cmdline(X86, accel="tcg", serial=False, standby=True).split()
    assert "bpfmatrix.standby" not in kernel_cmdline(X86, accel="tcg", serial=False)


def test_what_only_an_emulated_machine_needs_is_not_said_under_kvm() -> None:
    said = {accel: kernel_cmdline(X86, accel=accel, serial=False).split() for accel in ("tcg", "kvm")}
    assert set(said["tcg"]) - set(said["kvm"]) == {"nolapic_timer"}
    assert set(said["kvm"]) <= set(said["tcg"])


@EACH
def test_a_kernel_that_oopses_or_locks_up_ends_its_guest(arch: Architecture) -> None:
    parameters = kernel_cmdline(arch, accel="tcg", serial=False).split()
    assert {"oops=panic", "panic=-1", "softlockup_panic=1", f"console={arch.console}"} <= set(parameters)
    assert not [word for word in parameters if word.startswith("bpfmatrix.")]


def test_the_users_own_parameters_come_last() -> None:
    line = kernel_cmdline(X86, accel="tcg", serial=True, extra="kasan=off loglevel=7", standby=True)
    assert line.endswith("bpfmatrix.serial=ttyS1 bpfmatrix.standby kasan=off loglevel=7")
    assert "  " not in line


@pytest.mark.parametrize(
    ("name", "accel", "host", "rate"),
    [
        ("x86_64", "tcg", "x86_64", 2_596_138),
        ("x86_64", "kvm", "x86_64", None),
        ("x86_64", "tcg", "aarch64", None),
        ("arm64", "tcg", "aarch64", None),
        ("s390x", "tcg", "x86_64", None),
    ],
)
def test_only_an_emulated_guest_of_its_hosts_own_architecture_shares_its_counter(
    name: str, accel: str, host: str, rate: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.uname", lambda: SimpleNamespace(machine=host))
    assert counter_rate(ARCHITECTURES[name], accel=accel, host=lambda: 2_596_138) == rate


def test_a_kernel_is_told_the_rate_of_its_counter_where_that_is_known() -> None:
    known = kernel_cmdline(X86, accel="tcg", serial=False, counter_khz=2_596_138).split()
    assert "tsc_early_khz=2596138" in known
    assert "tsc_early_khz" not in kernel_cmdline(X86, accel="tcg", serial=False)
