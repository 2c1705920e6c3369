"""A libbpf before 1.0, played by a library that has its functions alone."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from unit_samples import ROOT

from harness.agent.libbpf_old import VERIFY, OldLibbpf

OLD = r"""
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdarg.h>
typedef int (*print_fn)(int, const char *, va_list);
static print_fn printer;
static void warn(const char *form, ...) { va_list l; va_start(l, form); printer(0, form, l); va_end(l); }
print_fn libbpf_set_print(print_fn fn) { print_fn before = printer; printer = fn; return before; }
static char name[] = "first", object, program, map;
void *bpf_object__open_file(const char *path, void *opts) { return path[0] == '/' ? (void *)-2L : &object; }
void *bpf_program__next(void *before, void *of) { return of == &object && !before ? &program : NULL; }
void *bpf_map__next(void *before, void *of) { return of == &object && !before ? &map : NULL; }
const char *bpf_program__name(void *of) { return name; }
int bpf_program__get_type(void *of) { return of == &program ? 26 : -1; }
int bpf_program__get_expected_attach_type(void *of) { return 24; }
unsigned btf__get_nr_types(void *btf) { return 41; }
void *libbpf_find_kernel_btf(void) { return (void *)-2L; }
void *bpf_object__find_map_by_name(void *of, const char *name) { return NULL; }
int bpf_object__load(void *of) {
    warn("libbpf: load bpf program failed: Permission denied\n");
    warn("libbpf: -- BEGIN DUMP LOG ---\n");
    warn("libbpf: \n%s\n", "0: (79) r2 = *(u64 *)(r1 +0)\nR1 invalid mem access 'scalar'");
    warn("libbpf: -- END LOG --\n");
    warn("libbpf: failed to load program 'first'\n");
    return -4007;
}
struct opts { void (*sample)(void *, int, void *, uint32_t); void (*lost)(void *, int, uint64_t); void *ctx; };
static struct opts kept;
void *perf_buffer__new(int fd, size_t pages, const struct opts *opts) { kept = *opts; return &kept; }
int perf_buffer__poll(void *of, int ms) { kept.sample(kept.ctx, 0, "data", 4); kept.lost(kept.ctx, 0, 3); return 1; }
"""

TALK = """
import ctypes, json, sys
from harness.agent import libbpf
from harness.agent.refusal import Refused
from harness.agent.libbpf_abi import SAMPLE_FN, LOST_FN
real = ctypes.CDLL
libbpf.ctypes.CDLL = lambda name, **keys: real(sys.argv[1] if name == "libbpf.so.1" else name, **keys)
lib = libbpf.Libbpf()
def refusal(act):
    lib.messages.clear()
    try:
        return act()
    except Refused as refused:
        return [refused.number, refused.detail, refused.function, lib.verifier_log()]
handle = lib.pointer("bpf_object__open_file", b"object", None)
(program,) = lib.programs(handle).values()
seen = []
calls = SAMPLE_FN(lambda ctx, cpu, data, size: seen.append(ctypes.string_at(data, size).decode())), LOST_FN(
    lambda ctx, cpu, count: seen.append(count))
buffer = lib.pointer("perf_buffer__new", 3, 8, *calls, None, None)
lib.call("perf_buffer__poll", buffer, 20)
print(json.dumps({
    "version": lib.version(),
    "programs": list(lib.programs(handle)),
    "maps": len(lib.maps(handle)),
    "type": [lib.call("bpf_program__type", program), lib.call("bpf_program__expected_attach_type", program)],
    "types": lib.found("btf__type_cnt", 1),
    "btf": lib.kernel_btf(),
    "log": [lib.call("bpf_program__set_log_buf", program, 0, 0), lib.call("bpf_program__set_log_level", program, 4)],
    "no file": refusal(lambda: lib.pointer("bpf_object__open_file", b"/none", None)),
    "no map": refusal(lambda: lib.pointer("bpf_object__find_map_by_name", handle, b"x"))[0],
    "load": refusal(lambda: lib.call("bpf_object__load", handle)),
    "lacks": refusal(lambda: lib.pointer("bpf_program__attach_tcx", program, 1, None)),
    "lacks quietly": refusal(lambda: lib.found("bpf_map__autocreate", 1)),
    "seen": seen,
}))
"""


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the agent makes of such a library."""
    folder: Path = tmp_path_factory.mktemp("old")
    (folder / "old.c").write_text(OLD)
    library = folder / "libbpf.so.0.3.0"
    subprocess.run(["clang", "-shared", "-fPIC", "-o", library, folder / "old.c"], check=True)
    (folder / "libbpf.so.1").symlink_to(library.name)
    argv = [sys.executable, "-c", TALK, str(folder / "libbpf.so.1")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_what_had_another_name_is_found_under_the_new_one(said: dict[str, Any]) -> None:
    assert said["version"] == "v0.3.0", "by the name of its file, since it does not say it"
    assert (said["programs"], said["maps"], said["type"], said["types"]) == (["first"], 1, [26, 24], 42)
    assert said["log"] == [0, 0]


def test_pointers_that_are_errors_are_none(said: dict[str, Any]) -> None:
    assert said["no file"] == [errno.ENOENT, "", "", ""]
    assert said["no map"] == errno.EINVAL
    assert said["btf"] == 0


def test_errno_and_log_of_a_refusal_are_among_its_messages(said: dict[str, Any]) -> None:
    number, detail, function, log = said["load"]
    assert (number, function) == (errno.EACCES, "")
    assert log == "0: (79) r2 = *(u64 *)(r1 +0)\nR1 invalid mem access 'scalar'"
    assert "invalid mem access" not in detail
    assert "failed to load program 'first'" in detail


def test_a_function_that_it_does_not_have_is_named(said: dict[str, Any]) -> None:
    for key, name in (("lacks", "bpf_program__attach_tcx"), ("lacks quietly", "bpf_map__autocreate")):
        assert said[key] == [errno.ENOSYS, f"libbpf v0.3.0 has no {name}", name, ""]


def test_records_come_by_the_options_of_its_time(said: dict[str, Any]) -> None:
    assert said["seen"] == ["data", 3]


def test_a_number_of_libbpfs_own_stays_where_no_message_says_more() -> None:
    old = OldLibbpf
    assert old.errno_of(VERIFY, ["libbpf: load bpf program failed: " + os.strerror(errno.E2BIG)]) == errno.E2BIG
    assert old.errno_of(VERIFY, ["libbpf: nothing"]) == VERIFY
    assert old.errno_of(4003, ["libbpf: load bpf program failed: Permission denied"]) == 4003
    assert old.log_in(["libbpf: nothing"]) == ""
    assert old.without_log(["a", "b"]) == ["a", "b"]
