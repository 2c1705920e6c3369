from __future__ import annotations

from harness.model.shards import Shard


def test_a_shard_is_named_as_a_command_line_names_it() -> None:
    assert Shard(index=2, count=5, plan="p", lock="", rows={"r": "x86_64"}, cases={"c": "C"}).name == "2/5"
