"""Bytes become values by the types of a real object, and by members that a case describes."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from unit_samples import ROOT, X86

from harness.agent.decoding import Undecodable, decode_members, raw, text
from harness.supply.objects import compile_flags, compile_object

DECODE = """
import json, sys
from harness.agent.bpf_object import BpfObject
from harness.agent.btf import Types
from harness.agent.decoding import Undecodable, decode, named_type, only_structure
from harness.agent.libbpf import Libbpf
lib = Libbpf()
types = Types(lib, lib.found("bpf_object__btf", BpfObject(lib, sys.argv[1]).handle))
found = []
for name, data in json.loads(sys.argv[2]):
    data = bytes.fromhex(data)
    try:
        kind = named_type(types, name) if name else only_structure(types, range(len(data), len(data) + 1))
        found.append(decode(types, kind, data))
    except Undecodable as error:
        found.append(f"not decoded: {error}")
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("object") / "prog.o"
    source = ROOT / "tests/inputs/34-own-records/prog.bpf.c"
    compile_object(source, made, clang="clang", flags=compile_flags(X86, include=[ROOT / "bpf/include"]))
    return made


def decoded(path: Path, *asked: tuple[str, bytes]) -> list[Any]:
    given = json.dumps([(name, data.hex()) for name, data in asked])
    argv = [sys.executable, "-c", DECODE, str(path), given]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def event() -> bytes:
    head = struct.pack("<QIihB", 2**40, 7, -2, -300, 0x83) + b"cat\0rest".ljust(16, b"\0")
    places = struct.pack("<xH8sH8s", 443, b"web", 80, b"x")
    return (head + places).ljust(56, b"\0") + b"\1\2\3\4" + bytes(4)


def test_a_structure_becomes_its_members(path: Path) -> None:
    data = event()
    by_name, with_word, alone = decoded(path, ("event", data), ("struct event", data), ("", data))
    assert by_name == with_word == alone
    assert by_name == {
        **{"wide": 2**40, "pid": 7, "color": "GREEN", "small": -300, "active": 1, "rest": 0x41, "comm": "cat"},
        **{"places": [{"port": 443, "name": "web"}, {"port": 80, "name": "x"}]},
        **{"as_number": 0x04030201, "as_bytes": [1, 2, 3, 4]},
    }


def test_what_cannot_be_decoded_is_a_sentence(path: Path) -> None:
    absent, short, none = decoded(path, ("evnt", b"x"), ("event", b"x"), ("", b"12345"))
    assert absent.startswith("not decoded: the object's BTF has no evnt")
    assert short == "not decoded: there are 1 bytes, and a value has 64"
    assert none.startswith("not decoded: the object's BTF has no structure of its size")


def test_a_number_of_an_enumeration_without_a_name_stays_a_number(path: Path) -> None:
    assert decoded(path, ("enum color", struct.pack("<i", 9)), ("color", struct.pack("<i", 1))) == [9, "RED"]


def test_members_that_a_case_describes_are_aligned() -> None:
    data = struct.pack("=B3xIq4s?", 1, 2, -3, b"ab\0c", True)
    members = {"a": "u8", "b": "u32", "c": "s64", "d": "char[4]", "e": "bool"}
    assert decode_members(members, data) == {"a": 1, "b": 2, "c": -3, "d": "ab", "e": True}
    assert decode_members({"a": "u16[2]"}, struct.pack("=HH", 5, 6)) == {"a": [5, 6]}
    with pytest.raises(Undecodable, match="there are 1 bytes, and b ends at 8"):
        decode_members({"a": "u8", "b": "u32"}, b"x")


def test_what_nobody_knows_is_shown_as_it_is() -> None:
    assert raw(b"\1\2") == {"raw": "0102", "size": 2}
    assert raw(bytes(1000)) == {"raw": "00" * 512, "size": 1000}
    assert text(b"ab\xff\0c") == "ab\ufffd"
