"""The kernel's BTF is read once, with the host's libbpf: what is replaced are calls that libbpf makes of itself."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from unit_samples import ROOT, X86

from harness.supply.objects import compile_flags, compile_object

SHARE = """
import ctypes, gc, json, os, sys
from harness.agent.bpf_object import BpfObject
from harness.agent.libbpf import Libbpf
from harness.agent.openings import keep_maps
from harness.agent.refusal import Refused
from harness.agent.shared_btf import FREE, LOAD, POINTER, SharedBtf, slots
lib = Libbpf()
library, libc = ctypes.CDLL("libbpf.so.1"), ctypes.CDLL(None)
places = slots(library, libc, (LOAD, FREE))
own = {name: ctypes.cast(getattr(library, name), POINTER).value for name in (LOAD, FREE)}
def targeted(name):
    # It reads the kernel's BTF for that, and gives it back with the load, of nothing here, whether that succeeds.
    lib.debug.clear()
    item = BpfObject(lib, sys.argv[1], [])
    keep_maps(lib, [], item)
    try:
        number = lib.call("bpf_program__set_attach_target", item.programs["tracer"], 0, name)
    except Refused as refused:
        number = -refused.number
    lib.found("bpf_object__load", item.handle)
    return [number, any(b"kernel BTF" in line for line in lib.debug)]
def reads():
    # Whether libbpf's own call comes to libbpf's own function.
    return POINTER.from_address(places[LOAD]).value == own[LOAD]
before = [{name: POINTER.from_address(place).value == own[name] for name, place in places.items()}, reads()]
first = targeted(b"vfs_read")
lib.share_kernel_btf()
gc.collect()  # libbpf does not say that it has the functions
pid = os.fork()
if pid == 0:
    os._exit(0 if [targeted(b"vfs_read"), targeted(b"vfs_write")] == [[0, False], [0, False]] else 1)
child = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(json.dumps({
    "places": sorted(places),
    "unknown": slots(library, libc, ("no_such_function",)),
    "before": before,
    "after": reads(),
    "same": lib.kernel_btf() == lib.kernel_btf() != 0,
    "targets": [first, targeted(b"vfs_read"), targeted(b"vfs_read"), targeted(b"no_such_function")],
    "child": child,
}))
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    made = tmp_path_factory.mktemp("object") / "parts.o"
    source = ROOT / "tests/inputs/programs/parts.bpf.c"
    compile_object(source, made, clang="clang", flags=compile_flags(X86, include=[ROOT / "bpf/include"]))
    argv = [sys.executable, "-c", SHARE, str(made)]
    # What is freed is overwritten (mallopt(3)), so that nobody finds it as it was.
    env = {**os.environ, "MALLOC_PERTURB_": "165"}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT, env=env)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_slots_of_libbpfs_own_calls_are_found(shared: dict[str, Any]) -> None:
    assert shared["places"] == ["btf__free", "btf__load_vmlinux_btf"]
    assert shared["before"] == [{"btf__free": True, "btf__load_vmlinux_btf": True}, True]
    assert shared["unknown"] == {}


@pytest.mark.skipif(not Path("/sys/kernel/btf/vmlinux").exists(), reason="this host's kernel has no BTF")
def test_after_that_libbpf_finds_types_as_before_without_reading_them_again(shared: dict[str, Any]) -> None:
    assert (shared["after"], shared["same"], shared["child"]) == (False, True, 0)
    assert shared["targets"][:3] == [[0, True], [0, False], [0, False]], "a load leaves it as it is"
    number, read_again = shared["targets"][3]
    assert (number < 0, read_again) == (True, False)
