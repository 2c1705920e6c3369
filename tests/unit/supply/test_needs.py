"""What keeps a guest from being made of a kernel is seen in its configuration, and nothing else counts."""

from __future__ import annotations

import pytest

from harness.model.architectures import ARCHITECTURES
from harness.supply.kernels.needs import NEEDED, can_have_network, remarks, why_no_guest

ARCHES = list(ARCHITECTURES.values())
X86, ARM64 = ARCHITECTURES["x86_64"], ARCHITECTURES["arm64"]
VIRTIO = ("virtio_pci", "virtio_net")


@pytest.mark.parametrize("arch", ARCHES, ids=lambda arch: arch.name)
def test_a_kernel_of_which_nothing_is_known_is_tried(arch: object) -> None:
    for config in (None, "", "CONFIG_A=y\n# CONFIG_SND is not set\n"):
        assert why_no_guest(arch, config=config, has_network=True) == ""  # type: ignore[arg-type]


@pytest.mark.parametrize("option", NEEDED)
def test_each_option_that_is_not_built_in_is_a_reason_and_is_named(option: str) -> None:
    whole = "".join(f"CONFIG_{name}=y\n" for name in NEEDED)
    assert why_no_guest(X86, config=whole, has_network=True) == ""
    for line, value in ((f"# CONFIG_{option} is not set\n", "not set"), (f"CONFIG_{option}=m\n", "m")):
        config = whole.replace(f"CONFIG_{option}=y\n", line)
        assert why_no_guest(X86, config=config, has_network=True) == f"{NEEDED[option]} (CONFIG_{option} is {value})"


@pytest.mark.parametrize("arch", ARCHES, ids=lambda arch: arch.name)
def test_each_architecture_needs_its_console(arch: object) -> None:
    assert isinstance(arch, type(X86))
    config = "".join(f"# CONFIG_{option} is not set\n" for option in arch.console_options)
    found = why_no_guest(arch, config=config, has_network=True)
    assert found.count(f"it has no console at {arch.console}") == len(arch.console_options) > 0
    other = "# CONFIG_SOMETHING_SERIAL_8250 is not set\n# CONFIG_SERIAL_8250_PCI is not set\n"
    assert why_no_guest(arch, config=other, has_network=True) == ""


def test_a_guest_without_a_network_card_needs_a_spare_serial_port() -> None:
    assert why_no_guest(X86, config=None, has_network=False) == ""
    found = why_no_guest(ARM64, config=None, has_network=False)
    assert "it has no network card: virtio_pci, virtio_net are neither there as modules nor built in" in found
    assert "arm64 guests have no spare serial port" in found


def test_all_reasons_are_given_at_once() -> None:
    config = "# CONFIG_BLK_DEV_INITRD is not set\n# CONFIG_NET is not set\n"
    found = why_no_guest(ARM64, config=config, has_network=False)
    assert found.count(";") == 2


@pytest.mark.parametrize(
    ("absent", "config", "listed", "can"),
    [
        ((), None, (), True),
        (VIRTIO, None, (), False),
        (VIRTIO, "CONFIG_VIRTIO_NET=y\nCONFIG_VIRTIO_PCI=y\n", (), True),
        (VIRTIO, "CONFIG_VIRTIO_NET=y\nCONFIG_VIRTIO_PCI=m\n", (), False),
        (VIRTIO, "CONFIG_VIRTIO_NET=m\nCONFIG_VIRTIO_PCI=m\n", (), False),
        (VIRTIO, None, ("virtio_net", "virtio_pci"), True),
        (VIRTIO, None, ("virtio_pci",), False),
        (("virtio_pci",), None, (), True),  # it may well be built in
        (("virtio_pci",), "CONFIG_X=y\n", (), True),
        (("virtio_pci",), "# CONFIG_VIRTIO_PCI is not set\n", (), False),
    ],
)
def test_the_network_card_needs_all_of_its_modules(
    absent: tuple[str, ...], config: str | None, listed: tuple[str, ...], can: bool
) -> None:
    assert can_have_network(absent, config=config, listed=listed) is can


def test_what_a_guest_can_be_made_without_is_said() -> None:
    assert remarks(None) == remarks("CONFIG_DEBUG_INFO_BTF=y\nCONFIG_LOCK_DOWN_KERNEL_FORCE_NONE=y\n") == ""
    assert "no bpf(2)" in remarks("# CONFIG_BPF_SYSCALL is not set\n")
    both = remarks("# CONFIG_DEBUG_INFO_BTF is not set\nCONFIG_LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY=y\n")
    assert "no BTF" in both
    assert "locked down from the start (confidentiality)" in both
    assert "(integrity)" in remarks("CONFIG_LOCK_DOWN_KERNEL_FORCE_INTEGRITY=y\n")
    assert remarks("# CONFIG_DEBUG_INFO_BTF_MODULES is not set\n") == ""
