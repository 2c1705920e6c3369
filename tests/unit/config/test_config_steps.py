"""What the steps, triggers and observations of a case can say; golden/case-*.txt has the messages in full."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from harness.config.steps import AttachStep, EventPattern, Observation, Regex, Step, TriggerStep, as_list
from harness.model.results import Origin

STEP: TypeAdapter[Any] = TypeAdapter(Step)
ATTACH = {"do": "attach", "program": "tracer.fexit"}


@pytest.mark.parametrize("pattern", ["(", "*", "a{2,1}", "(?P<a>x)(?P<a>y)"])
def test_a_pattern_that_python_cannot_read_is_refused(pattern: str) -> None:
    assert TypeAdapter(Regex).validate_python("a|b.*") == "a|b.*"
    with pytest.raises(ValidationError, match="not a regular expression that Python can read"):
        TypeAdapter(Regex).validate_python(pattern)


def test_a_word_stands_for_a_list_of_one() -> None:
    assert as_list("EINVAL") == ["EINVAL"]
    assert [as_list(value) for value in (["a"], 5, None)] == [["a"], 5, None]
    one, several = (STEP.validate_python({**ATTACH, "refused": errnos}) for errnos in ("EINVAL", ["EINVAL", "EBUSY"]))
    assert (one.refused, several.refused) == (("EINVAL",), ("EINVAL", "EBUSY"))
    assert STEP.validate_python({**ATTACH, "refused": "EINVAL", "origin": "libbpf"}).origin == (Origin.LIBBPF,)


def test_do_says_which_step_it_is() -> None:
    assert isinstance(STEP.validate_python(ATTACH), AttachStep)
    run = {"do": "trigger", "trigger": {"kind": "run", "program": "target.main"}}
    assert isinstance(STEP.validate_python(run), TriggerStep)
    for wrong in ({**ATTACH, "do": "atach"}, {"program": "tracer.fexit"}, {**ATTACH, "map": "target.m"}):
        with pytest.raises(ValidationError):
            STEP.validate_python(wrong)


@pytest.mark.parametrize("key", ["message", "origin"])
def test_only_of_a_refusal_it_can_be_said_how_it_looks_and_whose_it_is(key: str) -> None:
    said = {key: {"message": "failed", "origin": "libbpf"}[key]}
    with pytest.raises(ValidationError, match='needs the key "refused"'):
        STEP.validate_python({**ATTACH, **said})
    STEP.validate_python({**ATTACH, **said, "refused": "EINVAL"})


def test_a_side_of_which_nothing_is_said_is_not_looked_at() -> None:
    kprobe = EventPattern(kind="kprobe")
    assert Observation().sides() == {}
    assert Observation(client=()).sides() == {"client": ()}, "nothing must come there"
    assert Observation(client=(), listener=(kprobe,), trace=(kprobe,)).sides() == {"client": (), "listener": (kprobe,)}


@pytest.mark.parametrize("times", [0, 1001, 1.5, True])
def test_events_come_once_or_more(times: object) -> None:
    with pytest.raises(ValidationError):
        EventPattern.model_validate({"kind": "kprobe", "times": times})
