"""Values become the bytes of a map by the types of the object's own BTF. The host's libbpf reads real objects."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from unit_samples import ROOT, X86

from harness.agent.btf import Misfit
from harness.agent.map_access import plain_decode, plain_encode
from harness.supply.objects import compile_flags, compile_object

DECODE = """
import json, sys
from harness.agent.bpf_object import BpfObject
from harness.agent.btf import Misfit, Types
from harness.agent.decoding import decode
from harness.agent.libbpf import Libbpf
from harness.agent.map_access import encode
lib = Libbpf()
item = BpfObject(lib, sys.argv[1])
types = Types(lib, lib.found("bpf_object__btf", item.handle))
found = []
for name, value in json.loads(sys.argv[2]):
    kind = types.locate(name)[2]
    data = encode(types, kind, value, name)
    found.append([decode(types, kind, data), len(data) == types.size(kind)])
print(json.dumps(found))
"""
INNER = {"port": 1, "name": "web"}
THERE_AND_BACK = [
    *(("tiny", 200), ("negative", -300), ("large", 2**64 - 1), ("on", True), ("color", "PAST"), ("color", "GREEN")),
    *(("wide", "LARGE"), ("letter", 122), ("name", "after"), ("many", [7, 8, 9]), ("settings.peers[1]", INNER)),
]


def decoded(path: Path, *given: tuple[str, object]) -> list[tuple[dict[str, object], bool]]:
    argv = [sys.executable, "-c", DECODE, str(path), json.dumps(given)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found: list[tuple[dict[str, object], bool]] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def globals_object(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("object") / "globals.o"
    source = ROOT / "tests/inputs/programs/globals.bpf.c"
    compile_object(source, made, clang="clang", flags=compile_flags(X86, include=()))
    return made


def test_a_value_comes_back_as_it_was_given(globals_object: Path) -> None:
    found = decoded(globals_object, *THERE_AND_BACK)
    assert [list(each) for each in found] == [[value, True] for _, value in THERE_AND_BACK]


def test_what_is_not_given_is_zero(globals_object: Path) -> None:
    ((found, whole),) = decoded(globals_object, ("settings", {"level": 9}))
    assert whole
    assert (found["level"], found["peers"]) == (9, [{"port": 0, "name": ""}] * 2)


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_without_a_type_a_number_is_as_long_as_its_bytes(size: int) -> None:
    assert plain_decode(plain_encode(200, size, "the key")) == 200
    assert plain_encode(-1, size, "the key") == b"\xff" * size


def test_without_a_type_other_bytes_are_as_they_are() -> None:
    assert plain_decode(b"abc") == b"abc"
    assert plain_encode(b"abc", 3, "the key") == b"abc"


@pytest.mark.parametrize(
    ("value", "size", "said"),
    [
        (256, 1, "256 does not fit the key, of 8 bits"),
        ("x", 4, "a number or 4 bytes must be given"),
        (b"ab", 4, "4 bytes"),
    ],
)
def test_what_does_not_fit_is_said(value: object, size: int, said: str) -> None:
    with pytest.raises(Misfit, match=said):
        plain_encode(value, size, "the key")
