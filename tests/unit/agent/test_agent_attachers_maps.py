"""Which map a program is attached to that needs one."""

# ruff: noqa: ARG002, ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import errno
import os
from typing import Any, cast

import pytest

import harness.agent.attachers_maps as module
from harness.agent.attachers_maps import (
    HASH,
    SOCKHASH,
    SOCKMAP,
    attach_cgroup_iterator,
    attach_map_iterator,
    attach_sockmap,
)
from harness.agent.case_state import CaseState
from harness.agent.libbpf import Libbpf
from harness.agent.libbpf_abi import U32
from harness.agent.refusal import Refused

MAPS: dict[int, dict[str, Any]] = {
    11: {"name": b"left_out", "type": SOCKHASH, "autocreate": False, "fd": 51},
    12: {"name": b"numbers", "type": HASH, "autocreate": True, "fd": 52},
    13: {"name": b"peers", "type": SOCKHASH, "autocreate": True, "fd": 53, "key_size": 8, "value_size": 8},
    14: {"name": b"sockets", "type": SOCKMAP, "autocreate": True, "fd": 54, "key_size": 4, "value_size": 4},
    15: {"name": b"others", "type": HASH, "autocreate": True, "fd": 55},
}


class Mapped(Libbpf):
    """Plays libbpf with an object of some maps; iterators over those of `refused` are refused."""

    def __init__(self, *maps: int, section: str = "sk_msg", refused: tuple[int, ...] = (), kind: int = 7) -> None:
        self.here, self._section, self.refused, self.kind = maps, section, refused, kind
        self.messages: list[str] = []
        self.asked: list[Any] = []

    def section(self, program: int) -> str:
        return self._section

    def maps(self, handle: int) -> list[int]:
        return list(self.here)

    def found(self, name: str, *arguments: Any) -> Any:
        return MAPS[arguments[0]][name.removeprefix("bpf_map__")]

    def call(self, name: str, *arguments: Any) -> int:
        if name == "bpf_map__fd":
            return int(MAPS[arguments[0]]["fd"])
        if name == "bpf_prog_attach":
            self.asked.append(arguments)
        return {"bpf_program__expected_attach_type": self.kind, "bpf_program__fd": 3}.get(name, 0)

    def pointer(self, name: str, *arguments: Any) -> int:
        made = arguments[1]._obj
        info = (U32 * (made.f1 // 4)).from_address(made.f0)
        self.asked.append(list(info))
        if info[0] in self.refused:
            raise Refused(errno.EACCES)
        return 5


class Object:
    """An object with a program."""

    handle, programs = 1, {"p": 1}


def state(lib: Mapped) -> CaseState:
    case = CaseState(lib, {})
    case.objects["o"] = cast("Any", Object())
    return case


@pytest.mark.parametrize(
    ("maps", "wanted"), [((11, 12, 13, 14), (54, 0, 4, 4)), ((11, 13), (53, 0, 8, 8))], ids=["by-name", "first"]
)
def test_a_program_for_sockets_is_attached_to_the_objects_own_map(
    maps: tuple[int, ...], wanted: tuple[int, ...]
) -> None:
    case = state(lib := Mapped(*maps))
    attach_sockmap(case, 1)
    assert lib.asked == [(3, wanted[0], 7, 0)]
    assert case.sockmap == wanted
    assert case.sockmaps == [wanted]


def test_where_the_object_has_none_it_is_one_of_the_agents(monkeypatch: pytest.MonkeyPatch) -> None:
    made = os.open("/dev/null", os.O_RDONLY)
    monkeypatch.setattr(module, "bpf", lambda command, attributes: made)
    case = state(lib := Mapped(11, section="sk_skb", kind=0))
    attach_sockmap(case, 1)
    assert lib.asked == [(3, made, module.STREAM_VERDICT, 0)]
    assert case.sockmap == (made, 1, 4, 4), "what it sees is received"
    os.close(made)


def test_an_iterator_takes_the_first_map_that_is_large_enough() -> None:
    lib = Mapped(12, 13, 15, section="iter/bpf_map_elem", refused=(52,))
    attach_map_iterator(state(lib), 1)
    assert lib.asked == [[52], [55]]
    none = Mapped(13, section="iter/bpf_map_elem", refused=(0,))
    with pytest.raises(Refused):
        attach_map_iterator(state(none), 1)


def test_cgroups_are_iterated_from_the_root() -> None:
    lib = Mapped(section="iter/cgroup")
    attach_cgroup_iterator(state(lib), 1)
    assert lib.asked == [[2, 0, 0, 0]]
