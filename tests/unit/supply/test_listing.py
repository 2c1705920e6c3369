"""What an object has, as libbpf finds it; and that no file whatever ends in another error than the one for that."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path

import pytest
from unit_samples import ROOT, X86

from harness.errors import ObjectFileError
from harness.model.architectures import ARCHITECTURES, Architecture
from harness.model.listing import Listing
from harness.supply.listing import read_listing
from harness.supply.objects import compile_flags, compile_object

SOURCE = """
#include "trace.h"
#define BPF_MAP_TYPE_RINGBUF 27
EVENTS_MAP(events);
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } rb SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 1); __uint(key_size, 4); __uint(value_size, 4); }
	progs SEC(".maps");
int counter;
const volatile int setting = 3;
int custom SEC(".data.custom");
extern int LINUX_KERNEL_VERSION __kconfig;

static __noinline int leaf(int x) { counter += x; return counter; }
__noinline int middle(int x) { return leaf(x) + setting; }
static __noinline long called_back(void *map, const void *key, void *value, void *ctx) { counter++; return 0; }
static __noinline int unused_here(int x) { return counter -= x; }

SEC("kprobe/tcp_connect") int BPF_KPROBE(first, struct sock *sk) { return middle((long)sk) + LINUX_KERNEL_VERSION; }
SEC("?raw_tp/task_rename") int second(void *ctx)
{
	trace_kind(EVENT_TARGET);
	return bpf_for_each_map_elem(&trace, called_back, 0, 0) + custom;
}
SEC("xdp") int third(struct xdp_md *xdp) { return unused_here(xdp->data_end - xdp->data); }
SEC("xdp") int fourth(struct xdp_md *xdp) { return unused_here(1); }
char LICENSE[] SEC("license") = "GPL";
"""


def built(folder: Path, text: str = SOURCE, arch: Architecture = X86) -> Path:
    source = folder / "object.bpf.c"
    source.write_text(text)
    flags = compile_flags(arch, include=[ROOT / "bpf/include"])
    compile_object(source, folder / "object.o", clang="clang", flags=flags)
    return folder / "object.o"


def listed(folder: Path, text: str = SOURCE, arch: Architecture = X86) -> Listing:
    return read_listing(built(folder, text, arch), stem="a_long_stem")


@pytest.mark.parametrize("arch", [X86, ARCHITECTURES["s390x"]], ids=["little", "big"])
def test_what_an_object_has(arch: Architecture, tmp_path: Path) -> None:
    found = listed(tmp_path, arch=arch)
    assert found.programs == {
        "first": "kprobe/tcp_connect",
        "second": "?raw_tp/task_rename",
        "third": "xdp",
        "fourth": "xdp",
    }
    assert found.functions == {
        "first": ["first", "middle", "leaf"],
        "second": ["second", "called_back"],
        "third": ["third", "unused_here"],
        "fourth": ["fourth", "unused_here"],
    }
    sections = {f"{stem}.{name}": 2 for name in ("bss", "rodata") for stem in ("", "a_long_s")}
    sections |= {".kconfig": 2, "a_long_.kconfig": 2}
    own = {"events": 4, "rb": 27, "progs": 3, "trace": 2, "trace_cursor": 2}
    assert {name: kind for name, kind in found.maps.items() if "custom" not in name} == own | sections
    assert found.maps[".data.custom"] == 2
    assert Listing.from_json(found.to_json()) == found


@pytest.mark.parametrize("arch", [X86, ARCHITECTURES["s390x"]], ids=["little", "big"])
def test_which_maps_a_program_uses(arch: Architecture, tmp_path: Path) -> None:
    """Those of all functions that it reaches, through sections of data as well."""
    found = listed(tmp_path, arch=arch)
    assert {name: sorted(maps) for name, maps in found.uses.items()} == {
        "first": [".bss", ".kconfig", ".rodata"],
        "second": [".bss", ".data.custom", "trace", "trace_cursor"],
        "third": [".bss"],
        "fourth": [".bss"],
    }
    assert found.variables == {"counter": ".bss", "setting": ".rodata", "custom": ".data.custom"}
    assert (found.license, found.slots, found.struct_ops) == ("GPL", {}, {})


MADE_OF_OTHERS = """
#include "trace.h"
struct inner { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, int); };
struct inner one SEC(".maps"), two SEC(".maps"), alone SEC(".maps");
struct {
	__uint(type, 13 /* HASH_OF_MAPS */); __uint(max_entries, 2); __type(key, int);
	__array(values, struct inner);
} outer SEC(".maps") = {.values = {[0] = &two, [1] = &one}};
int leaf(void *ctx);
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 4); __type(key, int);
	__array(values, int(void *));
} progs SEC(".maps") = {.values = {[3] = (void *)&leaf}};

SEC("raw_tp/task_rename") int leaf(void *ctx)
{
	int key = 0;
	int *value = bpf_map_lookup_elem(&alone, &key);
	return value ? *value : 0;
}
SEC("raw_tp/task_rename") int caller(void *ctx)
{
	int key = 0;
	void *map = bpf_map_lookup_elem(&outer, &key);
	if (map)
		bpf_tail_call(ctx, &progs, 3);
	return 0;
}
SEC("?fentry/caller") int tracer(void *ctx) { return 0; }
SEC("struct_ops/test_1") int BPF_PROG(test_1, struct bpf_dummy_ops_state *state) { return 0; }
SEC("struct_ops/test_2") int BPF_PROG(test_2, struct bpf_dummy_ops_state *state) { return 0; }
SEC(".struct_ops") struct bpf_dummy_ops ops = {.test_1 = (void *)test_1};
SEC("?.struct_ops.link") struct bpf_dummy_ops other = {.test_1 = (void *)test_2};
SEC("?.struct_ops.link") struct bpf_dummy_ops empty = {};
char _license[] SEC("license") = "Dual BSD/GPL";
"""


@pytest.mark.parametrize("arch", [X86, ARCHITECTURES["s390x"]], ids=["little", "big"])
def test_what_an_object_puts_into_its_maps(arch: Architecture, tmp_path: Path) -> None:
    found = listed(tmp_path, MADE_OF_OTHERS, arch)
    assert {name: sorted(maps) for name, maps in found.uses.items()} == {
        "leaf": ["alone"],
        "caller": ["one", "outer", "progs", "two"],
        **{name: [] for name in ("tracer", "test_1", "test_2")},
    }
    assert found.slots == {"progs": ["leaf"]}
    assert found.struct_ops == {"ops": ["test_1"], "other": ["test_2"], "empty": []}
    assert sorted(found.optional) == ["empty", "other"]
    assert found.license == "Dual BSD/GPL"
    assert Listing.from_json(found.to_json()) == found


def test_registers_tell_whose_they_are(tmp_path: Path) -> None:
    assert {"di", "r15"} <= set(listed(tmp_path).registers)
    assert {"gprs", "psw"} <= set(listed(tmp_path, arch=ARCHITECTURES["s390x"]).registers)
    assert listed(tmp_path, '#include "trace.h"\nSEC("xdp") int x(void *c) { return 0; }\n').registers == []


def test_struct_ops_are_maps(tmp_path: Path) -> None:
    text = """
    #include "trace.h"
    SEC("struct_ops/test_1") int BPF_PROG(test_1, struct bpf_dummy_ops_state *state) { return 0; }
    SEC(".struct_ops") struct bpf_dummy_ops ops = {.test_1 = (void *)test_1};
    """
    assert listed(tmp_path, text).maps["ops"] == 26


def test_an_object_without_btf_has_its_names_all_the_same(tmp_path: Path) -> None:
    path = built(tmp_path)
    subprocess.run(["llvm-objcopy", "--remove-section=.BTF", "--remove-section=.BTF.ext", path], check=True)
    found = read_listing(path, stem="x")
    assert set(found.programs) == {"first", "second", "third", "fourth"}
    assert (found.maps["rb"], found.registers) == (None, ())


@pytest.mark.parametrize(
    "case", sorted((ROOT / "bpf").glob("*/*.bpf.c")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
@pytest.mark.nightly
def test_every_committed_object_is_read_as_llvm_reads_it(case: Path, tmp_path: Path) -> None:
    path = built(tmp_path, f'#include "{case}"\n')
    said = subprocess.run(["llvm-readelf", "-s", path], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in said.splitlines() if " FUNC " in line and " GLOBAL " in line]
    listing = read_listing(path, stem="x")
    assert set(listing.programs) <= {row[-1] for row in rows}


def test_no_damage_ends_in_another_error(tmp_path: Path) -> None:
    whole = built(tmp_path).read_bytes()
    path = tmp_path / "damaged.o"
    chance = random.Random(13)
    read = 0
    for _ in range(300):
        data = bytearray(whole)
        for _ in range(chance.choice((1, 3, 20))):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path.write_bytes(data[: chance.choice((len(data), len(data), chance.randrange(len(data))))])
        try:
            read_listing(path, stem="x")
            read += 1
        except ObjectFileError as error:
            assert str(path) in str(error)
    assert 0 < read < 300


def test_what_is_no_object_is_told(tmp_path: Path) -> None:
    with pytest.raises(ObjectFileError, match="cannot be read: No such file"):
        read_listing(tmp_path / "none.o", stem="x")
    (tmp_path / "text.o").write_text("no object")
    with pytest.raises(ObjectFileError, match="is damaged"):
        read_listing(tmp_path / "text.o", stem="x")


def test_a_listing_that_was_kept_has_its_names_in_the_order_of_the_object() -> None:
    found = Listing(programs={"z": "xdp", "a": "tc"}, maps={"y": 1, "b": None}, uses={"z": ("y", "b"), "a": ()})
    kept = json.loads(json.dumps(found.to_json(), sort_keys=True))  # as the cache writes it
    again = Listing.from_json(kept)
    assert [list(each) for each in (again.programs, again.maps, again.uses)] == [["z", "a"], ["y", "b"], ["z", "a"]]
    assert list(again.uses["z"]) == ["y", "b"]
