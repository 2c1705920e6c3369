"""check.yaml: what it takes, and what is said where it cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_samples import CHECK

from harness.config.check import load_check
from harness.errors import ConfigError


def wrong(folder: Path, text: str) -> str:
    path = folder / "check.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_check(path)
    return str(caught.value)


def test_a_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "check.yaml"
    path.write_text(CHECK)
    check, _ = load_check(path)
    assert check.programs == ("on_*",)
    assert dict(check.rodata) == {"wanted": 7, "limits.ports[2]": 80, "names": ["a", "b"], "debug": True}
    assert [rule.program for rule in check.expect] == [("on_open",), ("all-together", "probe")]
    assert (check.run, check.require_run, check.memory) == (True, True, 512)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rodta: {x: 1}\n", 'check.yaml:1: rodta: unknown key; did you mean "rodata"?'),
        ("run: false\nrequire-run: true\n", 'check.yaml:2: require-run: not allowed beside "run: false"'),
        ("rodata: {limits.: 1}\n", "a global variable of the object"),
        ("pins: {counts: here}\n", "expected a path below /sys/fs/bpf"),
        ("map-sizes: {counts: 0}\n", "check.yaml:1: map-sizes.counts"),
        ("expect: [{program: a b, outcome: works, reason: r}]\n", "check.yaml:1: expect[0].program"),
        ("expect: [{outcome: refused, reason: r, source: s}]\n", 'the outcome "refused" needs the key "stage"'),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    assert said in wrong(tmp_path, text)


@pytest.mark.parametrize("key", ["reason", "source"])
def test_a_drafted_rule_counts_once_it_is_filled_in(key: str, tmp_path: Path) -> None:
    given = {"reason": "r", "source": "s", key: '"FILL IN: why?"'}
    rule = f"{{outcome: refused, stage: open, reason: {given['reason']}, source: {given['source']}}}"
    assert f'expect[0].{key}: still says "FILL IN"' in wrong(tmp_path, f"expect:\n  - {rule}\n")
