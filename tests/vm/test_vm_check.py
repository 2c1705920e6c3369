"""`check`: inputs after public bug reports, and programs that need each other, as somebody would try his own object."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from projects import INPUTS, ROOT, TemporaryProject, run

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

KERNELS = ("6.1-x86_64", "6.12-x86_64")
SOURCES = {
    "03": "03-optional-section",
    "04": "04-one-of-many",
    "09": "09-ringbuf",
    "10": "refused-10-globals",
    "11": "11-tc-attach",
    "13": "13-struct-ops-link",
    "31": "31-target-at-run-time",
    "31c": "31c-fentry-bare",
    "31x": "31-target-at-run-time",
}
CHECKS = {
    "10": "rodata: {wanted_pid: 1}\n",
    "31": "attach-to: {anywhere: __sys_bpf}\n",
    "31c": "attach-to: {anywhere: vfs_write}\n",
    "parts": "attach-to: {anywhere: vfs_read}\nrodata: {wanted: 7}\n",
}
"""What lies beside an input as check.yaml; in 31x nobody says where the program goes."""

Part = dict[str, Any]


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The report of one run, and what it showed."""
    folder = tmp_path_factory.mktemp("check")
    project = TemporaryProject(folder / "project", kernels=KERNELS)
    for name, source in SOURCES.items():
        shutil.copytree(INPUTS / source, folder / name)
        (folder / name / "prog.bpf.c").rename(folder / name / f"in{name}.bpf.c")
    (folder / "parts").mkdir()
    for name in ("parts", "several"):
        shutil.copy(ROOT / f"tests/inputs/programs/{name}.bpf.c", folder / f"parts/{name}.bpf.c")
    for name, text in CHECKS.items():
        (folder / name / (f"{name}.check.yaml" if name == "parts" else "check.yaml")).write_text(text)
    done = run("check", *given(folder), "--matrix-file", project.matrix_file, "--results", folder / "r", seconds=700)
    assert (folder / "r/latest").exists(), done.output
    report = json.loads((folder / "r/latest/report.json").read_text())
    return report, done, folder


def given(folder: Path) -> list[Path]:
    """What that run was given."""
    own = [folder / name / f"in{name}.bpf.c" for name in SOURCES]
    return [
        *own,
        folder / "parts/parts.bpf.c",
        folder / "parts/several.bpf.c",
        INPUTS / "24-prebuilt/tracer_x86_bpfel.bpf.o",
    ]


def part(report: dict[str, Any], case: str, name: str, kernel: str) -> Part:
    cell = next(each for each in report["cells"] if (each["case"], each["kernel"]) == (case, kernel))
    found: Part = next(each for each in cell["parts"] if each["name"] == name)
    return found


def answer(found: Part) -> str:
    return f"{found['outcome']} {found['stage'] or ''} {found['errno_name'] or ''}".strip()


WORKS = [
    ("in03", "always"),
    ("in04", "fine"),
    ("in04", "needs_newer"),
    ("in04", "also_fine"),
    ("in04", "all-together"),
    ("in09", "on_rename"),
    ("in10", "on_rename"),
    ("in11", "ingress"),
    ("in13", "mine_ssthresh"),
    ("in13", "mine_cong_avoid"),
    ("in13", "all-together"),
    ("in31", "anywhere"),
    ("in31c", "anywhere"),
    ("tracer", "on_connect"),
    ("tracer", "on_done"),
    ("parts", "caller"),
    ("parts", "leaf"),
    ("parts", "plain"),
    ("parts", "tracer"),
    ("parts", "anywhere"),
    ("several", "xdp_two"),
    ("several", "all-together"),
]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("case", "name"), WORKS)
def test_what_works_is_loaded_attached_and_measured(case: str, name: str, kernel: str, checked: Any) -> None:
    report, done, _ = checked
    found = part(report, case, name, kernel)
    assert (answer(found), found["verdict"]) == ("works", "pass"), (found["reason"], done.output[-2000:])
    if name != "all-together":
        assert found["measured"]["verified-instructions"] > 0 and found["measured"]["jited-bytes"] > 0


RAN = [("in04", "fine"), ("in09", "on_rename"), ("in31", "anywhere"), ("parts", "caller"), ("parts", "tracer")]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(("case", "name"), RAN)
def test_what_the_workload_makes_run_is_counted(case: str, name: str, kernel: str, checked: Any) -> None:
    found = part(checked[0], case, name, kernel)
    assert found["mark"] is None and found["measured"]["runs"] > 0, found


@pytest.mark.parametrize("kernel", KERNELS)
def test_what_did_not_run_or_is_not_counted_has_a_mark(kernel: str, checked: Any) -> None:
    report, _, _ = checked
    # Nothing has the process id 1 but init, which does nothing: the program runs, and only its condition is false.
    assert part(report, "in10", "on_rename", kernel)["mark"] is None
    leaf = part(report, "parts", "leaf", kernel)
    assert (leaf["mark"], "runs" in leaf["measured"]) == ("not-counted", False)


@pytest.mark.parametrize("kernel", KERNELS)
def test_only_what_uses_a_map_is_refused_for_it(kernel: str, checked: Any) -> None:
    report, done, _ = checked
    assert answer(part(report, "parts", "hungry", kernel)).startswith("refused load-target E")
    assert part(report, "parts", "hungry", kernel)["verdict"] == "fail"
    assert answer(part(report, "parts", "all-together", kernel)).startswith("refused load-target E")
    assert done.code == 1


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_program_without_a_target_is_not_the_kernels_refusal(kernel: str, checked: Any) -> None:
    found = part(checked[0], "in31x", "anywhere", kernel)
    assert (answer(found), found["origin"]) == ("refused attach-target EOPNOTSUPP", "libbpf")
    assert found["verdict"] == "fail"


def test_optional_programs_are_off(checked: Any) -> None:
    names = {each["case"]: [of["name"] for of in each["parts"]] for each in checked[0]["cells"]}
    assert names["in03"] == ["always"]
    assert "later" not in names["parts"]


def test_the_terminal_says_how_many_are_attached_and_which_are_not(checked: Any) -> None:
    output = checked[1].output
    for kernel in KERNELS:
        line = next(line for line in output.splitlines() if line.startswith(f"{kernel} (") and " in04: " in line)
        assert line.endswith("3 of 3 attached")
    assert "in31x: 0 of 1 attached" in output
    assert "  anywhere: fail: refused at attach-target: EOPNOTSUPP (95), no-attach-target" in output


def test_what_was_seen_becomes_rules_and_with_them_the_run_is_green(checked: Any) -> None:
    _, _, folder = checked
    drafted = run("check", "--accept", folder / "r/latest").output
    own = drafted[drafted.index("# parts") :].replace("FILL IN", "because")
    own = own[: own.index("\n# ", 1)] if "\n# " in own[1:] else own
    before = (folder / "parts/parts.check.yaml").read_text()
    (folder / "parts/parts.check.yaml").write_text(before + own)
    matrix = ("--matrix-file", folder / "project/matrix.yaml", "--results", folder / "again")
    done = run("check", folder / "parts/parts.bpf.c", *matrix, "--kernel", KERNELS[0], seconds=300)
    (folder / "parts/parts.check.yaml").write_text(before)
    report = json.loads((folder / "again/latest/report.json").read_text())
    assert part(report, "parts", "hungry", KERNELS[0])["verdict"] == "xfail", (own, done.output)
    assert part(report, "parts", "all-together", KERNELS[0])["verdict"] == "xfail"
    assert done.code == 0, done.output


def test_a_run_is_judged_again_and_gone_on_with(checked: Any) -> None:
    report, first, folder = checked
    matrix = ("--matrix-file", folder / "project/matrix.yaml", "--results", folder / "r")
    run_folder = folder / "r" / report["run"]["id"]
    assert run("judge", run_folder).code == first.code
    assert json.loads((run_folder / "report.json").read_text())["cells"] == report["cells"]
    done = run("matrix", "--resume", run_folder, *matrix)
    assert done.code == 2 and "Give the same command with --resume" in done.output
    done = run("check", *given(folder), "--resume", run_folder, *matrix, seconds=300)
    again = json.loads((folder / "r/latest/report.json").read_text())
    assert {kernel["run"] for kernel in again["kernels"]} == {report["run"]["id"]}, "no row ran again"
    assert (done.code, again["cells"]) == (first.code, report["cells"])


def test_a_name_that_is_not_there_is_said_before_any_guest_starts(tmp_path: Path) -> None:
    project = TemporaryProject(tmp_path / "project", kernels=KERNELS[:1])
    source = Path(shutil.copy(ROOT / "tests/inputs/programs/parts.bpf.c", tmp_path / "parts.bpf.c"))
    done = run("check", source, "--program", "plian", "--matrix-file", project.matrix_file)
    assert done.code == 2
    assert '--program plian: the object has no program "plian"; did you mean "plain"?' in done.output


HEAD = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
"""
SOCKMAP = """
struct {
    __uint(type, BPF_MAP_TYPE_SOCKMAP);
    __uint(max_entries, 2);
    __type(key, int);
    __type(value, int);
} sockets SEC(".maps");
"""
STRANGE = {
    **dict.fromkeys(("xdp/a", "xdp_a", "xdp1"), 2),
    **dict.fromkeys(("tc/a", "classifier/a", "action/a", "lwt_in/a", "lwt_out_a"), 0),
    **dict.fromkeys(("tc/egress/a", "tc/ingress/a"), -1),
    **dict.fromkeys(("socket/a", "socket_filter/a", "socket1"), -1),
    **dict.fromkeys(("cgroup_skb/egress/a", "cgroup/skb/a", "cgroup/connect4/a", "sockops/a", "sk_lookup/a"), 1),
    **dict.fromkeys(("sk_skb/stream_verdict/a", "sk_msg/a", "perf_event/a"), 1),
}
"""Sections that libbpf does not know, as other loaders take them, and what a program there returns."""


def test_sections_that_other_loaders_know_are_taken_by_their_beginning(tmp_path: Path) -> None:
    project = TemporaryProject(tmp_path / "project", kernels=KERNELS[1:])
    source = "".join(
        f'SEC("{section}") int in_{index}(void *ctx) {{ return {value}; }}\n'
        for index, (section, value) in enumerate(STRANGE.items())
    )
    (tmp_path / "strange.bpf.c").write_text(HEAD + SOCKMAP + source)
    matrix = ("--matrix-file", project.matrix_file, "--results", tmp_path / "r")
    done = run("check", tmp_path / "strange.bpf.c", *matrix, seconds=300)
    report = json.loads((tmp_path / "r/latest/report.json").read_text())
    for index, section in enumerate(STRANGE):
        found = part(report, "strange", f"in_{index}", KERNELS[1])
        assert (answer(found), found["about"]) == ("works", section), (found["reason"], done.output[-2000:])
        assert found["measured"]["runs"] > 0 and found["mark"] is None, section


STOPPING = {
    "bpf": """
SEC("lsm/file_open") int spares(void *ctx) { return 0; }
SEC("lsm/bpf") int refuses(void *ctx) { return -1; }
SEC("raw_tp/task_rename") int later(void *ctx) { return 0; }
""",
    "files": """
SEC("lsm/file_open") int refuses(void *ctx) { return -13; }
SEC("lsm/bpf") int spares(void *ctx) { return 0; }
SEC("tp/sched/sched_process_exec") int later(void *ctx) { return 0; }
""",
    "kills": """
SEC("tp/syscalls/sys_enter_unlinkat") int spares(void *ctx) { return 0; }
SEC("kprobe/vfs_unlink") int kills(void *ctx) { bpf_send_signal(9); return 0; }
""",
}


def test_a_program_that_stops_another_is_named(tmp_path: Path) -> None:
    """The kernel takes each of them by itself."""
    project = TemporaryProject(tmp_path / "project", kernels=KERNELS[1:])
    for name, text in STOPPING.items():
        (tmp_path / f"{name}.bpf.c").write_text(HEAD + text)
    matrix = ("--matrix-file", project.matrix_file, "--results", tmp_path / "r")
    done = run("check", *(tmp_path / f"{name}.bpf.c" for name in STOPPING), *matrix, seconds=300)
    report = json.loads((tmp_path / "r/latest/report.json").read_text())
    for name, errno in (("bpf", "EPERM"), ("files", "EACCES")):
        assert answer(part(report, name, "later", KERNELS[1])) == "works", done.output[-2000:]
        found = part(report, name, "all-together", KERNELS[1])
        assert answer(found) == f"refused attach-target {errno}", found["reason"]
        assert (found["refusal"], found["asked"]["refused_by"]) == ("refused-by-program", "refuses")
        assert 'refuses, a program that was attached (SEC("lsm/' in found["reason"]
    killed = part(report, "kills", "all-together", KERNELS[1])
    assert killed["outcome"] == "misbehaves"
    assert killed["reason"].endswith("killed by SIGKILL while these were attached, the last one first: kills, spares")


INLINE = """
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
SEC("fentry/blk_account_io_start") int traced(void *ctx) { return 0; }
SEC("kprobe/blk_account_io_start") int probed(void *ctx) { return 0; }
SEC("uprobe/main") int nowhere(void *ctx) { return 0; }
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __type(key, int);
    __type(value, int);
} sized_by_its_loader SEC(".maps");
SEC("raw_tp/task_rename") int counts(void *ctx)
{
    int key = 0;
    return bpf_map_update_elem(&sized_by_its_loader, &key, &key, BPF_ANY);
}
char LICENSE[] SEC("license") = "GPL";
"""


def test_what_real_tools_were_refused_with_has_a_class_of_its_own(tmp_path: Path) -> None:
    """The function is inline, and the compiler of Debian's 6.12 has not inlined it."""
    project = TemporaryProject(tmp_path / "project", kernels=KERNELS[1:])
    (tmp_path / "inline.bpf.c").write_text(INLINE)
    matrix = ("--matrix-file", project.matrix_file, "--results", tmp_path / "r")
    done = run("check", tmp_path / "inline.bpf.c", *matrix, seconds=300)
    report = json.loads((tmp_path / "r/latest/report.json").read_text())
    names = ("traced", "probed", "nowhere", "counts")
    found = {name: part(report, "inline", name, KERNELS[1]) for name in names}
    assert {name: (each["errno_name"], each["refusal"]) for name, each in found.items()} == {
        "traced": ("EBUSY", "not-traceable"),
        "probed": ("EINVAL", "not-traceable"),
        "nowhere": ("EINVAL", "no-attach-target"),
        "counts": ("EINVAL", "map-without-size"),
    }, done.output[-2000:]
