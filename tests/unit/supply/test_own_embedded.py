"""Objects inside a program are found by their headers, and nothing else is."""

from __future__ import annotations

import struct
from pathlib import Path

from own_samples import object_of, program

from harness.supply.own.embedded import embedded_in


def test_what_only_begins_like_an_object_is_none() -> None:
    whole = object_of("little").read_bytes()
    assert [each.data for each in embedded_in(b"x" + whole + b"y")] == [whole]
    assert embedded_in(whole) == []
    assert embedded_in(b"x" + whole[:-1]) == []
    assert embedded_in(b"x" + whole[:70]) == []
    other = bytearray(whole)
    struct.pack_into("<H", other, 18, 62)
    assert embedded_in(b"x" + bytes(other)) == []


def test_each_content_is_there_once_under_the_name_that_holds_it(tmp_path: Path) -> None:
    objects = {name: object_of(order) for name, order in (("first", "little"), ("data", "big"), ("same", "little"))}
    found = {each.name: each.data for each in embedded_in(program(tmp_path, objects).read_bytes())}
    assert found.pop("first", None) == object_of("little").read_bytes()
    ((name, data),) = found.items()
    assert name == "own", "libbpf's own name for it says nothing, but its source does"
    assert data == object_of("big").read_bytes()


def test_objects_of_a_stripped_program_have_their_sources_names_or_numbers() -> None:
    objects = [object_of(order).read_bytes() for order in ("little", "big")]
    nameless = objects[1].replace(b"/own.bpf.c\0", b"/own.bpf.h\0")
    assert nameless != objects[1]
    assert [each.name for each in embedded_in(b"x" + b"".join(objects))] == ["own", "2"]
    assert [each.name for each in embedded_in(b"x" + nameless + objects[0])] == ["1", "own"]
