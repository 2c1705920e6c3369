"""What is asked of an object between its opening and its load, by the host's libbpf: opening needs no privilege."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from unit_samples import ROOT, X86

from harness.supply.objects import compile_flags, compile_object

OPEN = """
import ctypes, json, sys
from harness.agent.bpf_object import BpfObject
from harness.agent.btf import Types
from harness.agent.libbpf import Libbpf
from harness.agent.openings import preparations
from harness.agent.refusal import Refused, errno_name
lib = Libbpf()
found = []
for step in json.loads(sys.argv[2]):
    item = BpfObject(lib, sys.argv[1], step.get("only"))
    try:
        for act in preparations(lib, step):
            item.prepare(act)
    except Refused as refused:
        found.append([errno_name(refused.number), refused.api, refused.detail])
        continue
    values = {}
    for path in step.get("rodata", ()):
        section, offset, kind = Types(lib, lib.found("bpf_object__btf", item.handle)).locate(path)
        handle, size = item.map(section), ctypes.c_size_t(0)
        memory = lib.found("bpf_map__initial_value", handle, ctypes.byref(size))
        values[path] = ctypes.string_at(memory, size.value)[offset : offset + 24].hex()
    counts = {name: lib.found("bpf_map__max_entries", item.map(name)) for name in step.get("sizes", ())}
    kinds = {name: lib.call("bpf_program__type", item.program(name)) for name in step.get("sections", ())}
    named = {name: lib.section(item.program(name)) for name in step.get("sections", ())}
    sizes = {
        name: [lib.found(f"bpf_map__{what}_size", item.map(name)) for what in ("key", "value")]
        for name in step.get("record-maps", ())
    }
    found.append({**values, **counts, **kinds, **sizes, **({"named": named} if named else {})})
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def globals_object(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("object") / "globals.o"
    compile_object(
        ROOT / "tests/inputs/programs/globals.bpf.c", made, clang="clang", flags=compile_flags(X86, include=())
    )
    return made


def opened(path: Path, *steps: dict[str, Any]) -> list[Any]:
    argv = [sys.executable, "-c", OPEN, str(path), json.dumps(steps)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


VALUES: dict[str, tuple[Any, str]] = {
    "tiny": (200, "c8"),
    "negative": (-300, "d4fe"),
    "large": (2**64 - 1, "ff" * 8),
    "on": (True, "01"),
    "color": ("PAST", "fdffffff"),
    "wide": (0x1234567890, "9078563412000000"),
    "letter": ("z", "7a"),
    "name": ("after", "6166746572000000"),
    "many": ([7, "0x10"], "070000001000000003000000"),
    "many[2]": (9, "09000000"),
    "settings": ({"level": 9, "as_number": 258}, "09" + "00" * 23),
    "settings.peers[1].port": (443, "bb01"),
    "settings.peers[1]": ({"name": "web", "port": 1}, "01007765620000000000"),
    "settings.as_bytes[1]": (7, "07"),
    "hidden": (55, "37000000"),
    "apart": (44, "2c000000"),
    "changed": (66, "42000000"),
    "empty": (77, "4d000000"),
}


def test_values_are_placed_as_the_objects_types_say(globals_object: Path) -> None:
    found = opened(globals_object, *({"rodata": {path: value}} for path, (value, _) in VALUES.items()))
    for (path, (_, wanted)), got in zip(VALUES.items(), found, strict=True):
        assert isinstance(got, dict), got
        assert got[path].startswith(wanted), path


MISFITS: dict[str, tuple[Any, str]] = {
    "absent": (1, "the object has no global variable absent"),
    "CONFIG_HZ": (250, "CONFIG_HZ is extern"),
    "tiny": (256, "256 does not fit tiny, of 8 bits without sign"),
    "negative": (2**15, "32768 does not fit negative, of 16 bits with sign"),
    "large": (-1, "-1 does not fit large"),
    "changed": ("some", "changed is a number, not 'some'"),
    "on": (2, "on is true or false, not 2"),
    "color": ("BLUE", "color is one of RED, GREEN, PAST, not BLUE"),
    "name": ("too long", "name has room for 7 characters and the zero behind them, not 8"),
    "many": ([1, 2, 3, 4], "many has 3 elements, not 4"),
    "many[3]": (1, r"many has 3 elements, and none is [3]"),
    "many.first": (1, "many has no member first"),
    "tiny[0]": (1, "tiny has no element [0]"),
    "settings": (1, "settings is a structure"),
    "settings.other": (1, "settings has no member other (it has level, peers, as_number, as_bytes, pointer)"),
    "settings.peers[1]": ({"host": 1}, "settings.peers[1] has no member host"),
    "settings.pointer": (1, "settings.pointer is a pointer that cannot be given a value"),
}


def test_what_does_not_fit_is_refused_with_a_sentence(globals_object: Path) -> None:
    found = opened(globals_object, *({"rodata": {path: value}} for path, (value, _) in MISFITS.items()))
    for (_, wanted), (errno, api, detail) in zip(MISFITS.values(), found, strict=True):
        assert (errno, api) == ("EINVAL", "rodata")
        assert detail.startswith(wanted), detail


def test_maps_programs_and_pins(globals_object: Path) -> None:
    good, *bad = opened(
        globals_object,
        {"sizes": {"numbers": 50}, "autoload": {"optional": True}, "pins": {"numbers": "/sys/fs/bpf/n"}, "maps": []},
        {"maps": ["none"]},
        {"sizes": {"none": 1}},
        {"autoload": {"none": True}},
        {"pins": {"numbers": "relative"}},
    )
    assert good == {"numbers": 50}
    assert [(errno, api) for errno, api, _ in bad] == [
        *[("ENOENT", "bpf_object__find_map_by_name")] * 2,
        ("ENOENT", "bpf_object__find_program_by_name"),
        ("EINVAL", "pins"),
    ]


STRANGE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("xdp/mine") int packet(void *ctx) { return 2; }
SEC("cgroup_skb/egress/mine") int sent(void *ctx) { return 1; }
SEC("none/mine") int other(void *ctx) { return 0; }
"""


RECORDS = """\
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct event { int a[20]; };
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); __type(value, struct event); }
	ring SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __type(value, struct event); } perf SEC(".maps");
"""


def test_maps_of_records_get_the_sizes_that_kernels_want(tmp_path: Path) -> None:
    (tmp_path / "records.bpf.c").write_text(RECORDS)
    made = tmp_path / "records.o"
    compile_object(tmp_path / "records.bpf.c", made, clang="clang", flags=compile_flags(X86, include=()))
    assert opened(made, {"record-maps": ["ring", "perf"]}) == [{"ring": [0, 0], "perf": [4, 4]}]


def test_a_program_becomes_what_its_sections_beginning_says(tmp_path: Path) -> None:
    (tmp_path / "strange.bpf.c").write_text(STRANGE)
    made = tmp_path / "strange.o"
    compile_object(tmp_path / "strange.bpf.c", made, clang="clang", flags=compile_flags(X86, include=()))
    sections = {"packet": "xdp", "sent": "?cgroup_skb/egress"}
    found = opened(made, {"sections": sections}, {"sections": {"other": "none"}})
    assert found[0] == {"packet": 6, "sent": 8, "named": {"packet": "xdp", "sent": "cgroup_skb/egress"}}
    assert found[1][:2] == ["ESRCH", "libbpf_prog_type_by_name"], "and so it stays unknown"
