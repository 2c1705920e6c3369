"""One lookup of each kind; what is reported of a whole case is in test_names.py."""

from __future__ import annotations

import pytest
from unit_samples import written_case

from harness.config.case import WrittenCase
from harness.model.listing import PERF_EVENT_ARRAY, RINGBUF, STRUCT_OPS, Listing
from harness.supply.lookups import Lookups

LISTING = Listing(
    programs={"main": "xdp"},
    functions={"main": ["main", "stub"]},
    maps={"events": PERF_EVENT_ARRAY, "ring": RINGBUF, "ops": STRUCT_OPS, "unknown": None},
    variables={"level": "int"},
)


def lookups(case: WrittenCase | None = None, *, loaded: bool = True) -> Lookups:
    found = Lookups(case or written_case(), {"target": LISTING})
    if loaded:
        found.state.opened.add("target")
    return found


@pytest.mark.parametrize(
    ("problems", "told"),
    [
        (lookups().no_object(("object",), "targt"), 'has no object "targt"; did you mean "target"?'),
        (
            lookups().no_program(("p",), "target", "mian"),
            'has no program "mian"; did you mean "main"? (there are: main)',
        ),
        (lookups().no_program(("p",), "target", "ring"), "that is a BPF_MAP_TYPE_RINGBUF"),
        (lookups().no_program(("p",), "target", "ops"), "only `attach` takes one"),
        (lookups().no_function(("f",), "target", "main", "stubb"), 'has no function "stubb" in main'),
        (lookups().no_map(("m",), "target", "evnts"), 'has no map "evnts"; did you mean "events"?'),
        (lookups().no_map(("m",), "target", "ring", kind=PERF_EVENT_ARRAY), "look at its records by observe.records"),
        (lookups().no_variable(("v",), "target", "leve.x[2]"), 'has no variable "leve"; did you mean "level"?'),
        (lookups().no_reference(("r",), "target.main:x"), 'has no function "x" in main'),
        (lookups(loaded=False).no_program(("p",), "target", "main"), "is not loaded at this point"),
    ],
)
def test_what_is_told(problems: object, told: str) -> None:
    ((_, message),) = list(problems)  # type: ignore[call-overload]
    assert told in message


@pytest.mark.parametrize(
    "problems",
    [
        lookups().no_object((), "target"),
        lookups().no_program((), "target", "main"),
        lookups().no_function((), "target", "main", "stub"),
        lookups().no_function((), "target", "main", None),
        lookups().no_map((), "target", "ring", kind=(RINGBUF, PERF_EVENT_ARRAY)),
        lookups().no_map((), "target", "unknown", kind=RINGBUF),
        lookups().no_variable((), "target", "level.deep[1]"),
        lookups().no_reference((), "target.main:stub"),
    ],
)
def test_what_is_there(problems: object) -> None:
    assert list(problems) == []  # type: ignore[call-overload]


def test_what_is_declared_as_missing_must_be_missed() -> None:
    case = written_case().model_copy(update={"missing": ("target.gone", "target.main")})
    found = lookups(case)
    assert list(found.no_program((), "target", "gone")) == []
    (((key, index), message),) = list(found.undeclared())
    assert (key, index) == ("missing", 1) and '"target.main" is declared as missing, but no step misses it' in message
