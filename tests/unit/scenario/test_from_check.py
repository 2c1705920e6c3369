"""What a check.yaml says becomes the options of a case; names that the object does not have are found."""

from __future__ import annotations

from typing import Any

import pytest

from harness.config.check import CheckFile
from harness.config.reading.yaml_source import Loc
from harness.model.listing import Listing
from harness.model.results import OutcomeKind
from harness.scenario.from_check import options_of, wrong_names
from harness.scenario.from_object import Slot

LISTING = Listing(
    programs={"on_open": "kprobe", "leaf": "xdp"},
    functions={"on_open": ["on_open"], "leaf": ["leaf"]},
    maps={"counts": 1, "jumps": 3, ".rodata": 2, "my.rodata": 2},
    variables={"wanted": ".rodata", "limits": ".rodata"},
)
RULE = {"reason": "r", "source": "s"}


def check(**keys: Any) -> CheckFile:
    return CheckFile.model_validate({key.replace("_", "-"): value for key, value in keys.items()})


def test_rules_go_to_the_parts_that_they_name() -> None:
    refused = {"outcome": "refused", "stage": "load-target", **RULE}
    made = options_of(check(expect=[{**refused, "program": ["leaf", "all-together"]}, {"outcome": "works", **RULE}]))
    assert {name: [rule.outcome for rule in rules] for name, rules in made.expect.items()} == {
        "leaf": [OutcomeKind.REFUSED],
        "all-together": [OutcomeKind.REFUSED],
        "": [OutcomeKind.WORKS],
    }


def test_what_a_loader_does_is_in_the_options() -> None:
    made = options_of(
        check(
            programs="on_*",
            run=False,
            attach_to={"on_open": "vfs_open"},
            tail_calls=[{"map": "jumps", "index": 3, "program": "leaf"}],
            map_sizes={"counts": 9},
            autoload={"leaf": False},
        )
    )
    assert (made.programs, made.run, made.attach_to, made.sizes) == (
        ("on_*",),
        False,
        {"on_open": "vfs_open"},
        {"counts": 9},
    )
    assert (list(made.slots), made.autoload) == ([Slot(map="jumps", index=3, program="leaf")], {"leaf": False})


def test_what_is_there_is_not_wrong() -> None:
    slots = [{"map": "jumps", "index": 0, "program": "leaf"}]
    good = check(
        programs=["on_*"], rodata={"limits.a[1]": 1}, attach_to={"on_open": "f"}, tail_calls=slots, pins={}, autoload={}
    )
    assert not list(wrong_names(good, LISTING))


@pytest.mark.parametrize(
    ("keys", "loc", "said"),
    [
        ({"programs": ["on_opn"]}, ("programs", 0), 'no program "on_opn"; did you mean "on_open"?'),
        ({"autoload": {"leef": True}}, ("autoload", "leef"), 'did you mean "leaf"?'),
        ({"attach_to": {"on_opn": "f"}}, ("attach-to", "on_opn"), 'no program "on_opn"'),
        ({"attach_to": {"leaf": "f"}}, ("attach-to", "leaf"), 'of the section "xdp" is attached to nothing by name'),
        ({"rodata": {"wantd.x": 1}}, ("rodata", "wantd.x"), 'no global variable "wantd"; did you mean "wanted"?'),
        ({"map_sizes": {"count": 1}}, ("map-sizes", "count"), "(it has: counts, jumps)"),
        ({"pins": {"none": "/sys/fs/bpf/x"}}, ("pins", "none"), 'no map "none"'),
        (
            {"tail_calls": [{"map": "counts", "index": 0, "program": "leaf"}]},
            ("tail-calls", 0, "map"),
            "counts is no program array",
        ),
        (
            {"tail_calls": [{"map": "jumps", "index": 0, "program": "lef"}]},
            ("tail-calls", 0, "program"),
            'did you mean "leaf"?',
        ),
        (
            {"expect": [{"outcome": "works", "program": "lea", **RULE}]},
            ("expect", 0, "program"),
            'no program "lea"; did you mean "leaf"?',
        ),
    ],
)
def test_names_that_the_object_does_not_have(keys: dict[str, Any], loc: Loc, said: str) -> None:
    ((place, text),) = wrong_names(check(**keys), LISTING)
    assert place == loc
    assert said in text
