"""What an object wants is read from its file; that no file whatever ends in another error than the one for that."""

from __future__ import annotations

import contextlib
import random
import subprocess
from pathlib import Path

import pytest
from forecast_samples import OBJECT, compiled, wants_of

from harness.errors import ObjectFileError
from harness.forecast.values import Data
from harness.scenario.from_object import ObjectOptions
from harness.supply.listing import read_listing
from harness.supply.own.wants import read_wants

SOURCE = """
struct sock { int a; } CORE;
struct ops { int (*one)(void); int (*two)(void); int flags; int zero; };
extern int bpf_there(int) __ksym; extern int bpf_weak(int) __ksym __weak; extern int LINUX_KERNEL_VERSION __kconfig;
const volatile int setting = 3; const volatile int other SEC(".rodata.more") = 4; int counter;
static __noinline int leaf(struct sock *s) { return s->a + setting + other; }
__noinline int middle(struct sock *s) { return leaf(s) + counter++; }
static __noinline long back(void *a, void *b, void *c, void *d) { return LINUX_KERNEL_VERSION; }
SEC("fentry/tcp_connect") int first(u64 *ctx) { return middle((void *)ctx[0]); }
SEC("?kprobe") int off(u64 *ctx) { return ((long (*)(void *, void *, void *, u64))164)(0, back, 0, 0); }
SEC("xdp/mine") int packets(void *ctx) { return bpf_there(1) + (bpf_weak ? 1 : 0); }
SEC("struct_ops/one") int one(void) { return 0; }
SEC(".struct_ops.link") struct ops operations = { .one = (void *)one, .flags = 3 };
"""


def test_what_an_object_wants() -> None:
    wants = wants_of(SOURCE, attach_to={"off": "tcp_close"}, modules=("veth",))
    names = {each.place: name for name, each in wants.programs.items()}
    assert {name: (each.section, each.target, each.on, each.inside) for name, each in wants.programs.items()} == {
        "first": ("fentry/tcp_connect", "tcp_connect", True, False),
        "off": ("?kprobe", "tcp_close", False, False),
        "packets": ("xdp", "", True, False),
        "one": ("struct_ops/one", "one", True, False),
    }
    assert [len(each.functions) for each in wants.programs.values()] == [3, 2, 1, 1]
    assert [wants.code[each].globally for each in wants.programs["first"].functions] == [True, True, False]
    assert set(wants.constants) == {".rodata", ".rodata.more"}
    loads = {each for code in wants.code.values() for each in code.loads.values() if isinstance(each, Data)}
    assert loads == {Data(".rodata", 0), Data(".rodata.more", 0), Data("LINUX_KERNEL_VERSION", 0)}
    assert {name: (each.function, each.weak, each.section) for name, each in wants.externs.items()} == {
        "bpf_there": (True, False, ".ksyms"),
        "bpf_weak": (True, True, ".ksyms"),
        "LINUX_KERNEL_VERSION": (False, False, ".kconfig"),
    }
    assert sorted(wants.named.values()) == ["bpf_there", "bpf_weak"]
    assert {names[place] for place, _ in wants.named} == {"packets"}
    ((place, found),) = wants.relocations.items()
    assert place == wants.programs["first"].functions[2]
    assert [each.access for _, each in found] == ["0:0"]
    (operations,) = wants.operations
    assert (dict(operations.programs), set(operations.set)) == ({"one": "one"}, {"flags"})
    assert wants.modules == ("veth",)


def test_a_section_of_data_is_no_constant_where_the_user_sets_one_of_its_variables() -> None:
    assert set(wants_of(SOURCE, rodata={"setting": 4}).constants) == {".rodata.more"}


def test_an_object_without_types_has_programs_alone(tmp_path: Path) -> None:
    path, sections = tmp_path / "bare.o", ["--remove-section=.BTF", "--remove-section=.BTF.ext"]
    subprocess.run(["llvm-strip", "-g", *sections, compiled(f"{OBJECT}{SOURCE}"), "-o", path], check=True)
    wants = read_wants(path, name="it", listing=read_listing(path, stem="it"), options=ObjectOptions())
    assert (wants.types, wants.relocations, wants.externs) == (None, {}, {})
    assert wants.programs["first"].target == "tcp_connect"


def test_what_is_damaged_is_an_object_file_error_alone(tmp_path: Path) -> None:
    whole, chance, path = compiled(f"{OBJECT}{SOURCE}").read_bytes(), random.Random(16), tmp_path / "it.o"
    listing = read_listing(compiled(f"{OBJECT}{SOURCE}"), stem="it")
    for _ in range(60):
        changed = bytearray(whole)
        for _ in range(4):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        path.write_bytes(changed)
        with contextlib.suppress(ObjectFileError):
            read_wants(path, name="it", listing=listing, options=ObjectOptions())
    with pytest.raises(ObjectFileError, match=r"nothing\.o cannot be read"):
        read_wants(tmp_path / "nothing.o", name="it", listing=listing, options=ObjectOptions())
