"""Facts per architecture, as one table. Nothing else in the code asks which architecture it is.

To add one, add a row; docs/decisions.md says what else (a golden test, kernels in matrix.yaml).
"""

from __future__ import annotations

import platform
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Architecture:
    """How guests of one architecture are built, booted and spoken to.

    `qemu_package` is what `apt-get install` takes in every supported suite to install `qemu`.
    `machines` are the names that uname(2) gives hosts and guests of this architecture. `kvm_hosts` are the
    host machines on which KVM can run it. `console_args` and `serial_args` connect a character device, named
    in place of `{chardev}`, to the console and to the spare serial port. `spare_serial` is the
    guest's name of a second serial port that is built into distribution kernels, or None where the machine has
    none. `network_device` is QEMU's device with its properties; `modules` are what the guest needs for it, by
    modprobe's names. `silent_poweroff` says that QEMU ends without a SHUTDOWN event when the guest powers off.
    `snapshots` says that QEMU can save and restore such a guest whole.
    `guest_seconds` is what an emulated guest takes from its start to the first case (measured on x86_64, two at once).
    `cmdline` is for all its kernels, `tcg_cmdline` for those in an emulated machine as well; `counter_cmdline` tells
    the latter the rate of the counter that they share with a host of this architecture, in kHz.
    `console_options` are those of the kernel's configuration that its console needs built in.
    `oci` is its name in images of containers (Go's GOARCH).
    `kbuild` is what `make ARCH=` takes for it, `kbuild_image` the image that is built, below the build's folder, and
    `defconfig` the target of its usual configuration.
    `elf_machine` is e_machine of its programs (include/uapi/linux/elf-em.h).
    `clang_arch` is libbpf's `__TARGET_ARCH_*` suffix, `multiarch` Debian's name for
    folders of its headers. `own_register` is a member that only its `struct pt_regs` has.
    """

    name: str
    machines: tuple[str, ...]
    debian: str
    multiarch: str
    oci: str
    qemu: str
    qemu_package: str
    machine: str
    tcg_cpu: str
    kvm_hosts: tuple[str, ...]
    console: str
    console_args: tuple[str, ...]
    console_options: tuple[str, ...]
    spare_serial: str | None
    serial_args: tuple[str, ...]
    network_device: str
    modules: tuple[str, ...]
    cmdline: str
    tcg_cmdline: str
    counter_cmdline: str
    silent_poweroff: bool
    snapshots: bool
    guest_seconds: float
    kbuild: str
    kbuild_image: str
    elf_machine: int
    clang_arch: str
    own_register: str
    bpf_target: str
    byte_order: str
    kernel_magic: tuple[tuple[int, bytes], ...]
    defconfig: str = "defconfig"


_PCI_MODULES = ("virtio_pci", "virtio_net")
_SERIAL = ("-serial", "chardev:{chardev}")
_ELF64_LE = (0, b"\x7fELF\x02\x01")

ARCHITECTURES: dict[str, Architecture] = {
    arch.name: arch
    for arch in (
        Architecture(
            name="x86_64",
            machines=("x86_64",),
            debian="amd64",
            multiarch="x86_64-linux-gnu",
            oci="amd64",
            qemu="qemu-system-x86_64",
            qemu_package="qemu-system-x86",
            # microvm would start 0.4 s sooner, but hangs without a word on 5.10 and now and then on 6.1.
            machine="q35",
            # QEMU 7.2 emulates cmpxchg16b without storing which flags are pending (target/i386/tcg/translate.c
            # calls the helper without gen_update_cc_op()), so EFLAGS may hold an operand. An interrupt that comes
            # just then returns with it, and the guest dies of a double fault in its allocator: seen once while 6.12
            # booted. Kernels do without the instruction where it is absent.
            # A processor with ERMS or FSRM is said to copy and clear memory fastest by `rep movsb`, and kernels and
            # libc believe it (arch/x86/lib/memcpy_64.S, clear_page_64.S); TCG copies byte by byte.
            tcg_cpu="max,cx16=off,erms=off,fsrm=off",
            kvm_hosts=("x86_64",),
            console="ttyS0",
            console_args=_SERIAL,
            console_options=("SERIAL_8250", "SERIAL_8250_CONSOLE"),
            spare_serial="ttyS1",
            serial_args=("-device", "isa-serial,chardev={chardev}"),
            network_device="virtio-net-pci,romfile=",
            modules=_PCI_MODULES,
            # QEMU has one time stamp counter for the whole machine, and its timers are wired: nothing to find out.
            cmdline="tsc=reliable no_timer_check",
            # To find out how fast the local APIC's timer runs, a kernel watches it for 0.1 s (arch/x86/kernel/apic/
            # apic.c, calibrate_APIC_clock()), unless it has the TSC deadline mode, which TCG does not have; the HPET's
            # rate is known, and it is as good a timer.
            tcg_cmdline="nolapic_timer",
            # Since 5.8 (bd35c77e32e4).
            counter_cmdline="tsc_early_khz={khz}",
            silent_poweroff=False,
            snapshots=True,
            guest_seconds=3.0,
            kbuild="x86_64",
            kbuild_image="arch/x86/boot/bzImage",
            elf_machine=62,
            clang_arch="x86",
            own_register="r15",
            bpf_target="bpfel",
            byte_order="little",
            # Documentation/arch/x86/boot.rst: "HdrS" at 0x202. A vmlinux is an ELF file.
            kernel_magic=((0x202, b"HdrS"), _ELF64_LE),
        ),
        Architecture(
            name="arm64",
            machines=("aarch64",),
            debian="arm64",
            multiarch="aarch64-linux-gnu",
            oci="arm64",
            qemu="qemu-system-aarch64",
            qemu_package="qemu-system-arm",
            machine="virt,gic-version=max",
            # Emulating pointer authentication as it is architected takes most of a boot. Even the simple kind takes a
            # third of all time, but stays: the kernel's JIT signs its return addresses. SVE is 0.2 s of a boot.
            tcg_cpu="max,pauth-impdef=on,sve=off",
            kvm_hosts=("aarch64",),
            console="ttyAMA0",
            console_args=_SERIAL,
            console_options=("SERIAL_AMBA_PL011", "SERIAL_AMBA_PL011_CONSOLE"),
            spare_serial=None,
            serial_args=(),
            network_device="virtio-net-pci,romfile=",
            modules=_PCI_MODULES,
            cmdline="",
            tcg_cmdline="",
            counter_cmdline="",
            silent_poweroff=False,
            snapshots=True,
            guest_seconds=2.0,
            kbuild="arm64",
            kbuild_image="arch/arm64/boot/Image",
            elf_machine=183,
            clang_arch="arm64",
            own_register="pstate",
            bpf_target="bpfel",
            byte_order="little",
            # Documentation/arch/arm64/booting.rst: "ARM\x64" at 56.
            kernel_magic=((56, b"ARM\x64"), (4, b"zimg"), (0, b"\x1f\x8b")),
        ),
        Architecture(
            name="riscv64",
            machines=("riscv64",),
            debian="riscv64",
            multiarch="riscv64-linux-gnu",
            oci="riscv64",
            qemu="qemu-system-riscv64",
            # A package of its own since trixie; in bookworm qemu-system-misc provides the name.
            qemu_package="qemu-system-riscv64",
            machine="virt",
            # There is no `max` before QEMU 8.2; rv64 has all extensions that distribution kernels ask for.
            tcg_cpu="rv64",
            kvm_hosts=("riscv64",),
            console="ttyS0",
            console_args=_SERIAL,
            console_options=("SERIAL_8250", "SERIAL_8250_CONSOLE"),
            spare_serial=None,
            serial_args=(),
            network_device="virtio-net-pci,romfile=",
            modules=_PCI_MODULES,
            cmdline="",
            tcg_cmdline="",
            counter_cmdline="",
            # QEMU 7.2, hw/misc/sifive_test.c: FINISHER_PASS is exit(0).
            silent_poweroff=True,
            # QEMU did not save the timers of a RISC-V machine before a series of September 2025 ("hw/intc: Save timers
            # array in RISC-V mtimer VMState"): a restored guest waits for ever for the timer that was set last.
            snapshots=False,
            guest_seconds=4.0,
            kbuild="riscv",
            kbuild_image="arch/riscv/boot/Image",
            elf_machine=243,
            clang_arch="riscv",
            own_register="epc",
            bpf_target="bpfel",
            byte_order="little",
            # Documentation/arch/riscv/boot-image-header.rst: "RISCV" at 48. Debian ships an ELF vmlinux.
            kernel_magic=((48, b"RISCV"), _ELF64_LE, (4, b"zimg"), (0, b"\x1f\x8b")),
        ),
        Architecture(
            name="s390x",
            machines=("s390x",),
            debian="s390x",
            multiarch="s390x-linux-gnu",
            oci="s390x",
            qemu="qemu-system-s390x",
            # A package of its own since trixie; in bookworm qemu-system-misc provides the name.
            qemu_package="qemu-system-s390x",
            machine="s390-ccw-virtio",
            # Kernels since 6.9 sum up packets with the vector facility (arch/s390/lib/checksum.c); QEMU 7.2's
            # emulation of it gets every incoming TCP checksum wrong (seen: InCsumErrors in /proc/net/snmp).
            tcg_cpu="max,vx=off",
            kvm_hosts=("s390x",),
            console="ttysclp0",
            console_args=("-device", "sclpconsole,chardev={chardev}"),
            console_options=("SCLP_CONSOLE",),
            spare_serial=None,
            serial_args=(),
            network_device="virtio-net-ccw",
            modules=("virtio_net",),
            cmdline="",
            tcg_cmdline="",
            counter_cmdline="",
            silent_poweroff=False,
            snapshots=True,
            guest_seconds=2.5,
            kbuild="s390",
            kbuild_image="arch/s390/boot/bzImage",
            elf_machine=22,
            clang_arch="s390",
            own_register="gprs",
            bpf_target="bpfeb",
            byte_order="big",
            # arch/s390/boot/head.S: "S390EP" at 0x10008 of the image.
            kernel_magic=((0x10008, b"S390EP"), (0, b"\x7fELF\x02\x02")),
        ),
        Architecture(
            name="ppc64le",
            machines=("ppc64le",),
            debian="ppc64el",
            multiarch="powerpc64le-linux-gnu",
            oci="ppc64le",
            qemu="qemu-system-ppc64",
            qemu_package="qemu-system-ppc",
            machine="pseries,cap-cfpc=broken,cap-sbbc=broken,cap-ibs=broken,cap-ccf-assist=off",
            tcg_cpu="max",
            kvm_hosts=("ppc64le",),
            console="hvc0",
            console_args=_SERIAL,
            console_options=("HVC_CONSOLE",),
            spare_serial=None,
            serial_args=(),
            network_device="virtio-net-pci,romfile=",
            modules=_PCI_MODULES,
            cmdline="",
            tcg_cmdline="",
            counter_cmdline="",
            silent_poweroff=False,
            # Restored guests of QEMU 7.2 often do not come to an end of their power-off; the cause is not known, so
            # nothing else of them is trusted either.
            snapshots=False,
            guest_seconds=10.0,
            kbuild="powerpc",
            kbuild_image="vmlinux",
            elf_machine=21,
            clang_arch="powerpc",
            own_register="gpr",
            bpf_target="bpfel",
            byte_order="little",
            kernel_magic=(_ELF64_LE,),
            # Plain `make defconfig` makes a big-endian one, unless it runs on such a machine (arch/powerpc/Makefile).
            defconfig="ppc64le_defconfig",
        ),
    )
}


def host_architecture() -> Architecture | None:
    """Return the row of the machine that this runs on, or None where the table has none."""
    machine = platform.machine()
    return next((arch for arch in ARCHITECTURES.values() if machine in arch.machines), None)


def host_name() -> str:
    """Return the host's architecture as the plan takes it: the table's name, else that of the machine."""
    host = host_architecture()
    return host.name if host is not None else platform.machine()
