"""What the kernel says of programs and links. A kernel is played, which fills the structures as a real one does."""

from __future__ import annotations

import ctypes
from typing import Any

from agent_samples import Played, refusal

from harness.agent.infos import function_btf_id, info_of, program_info
from harness.agent.kernel_abi import BTF_KIND_FUNC, LinkInfo, ProgInfo
from harness.agent.refusal import Refused

ADDRESS = 0xFFFF_FFFF_C000_0000
FD, BTF, FUNCTION = 7, 70, 12


class Kernel(Played):
    """Has one program, `main`, and knows so many bytes of each structure."""

    def __init__(self, *, knows: int = 1 << 16, functions: tuple[bytes, ...] = (b"main",)) -> None:
        super().__init__()
        self.knows, self.functions = knows, functions

    def call(self, name: str, *arguments: Any) -> int:
        if name == "btf__find_by_name_kind":
            assert (arguments[0], arguments[2]) == (BTF, BTF_KIND_FUNC)
            if arguments[1] not in self.functions:
                raise Refused(2, "", api=name)
            return FUNCTION
        assert (name, arguments[0]) == ("bpf_obj_get_info_by_fd", FD)
        info, size = arguments[1]._obj, arguments[2]._obj
        assert size.value == ctypes.sizeof(info), "a kernel must know how much room there is"
        size.value = min(size.value, self.knows)
        info.id = 42
        if isinstance(info, ProgInfo):
            info.name, info.btf_id, info.type = b"main", 3, 26
            if info.nr_jited_ksyms:
                ctypes.c_uint64.from_address(info.jited_ksyms).value = ADDRESS
        else:
            info.target_btf_id, info.cookie = 5, 1 << 40
        return 0

    def pointer(self, name: str, *arguments: Any) -> int:
        assert (name, arguments) == ("btf__load_from_kernel_by_id", (3,))
        return BTF


def test_the_numbers_of_a_link_and_how_much_the_kernel_filled() -> None:
    found = info_of(Kernel(knows=48), LinkInfo(), FD)
    assert {name: found[name] for name in ("id", "target_btf_id", "cookie", "info_len")} == {
        "id": 42,
        "target_btf_id": 5,
        "cookie": 1 << 40,
        "info_len": 48,
    }
    assert "rest" not in found, "only numbers can go into a report"


def test_a_program_has_its_name_where_its_code_begins_and_the_number_of_its_function() -> None:
    found = program_info(Kernel(), FD, "main")
    assert (found["name"], found["jited_address"], found["function_btf_id"]) == ("main", ADDRESS, FUNCTION)
    assert "jited_ksyms" not in found, "that is an address of the agent's own"


def test_a_program_whose_btf_has_no_such_function_has_no_number() -> None:
    assert "function_btf_id" not in program_info(Kernel(functions=()), FD, "main")
    assert refusal(lambda: function_btf_id(Kernel(functions=()), FD, "main")).number == 2
