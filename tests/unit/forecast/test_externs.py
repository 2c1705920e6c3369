"""What an object names of the kernel; kfuncs with their prototypes are in test_forecast_programs.py."""

from __future__ import annotations

import pytest
from forecast_samples import S390X, kernel_types, wants_of
from unit_samples import X86

from harness.forecast.answers import Weight
from harness.forecast.btf import Order
from harness.forecast.externs import ExternsOnKernel, externs_on_kernel, options_of
from harness.forecast.resolving import KernelTypes
from harness.forecast.targets import Sight
from harness.model.architectures import Architecture

SOURCE = """
extern int LINUX_KERNEL_VERSION __kconfig;
extern bool CONFIG_YES __kconfig; extern int CONFIG_NUMBER __kconfig; extern char CONFIG_LETTER __kconfig;
extern char CONFIG_TEXT[8] __kconfig; extern bool CONFIG_WEAK __kconfig __weak; extern bool CONFIG_STRONG __kconfig;
extern const void no_type __ksym; extern const int typed __ksym; extern const int *other __ksym __weak;
SEC("xdp") int it(u64 *ctx) {
	return LINUX_KERNEL_VERSION + CONFIG_YES + CONFIG_NUMBER + CONFIG_LETTER + CONFIG_TEXT[1] + CONFIG_WEAK
		+ CONFIG_STRONG + (long)&no_type + (long)&typed + (long)&other;
}
"""
CONFIG = {"CONFIG_YES": "y", "CONFIG_NUMBER": "0x10", "CONFIG_LETTER": "m", "CONFIG_TEXT": '"text"'}


def found(kernel: str, arch: Architecture = X86, config: dict[str, str] | None = None) -> ExternsOnKernel:
    wants = wants_of(SOURCE, arch)
    assert wants.types is not None
    sight = Sight(types=KernelTypes(kernel_types(kernel, arch)))
    return externs_on_kernel(wants.externs, wants.types, sight, config=config, version=(6, 1, 300))


@pytest.mark.parametrize("arch", [X86, S390X], ids=["little", "big"])
def test_options_have_the_bytes_that_libbpf_writes(arch: Architecture) -> None:
    order: Order = "little" if arch is X86 else "big"
    values = found("int typed; int *other;", arch, CONFIG).values
    assert values == {
        "LINUX_KERNEL_VERSION": (0x601FF).to_bytes(4, order),
        "CONFIG_YES": b"\1",
        "CONFIG_NUMBER": (16).to_bytes(4, order),
        "CONFIG_LETTER": b"m",
        "CONFIG_WEAK": b"\0",
    }


def test_a_strong_option_that_is_not_set_is_missing_where_the_configuration_is_known() -> None:
    assert found("int typed; int *other;", config=CONFIG).findings["CONFIG_STRONG"].weight is Weight.MISSING
    assert "CONFIG_STRONG" not in found("int typed; int *other;").findings


def test_variables_are_compared_with_the_kernels() -> None:
    there = found("int typed; int *other;")
    assert there.there == {"typed", "other"}
    assert {name: each.weight for name, each in there.findings.items()} == {"no_type": Weight.NOT_SHOWN}
    changed = found("int *typed; int other;")
    assert {name: each.weight for name, each in changed.findings.items()} == {
        "no_type": Weight.NOT_SHOWN,
        "typed": Weight.MISSING,
        "other": Weight.TESTED,
    }
    assert "no_type" not in found("int typed; int *other; int no_type;").findings


def test_the_options_of_a_configuration() -> None:
    assert options_of('# CONFIG_NO is not set\nCONFIG_YES=y\nCONFIG_TEXT="a=b"\nother\n') == {
        "CONFIG_YES": "y",
        "CONFIG_TEXT": '"a=b"',
    }
