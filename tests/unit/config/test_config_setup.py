"""What a case can declare beside its programs, and what is wrong between such things."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.config.case_folders import load_case
from harness.config.setup import cgroups_of, devices_of, namespaces_of
from harness.errors import ConfigError

OTHER = {"make": "namespace", "name": "other"}
PAIR = {"make": "veth", "name": "a", "peer": "b", "address": "192.0.2.1/24", "peer-namespace": "other"}


def case(folder: Path, *things: dict[str, Any]) -> Any:
    folder = folder / "case"
    folder.mkdir()
    keys = {"title": "t", "setup": list(things), "command": "true"}
    (folder / "case.yaml").write_text(yaml.safe_dump(keys, sort_keys=False))
    return load_case(folder)


def test_names_are_known_by_what_they_are_of(tmp_path: Path) -> None:
    setup = case(tmp_path, OTHER, PAIR, {"make": "dummy", "name": "d"}, {"make": "cgroup", "name": "one"}).setup
    assert devices_of(setup) == {"a": 1, "b": 1, "d": 2}
    assert (namespaces_of(setup), cgroups_of(setup)) == ({"other": 0}, {"one": 3})
    assert setup[1].address == ("192.0.2.1/24",)


@pytest.mark.parametrize(
    ("things", "message"),
    [
        ([PAIR], '7: setup[0].peer-namespace: `setup` makes no namespace "other" (there are: none)'),
        ([PAIR, OTHER], 'the namespace "other" is made later; put it before this'),
        ([{"make": "dummy", "name": "d", "namespace": "othr"}, OTHER], 'no namespace "othr"; did you mean "other"?'),
        ([{"make": "qdisc", "kind": "fq", "device": "a"}], 'setup[0].device: `setup` makes no device "a"'),
        ([OTHER, PAIR, {"make": "dummy", "name": "b"}], 'two things of the kind device with the name "b"'),
        ([OTHER, OTHER], 'two things of the kind namespace with the name "other"'),
        ([{"make": "dummy", "name": "lo"}], "each namespace has a device lo by itself"),
        ([{"make": "veth", "name": "a"}], "peer"),
        ([{"make": "bridge", "name": "a"}], "bridge"),
        ([{"make": "qdisc", "kind": "clsakt", "device": "a"}], 'did you mean "clsact"?'),
        ([{"make": "mount", "type": "tempfs", "at": "/mnt/x"}], 'did you mean "tmpfs"?'),
        ([{"make": "mount", "type": "tmpfs", "at": "mnt"}], 'a path from the root, such as "/mnt/x"'),
        ([{"make": "mount", "type": "tmpfs", "at": "/mnt/../etc"}], 'a path from the root, such as "/mnt/x"'),
        ([{"make": "dummy", "name": "d", "address": "192.0.2.1"}], "an address with the length of its prefix"),
        ([{"make": "dummy", "name": "d", "address": "192.0.2.300/24"}], "an address with the length of its prefix"),
        ([{"make": "dummy", "name": "much-too-long-for-it"}], "at most 15 letters"),
    ],
)
def test_what_is_wrong_is_said(things: list[dict[str, Any]], message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        case(tmp_path, *things)
    assert message in str(caught.value)
