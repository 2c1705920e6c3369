"""What a program is attached to, looked up in small kernels; more of it is in test_forecast_programs.py."""

from __future__ import annotations

import pytest
from forecast_samples import kernel_types

from harness.forecast.answers import Weight
from harness.forecast.btf import FUNC, STRUCT
from harness.forecast.resolving import KernelTypes
from harness.forecast.targets import NONE, TARGETS, Sight, listed, most_arguments, slots_of, target_findings
from harness.scenario.sections import SECTIONS

KERNEL = """
struct large { long a, b; }; struct small { int a; };
int plain(int a, long *b) { return a; }
typedef void (*btf_trace_it)(void *, struct large, struct small, int); btf_trace_it it;
"""


def test_each_section_that_needs_a_function_of_the_kernel_is_known() -> None:
    others = ("uprobe", "uretprobe", "usdt", "freplace", "ksyscall", "kretsyscall")
    needing = {name for name, section in SECTIONS.items() if section.needs and not name.startswith(others)}
    assert {name.partition("/")[0] for name in needing} - set(TARGETS) == set()


def test_arguments_take_a_slot_of_eight_bytes_each() -> None:
    types = kernel_types(KERNEL)
    plain, traced = types.find("plain", FUNC), types.find("btf_trace_it", 8)
    assert plain and traced
    assert slots_of(types, plain) == 2
    assert slots_of(types, traced) == 5
    assert slots_of(types, types.find("small", STRUCT) or 0) is None


def test_a_module_that_is_loaded_has_its_targets() -> None:
    sight = Sight(types=KernelTypes(kernel_types(KERNEL), {"mine": kernel_types("int far(int a) { return a; }")}))
    assert not list(target_findings("fentry", "far", sight, context=set()))
    assert not list(target_findings("fentry", "mine:far", sight, context=set()))
    assert list(target_findings("fentry", "other:far", sight, context=set()))


def test_a_module_that_is_named_is_the_only_one() -> None:
    there = {"far": ("one", "two")}
    sight = Sight(types=KernelTypes(kernel_types(KERNEL)), elsewhere=lambda name: there.get(name, ()))
    (found,) = target_findings("fentry", "two:far", sight, context=set())
    assert (found.weight, found.modules) == (Weight.MODULE, ("two",))


def test_older_kernels_trace_functions_whose_arguments_are_all_in_registers() -> None:
    sight = Sight(types=KernelTypes(kernel_types(KERNEL)))
    (found,) = target_findings("fentry", "plain", sight, context=set(), most=1)
    assert (found.weight, "has 2 arguments" in found.text) == (Weight.NOT_SHOWN, True)
    assert not list(target_findings("fentry", "plain", sight, context=set(), most=2))
    assert not list(target_findings("fentry", "plain", sight, context=set()))
    assert not list(target_findings("kprobe", "plain", sight, context=set(), most=1))
    (found,) = target_findings("fexit", "plain", sight, context=set(), most=NONE)
    assert found.text == "kernels of this architecture traced no functions yet"


@pytest.mark.parametrize(
    ("arch", "version", "most"),
    [
        ("x86_64", (6, 1, 192), 6),
        ("x86_64", (6, 6, 0), None),
        ("x86_64", None, None),
        ("arm64", (6, 1, 0), None),
        ("arm64", (5, 10, 223), NONE),
        ("s390x", (6, 1, 0), None),
    ],
)
def test_how_many_arguments_those_are(arch: str, version: tuple[int, int, int] | None, most: int | None) -> None:
    assert most_arguments(arch, version) == most


@pytest.mark.parametrize(
    ("modules", "text"), [(["a"], "a"), (["a", "b"], "a or b"), (list("abcde"), "a or b or c or 2 others")]
)
def test_few_modules_are_named(modules: list[str], text: str) -> None:
    assert listed(modules) == text
