"""What is asked of an object before its load holds in a guest, and what is measured after it is there."""

from __future__ import annotations

import pytest
from checked import HandmadeCase, checked, opened, step

from harness.model.results import Origin, OutcomeKind, PartResult
from harness.scenario.case import AgentStep

pytestmark = pytest.mark.vm

VALUES = {
    **{"tiny": 200, "negative": -300, "large": 0x1122334455667788, "on": True, "color": "PAST", "wide": 0x1234567890},
    **{"letter": "z", "name": "after", "many": [7, 8], "settings.level": 9, "settings.as_number": "0x01020304"},
    **{"settings.peers[1]": {"port": 443, "name": "w"}, "apart": 44, "hidden": 55, "changed": 66, "empty": 77},
}
DATA = [".rodata", ".rodata.apart", ".data", ".bss"]
LOAD = step("load", "globals", object="globals", stats=True)


def ran(retval: int) -> AgentStep:
    run = {"kind": "run", "program": "globals.values", "data": 64, "context": 0, "words": [], "repeat": 0}
    return step("trigger", "values", retval=retval, **run)


def measure(program: str) -> AgentStep:
    return step("measure", program, object="globals", program=program)


PARTS = {
    "given": (opened("globals", only=["values"], maps=DATA, rodata=VALUES), LOAD, ran(2**15 - 1), measure("values")),
    "plain": (opened("globals"), LOAD, ran(0), measure("with_map")),
    "without-map": (opened("globals", only=["with_map"], maps=[".rodata"]), LOAD),
    "named": (
        opened(
            "globals",
            **{"only": ["optional"], "maps": [".kconfig", "numbers"]},
            **{"sizes": {"numbers": 5}, "pins": {"numbers": "/sys/fs/bpf/numbers"}},
        ),
        LOAD,
        measure("optional"),
    ),
    "switched": (opened("globals", autoload={"optional": True, "values": False}), LOAD, measure("optional")),
    "misfit": (opened("globals", rodata={"tiny": 256}),),
    "misnamed": (opened("globals", sizes={"nambers": 5}),),
}


@pytest.fixture(
    scope="module",
    params=["6.12-x86_64", *(pytest.param(each, marks=pytest.mark.nightly) for each in ("5.10-x86_64", "6.12-s390x"))],
)
def parts(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> dict[str, PartResult]:
    folder = tmp_path_factory.mktemp("openings")
    cell = checked(folder, [HandmadeCase("globals", ["globals"], PARTS, folder)], [request.param]).cells[0]
    return {part.name: part for part in cell.parts}


@pytest.mark.parametrize("name", ["given", "plain", "named", "switched"])
def test_it_is_loaded_as_it_was_asked_for(name: str, parts: dict[str, PartResult]) -> None:
    """The program returns a bit for each variable that has the value that was given."""
    outcome = parts[name].outcome
    assert outcome.kind == OutcomeKind.WORKS, (outcome.reason, outcome.log)
    assert outcome.measured["verified-instructions"] >= 3
    assert outcome.measured["translated-bytes"] >= 8
    assert {"stack", "jited-bytes", "peak-states", "total-states"} <= set(outcome.measured)


def test_a_program_that_needs_a_map_is_refused_without_it(parts: dict[str, PartResult]) -> None:
    outcome = parts["without-map"].outcome
    assert (outcome.kind, outcome.origin, outcome.refusal) == (OutcomeKind.REFUSED, Origin.LIBBPF, "map-left-out")
    assert "BPF map 'numbers' is referenced but wasn't created" in outcome.log


def test_a_value_that_does_not_fit_is_no_kernels_refusal(parts: dict[str, PartResult]) -> None:
    outcome = parts["misfit"].outcome
    assert (outcome.kind, outcome.origin, outcome.refusal) == (OutcomeKind.REFUSED, Origin.LIBBPF, "variable-mismatch")
    assert "256 does not fit tiny, of 8 bits without sign" in outcome.reason


def test_a_map_that_the_object_does_not_have_is_no_kernels_refusal(parts: dict[str, PartResult]) -> None:
    outcome = parts["misnamed"].outcome
    assert (outcome.kind, outcome.origin, outcome.refusal) == (OutcomeKind.REFUSED, Origin.LIBBPF, "name-absent")
