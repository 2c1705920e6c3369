"""A case attaches programs whose sections leave that to the loader, and all programs of a struct_ops variable."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
from projects import INPUTS, TemporaryProject, run

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

KERNELS = ["5.10-x86_64", "6.1-x86_64", "6.12-x86_64"]
BARE = 'SEC("kprobe")'
CASES = {
    # name: (input, section instead of `kprobe`, where, trigger, what comes)
    "kprobe": ("31-target-at-run-time", BARE, "tcp_connect", "tcp-connect", 1),
    "offset": ("31-target-at-run-time", BARE, "tcp_connect+0x0", "tcp-connect", 1),
    "raw-tp": ("31-target-at-run-time", 'SEC("raw_tp")', "task_rename", "rename-task", 1),
    "tp": ("31-target-at-run-time", 'SEC("tp")', "task/task_rename", "rename-task", 1),
    "uprobe": ("31-target-at-run-time", 'SEC("uprobe")', "libc.so.6:labs+0x0", "labs", 1),
    "tp-btf": ("31-target-at-run-time", 'SEC("tp_btf")', "task_rename", "rename-task", 1),
    "fentry": ("31c-fentry-bare", BARE, "tcp_connect", "tcp-connect", 1),
    "multi": ("31b-kprobe-multi-bare", BARE, ["tcp_connect", "tcp_v4_connect"], "tcp-connect", 2),
    "pattern": ("31b-kprobe-multi-bare", BARE, "tcp_v4_connec?", "tcp-connect", 1),
}
INPUTS_AS_THEY_ARE = (
    "13-struct-ops-link",
    "13b-struct-ops-map",
    "11-tc-attach",
    "33-foreign-target",
    "33b-foreign-as-steps",
)
MULTI = {"multi", "pattern"}
"""What needs kprobe.multi, which 5.10 does not know, and for which 6.1's configuration has no CONFIG_FPROBE."""


TRACERS = """\
#include "trace.h"

SEC("fentry/vfs_write") int by_section(void *ctx) { return 0; }
SEC("fentry") int chosen_before(void *ctx) { trace_kind(EVENT_FENTRY); return 0; }
SEC("kprobe") int chosen_now(void *ctx) { trace_kind(EVENT_KPROBE); return 0; }
SEC("?fentry/no_such_function") int left_out(void *ctx) { return 0; }
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << 28);
	__type(key, __u32);
	__type(value, __u64);
} huge SEC(".maps");
char LICENSE[] SEC("license") = "GPL";
"""
LOADED = """\
#include "trace.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1 << 28);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");
SEC("?raw_tp/task_rename") int optional(void *ctx)
{
	__u32 key = 1;
	__u64 value = 2;

	bpf_map_update_elem(&seen, &key, &value, BPF_ANY);
	trace_kind(EVENT_TARGET);
	return 0;
}
SEC("raw_tp/no_such_event_and_it_is_not_loaded") int unwanted(void *ctx) { return *(volatile int *)ctx; }
char LICENSE[] SEC("license") = "GPL";
"""
EMPTY = """\
#include "kernel.h"

SEC("socket") int nothing(void *ctx) { return 0; }
char LICENSE[] SEC("license") = "GPL";
"""
OWN: dict[str, dict[str, Any]] = {
    "tracers": {
        "target": {"object": "prog.bpf.c"},
        "tracer": {
            "object": "tracer.bpf.c",
            "attach-to": {"chosen_before": "tcp_connect", "chosen_now": "tcp_connect+0x0"},
            "attach": ["by_section", {"program": "chosen_before"}, "chosen_now"],
            "map-sizes": {"huge": 1},
        },
        "trigger": {"kind": "tcp-connect"},
        "observe": {"trace": {"any-order": [{"kind": "kprobe"}, {"kind": "fentry"}]}},
        "control": {"trace": []},
    },
    "loaded": {
        "target": {
            "object": "prog.bpf.c",
            "attach": ["optional"],
            "autoload": {"optional": True, "unwanted": False},
            "map-sizes": {"seen": 4},
            "pins": {"seen": "/sys/fs/bpf/seen"},
        },
        "trigger": {"kind": "call", "name": "rename-task"},
        "observe": {"trace": [{"kind": "target"}], "maps": {"seen": {"1": 2}}},
    },
}
"""Cases that say of their objects what a loader would."""
OTHER = {"outcome": "refused", "stage": "load-target", "reason": "another kernel", "source": "none"}
RULES = [
    {**OTHER, "config": ["CONFIG_BPF_SYSCALL=y", "CONFIG_BPF_SYSCALL=n"]},
    {**OTHER, "kernel": "6.12-arm64"},
    {"outcome": "works", "kernel": ["5.*", "6.*"], "config": "CONFIG_BPF_SYSCALL=y", "reason": "as it is configured"},
]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], dict[str, Any]]:
    folder = tmp_path_factory.mktemp("attached")
    project = TemporaryProject(folder / "project", kernels=KERNELS)
    for name in INPUTS_AS_THEY_ARE:
        shutil.copytree(INPUTS / name, project.folder / "bpf" / name)
    for name, (source, section, place, trigger, times) in CASES.items():
        copy = project.folder / "bpf" / name
        shutil.copytree(INPUTS / source, copy)
        (copy / "prog.bpf.c").write_text((copy / "prog.bpf.c").read_text().replace(BARE, section))
        made = {"kind": trigger} if trigger == "tcp-connect" else {"kind": "call", "name": trigger}
        target = {"object": "prog.bpf.c", "attach": ["anywhere"], "attach-to": {"anywhere": place}}
        observe = {"trace": [{"kind": "kprobe", "times": times}]}
        keys = {"title": name, "target": target, "trigger": made, "observe": observe}
        (copy / "case.yaml").write_text(json.dumps(keys))
    for name, said in OWN.items():
        own = project.folder / "bpf" / name
        own.mkdir()
        (own / "prog.bpf.c").write_text(LOADED if name == "loaded" else EMPTY)
        (own / "tracer.bpf.c").write_text(TRACERS)
        (own / "case.yaml").write_text(json.dumps({"title": name, **said}))
    copy = project.folder / "bpf/configured"
    shutil.copytree(project.folder / "bpf/raw-tp", copy)
    keys = json.loads((copy / "case.yaml").read_text())
    (copy / "case.yaml").write_text(json.dumps({**keys, "expect": RULES}))
    done = run("matrix", "--matrix-file", project.matrix_file, "--results", folder / "r", seconds=600)
    report = json.loads((folder / "r/latest/report.json").read_text())
    assert report["cells"], done.output
    return {(cell["kernel"], cell["case"]): cell for cell in report["cells"]}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", [*CASES, *OWN, *INPUTS_AS_THEY_ARE])
def test_it_runs_where_the_case_attaches_it(kernel: str, name: str, cells: dict[tuple[str, str], Any]) -> None:
    cell = cells[kernel, name]
    if name in MULTI and not kernel.startswith("6.12"):
        assert (cell["outcome"], cell["stage"]) == ("refused", "attach-target"), cell["reason"]
    else:
        assert cell["verdict"] == "pass", cell["reason"]


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_rule_covers_kernels_by_name_and_configuration(kernel: str, cells: dict[tuple[str, str], Any]) -> None:
    cell = cells[kernel, "configured"]
    assert (cell["verdict"], cell["expected"]["reason"]) == ("pass", "as it is configured"), cell["reason"]
