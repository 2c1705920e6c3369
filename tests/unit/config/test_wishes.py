"""Keys that people try: each is answered with what to write instead, and none of them is one that there is."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from config_samples import CASE
from projects import INPUTS

from harness.config.case import CaseFile, Target, Tracer
from harness.config.case_folders import load_case
from harness.config.check import CheckFile, load_check
from harness.config.reading.models import Model
from harness.config.rules import Rule
from harness.config.steps import EventPattern, LoadStep, Observation
from harness.errors import ConfigError

MODELS: tuple[type[Model], ...] = (CaseFile, Target, Tracer, LoadStep, Observation, EventPattern, Rule, CheckFile)


@pytest.mark.parametrize("model", MODELS)
def test_no_wish_is_a_key_that_there_is(model: type[Model]) -> None:
    known = {info.alias or name for name, info in model.model_fields.items()}
    assert model.wishes
    assert model.wishes.keys().isdisjoint(known)


@pytest.mark.parametrize("model", MODELS)
def test_what_is_to_be_written_instead_is_there(model: type[Model]) -> None:
    """The first key in each piece of YAML is one of this model, or of a model around it."""
    known = {info.alias or name for each in MODELS for name, info in each.model_fields.items()}
    for wish, text in model.wishes.items():
        pieces = [piece.strip() for piece in text.split("`")[1::2]]
        keys = [piece.partition(":")[0] for piece in pieces if ": " in piece]
        assert set(keys) <= known, (wish, keys)
        for piece in pieces:
            if ": " in piece:
                yaml.safe_load(piece)


def test_all_that_was_typed_and_is_not_known_is_answered() -> None:
    with pytest.raises(ConfigError) as caught:
        load_case(INPUTS / "refused-wishes")
    lines = str(caught.value).splitlines()
    answers = {line.split(": ")[1]: line for line in lines if "unknown key; " in line}
    wanted = {
        "target.autoattach": "`attach: [name]`",
        "target.optional": "`autoload: {name: true}`",
        "target.pin-path": "`pins: {seen: /sys/fs/bpf/seen}`",
        "target.maps": "`map-sizes: {seen: 1024}`",
        "target.btf": "write it at the top of the file",
        "observe.trace[0].at-least": "`trace: {at-least: [{kind: target}]}`",
        "observe.ringbuf": "`records: {events: [{pid: 1}]}`",
        "observe.kernel-log": "`splat` or `panic`",
    }
    assert {place for place, text in wanted.items() if text not in answers.get(place, "")} == set(), "\n".join(lines)
    assert not [line for line in lines if ": cflags" in line]
    (setup,) = [line for line in lines if ": setup[0]: " in line]
    assert "expected a thing to make, such as {make: veth, name: a, peer: b}, no line for a shell, got" in setup


def test_a_wish_is_answered_in_check_yaml_and_in_rules(tmp_path: Path) -> None:
    (tmp_path / "check.yaml").write_text("timeout: 3\nexpect: [{outcome: works, reason: r, commit: x}]\n")
    with pytest.raises(ConfigError) as caught:
        load_check(tmp_path / "check.yaml")
    assert "check.yaml:1: timeout: unknown key; write `deadline: 20`" in str(caught.value)
    assert "check.yaml:2: expect[0].commit: unknown key; write `source: ...`" in str(caught.value)


def test_a_key_that_nobody_has_thought_of_is_answered_with_what_there_is(tmp_path: Path) -> None:
    (tmp_path / "check.yaml").write_text("memry: 3\n")
    with pytest.raises(ConfigError, match=r'memry: unknown key; did you mean "memory"\? \(known: programs, '):
        load_check(tmp_path / "check.yaml")
    assert "title" in CASE
