"""What the name of a file says of the architecture that it is for."""

from __future__ import annotations

import pytest

from harness.supply.own.arch_names import parts_of


@pytest.mark.parametrize(
    ("name", "key", "arches", "order"),
    [
        ("my_x86_bpfel.o", ("my", ".o"), ("x86_64",), "little"),
        ("bpf_x86_bpfel.o", ("bpf", ".o"), ("x86_64",), "little"),
        ("my_arm64_bpfel.o", ("my", ".o"), ("arm64",), "little"),
        ("my_powerpc_bpfel.o", ("my", ".o"), ("ppc64le",), "little"),
        ("my_s390_bpfeb.o", ("my", ".o"), ("s390x",), "big"),
        ("my_bpfel.o", ("my", ".o"), (), "little"),
        ("my_bpfeb.o", ("my", ".o"), (), "big"),
        ("my.x86_64.bpf.o", ("my", ".bpf.o"), ("x86_64",), ""),
        ("my-el.elf", ("my", ".elf"), (), "little"),
        ("panel.o", ("panel", ".o"), (), ""),
        ("my-amd64.o", ("my", ".o"), ("x86_64",), ""),
        ("my-aarch64.o", ("my", ".o"), ("arm64",), ""),
        ("my.bpf.o", ("my", ".bpf.o"), (), ""),
        ("x86.o", ("x86", ".o"), (), ""),
        ("my tool", ("my tool", ""), (), ""),
    ],
)
def test_what_a_name_says_of_the_architecture(
    name: str, key: tuple[str, str], arches: tuple[str, ...], order: str
) -> None:
    found = parts_of(name)
    assert (found.key, found.arches, found.order) == (key, arches, order)
