"""Bytes become values by the types of a real object's own BTF, which the host's libbpf reads."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from scenario_objects import compiled
from unit_samples import ROOT, X86

from harness.supply.objects import compile_flags, compile_object

DECODE = """
import json, sys
from harness.agent.bpf_object import BpfObject
from harness.agent.btf import Types
from harness.agent.decoding import Undecodable, decode, named_type
from harness.agent.libbpf import Libbpf
lib = Libbpf()
item = BpfObject(lib, sys.argv[1])
types = Types(lib, lib.found("bpf_object__btf", item.handle))
found = []
for name, data in json.loads(sys.argv[2]):
    try:
        kind = named_type(types, name) if " " in name else types.locate(name)[2]
        found.append(decode(types, kind, bytes.fromhex(data)))
    except Undecodable as error:
        found.append(str(error))
print(json.dumps(found))
"""


def decoded(path: Path, *given: tuple[str, str]) -> list[Any]:
    argv = [sys.executable, "-c", DECODE, str(path), json.dumps(given)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def globals_object(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("object") / "globals.o"
    source = ROOT / "tests/inputs/programs/globals.bpf.c"
    compile_object(source, made, clang="clang", flags=compile_flags(X86, include=()))
    return made


def test_a_value_is_what_its_type_says(globals_object: Path) -> None:
    given = {
        "tiny": ("c8", 200),
        "negative": ("d4fe", -300),
        "large": ("ff" * 8, 2**64 - 1),
        "on": ("01", True),
        "color": ("fdffffff", "PAST"),
        "letter": ("7a", 122),
        "name": ("6166746572000000", "after"),
        "many": ("070000000800000009000000", [7, 8, 9]),
        "settings.peers[1]": ("01007765620000000000", {"port": 1, "name": "web"}),
    }
    found = decoded(globals_object, *((name, data) for name, (data, _) in given.items()))
    assert dict(zip(given, found, strict=True)) == {name: value for name, (_, value) in given.items()}


def test_a_structure_has_all_members_and_bytes_beyond_it_do_not_matter(tmp_path: Path) -> None:
    data = "05000000" + "01000000" + "6d65000000000000" + "0102" + "0000" + "ffff"
    found, short, missing = decoded(
        compiled(tmp_path), ("struct packet", data), ("struct packet", data[:8]), ("struct nothing", data)
    )
    assert found == {"length": 5, "mood": "CALM", "who": "me", "bytes": [1, 2]}
    assert short == "there are 4 bytes, and a value has 20"
    assert missing.startswith("the object's BTF has no struct nothing")


def test_a_number_that_no_member_has_stays_one(globals_object: Path) -> None:
    assert decoded(globals_object, ("color", "4d000000")) == [77]
