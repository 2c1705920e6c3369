from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.facts.kernel_log import CRASH_LINES, EXCERPT_LINES, SPLATS, crash_excerpt, fatal_line, find_splats, plain

# One line as a kernel prints it for each mark, and where it was seen or is printed.
SPLAT_LINES = [
    "WARNING: CPU: 0 PID: 71 at kernel/bpf/trampoline.c:412 bpf_tramp_image_put+0x1b/0x80",
    "BUG: kernel NULL pointer dereference, address: 0000000000000010",
    "BUG: KASAN: slab-use-after-free in bpf_link_free+0x20/0x90",
    "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580",
    "kernel BUG at mm/slub.c:545!",
    "Oops: 0000 [#1] PREEMPT SMP NOPTI",
    "Oops: Oops: 0002 [#1] SMP",
    "Internal error: Oops: 0000000096000004 [#1] PREEMPT SMP",
    "Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008",
    "Insufficient stack space to handle exception!",
    "general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1]",
    "double fault: 0000 [#1] PREEMPT SMP",
    "invalid opcode: 0000 [#1] PREEMPT SMP",
    "int3: 0000 [#1] PREEMPT SMP",
    "refcount_t: underflow; use-after-free.",
    "rcu: INFO: rcu_preempt self-detected stall on CPU",
    "rcu: INFO: rcu_sched detected stalls on CPUs/tasks:",
    "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [python3:71]",
    "Watchdog detected hard LOCKUP on cpu 1",
    "INFO: task kworker/0:1:9 blocked for more than 120 seconds.",
    "UBSAN: array-index-out-of-bounds in net/ipv4/tcp.c:1:2",
    "KCSAN: data-race in a / b",
    "Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b",
    "BUG: scheduling while atomic: python3/71/0x00000002",
    "WARNING: suspicious RCU usage",
    "WARNING: possible recursive locking detected",
]
ORDINARY = [
    "Linux version 6.1.0-50-cloud-amd64 (gcc-12) #1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-07-02)",
    "Spectre V2 : WARNING: Unprivileged eBPF is enabled with eIBRS on, data leaks possible!",
    "random: crng init done",
    "bpf: a program says: debugging WARNINGS and BUGs",
    "virtio_net virtio0 eth0: renamed from debug0",
    "Kernel panics are configured to reboot at once",
    "",
]
FATAL = [
    "BUG: Unable to handle kernel instruction fetch (NULL pointer?)",
    "BUG: stack guard page was hit at 00000000dbbeffeb (stack is 0000000080fc381f..00000000f24a5b44)",
    "BUG: TASK stack guard page was hit at 000000000d4a3249 (stack is 000000009d7767d2..00000000ed9f1aef)",
    "Insufficient stack space to handle exception!",
    "Kernel panic - not syncing: Fatal exception in interrupt",
    "Oops: 0000 [#1] PREEMPT SMP NOPTI",
    "Internal error: Oops: 0000000096000004 [#1] PREEMPT SMP",
    "kernel BUG at mm/slub.c:545!",
    "BUG: kernel NULL pointer dereference, address: 0000000000000010",
    "BUG: unable to handle page fault for address: ffffffffc0000000",
    "Unable to handle kernel paging request at virtual address dead000000000100",
    "general protection fault, probably for non-canonical address 0xdead000000000100: 0000 [#1]",
    "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [python3:71]",
    "NMI watchdog: Watchdog detected hard LOCKUP on cpu 0",
]
PREFIXES = [
    "",
    "<4>",
    "<4> ",
    "[    3.856563] ",
    "[12345.678901][  T123] ",
    "<1>[    3.856563] ",
    "[    0.000000][    C0] ",
]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("line", [*SPLAT_LINES, *ORDINARY])
def test_level_and_time_are_taken_off(prefix: str, line: str) -> None:
    assert plain(f"{prefix}{line}\r") == line


@pytest.mark.parametrize("line", SPLAT_LINES)
def test_a_splat_is_found(line: str) -> None:
    for prefix in PREFIXES:
        found = find_splats([f"{prefix}before", prefix + line, f"{prefix}Call Trace:"])
        assert [excerpt.splitlines()[0] for excerpt in found] == [line]


def test_every_mark_of_the_table_is_tried() -> None:
    import re

    idle = [pattern for pattern, _ in SPLATS if not any(re.search(pattern, line) for line in SPLAT_LINES)]
    assert idle == []


@pytest.mark.parametrize("line", ORDINARY)
def test_an_ordinary_line_is_no_splat(line: str) -> None:
    assert find_splats([prefix + line for prefix in PREFIXES]) == ()
    assert fatal_line([prefix + line for prefix in PREFIXES]) is None


@pytest.mark.parametrize("line", FATAL)
def test_a_dead_kernel_is_told_by_its_line(line: str) -> None:
    assert fatal_line(["[    1.000000] systemd-like chatter", f"[    3.856563] {line}", "more"]) == line


@pytest.mark.parametrize("line", ["WARNING: CPU: 0 PID: 71 at kernel/x.c:1 f+0x1/0x2", "refcount_t: underflow"])
def test_a_warning_alone_does_not_kill(line: str) -> None:
    assert fatal_line([line]) is None


def test_an_excerpt_ends_with_its_trace_and_the_next_splat_has_its_own() -> None:
    log = [
        "<4> WARNING: CPU: 0 PID: 71 at a.c:1 f+0x1/0x2",
        "<4> Call Trace:",
        "<4>  </TASK>",
        "<4> ---[ end trace 0000000000000000 ]---",
        "<6> nothing of interest",
        "<4> BUG: KASAN: use-after-free in g+0x1/0x2",
    ]
    assert find_splats(log) == (
        "WARNING: CPU: 0 PID: 71 at a.c:1 f+0x1/0x2\nCall Trace:\n</TASK>",
        "BUG: KASAN: use-after-free in g+0x1/0x2",
    )


@pytest.mark.parametrize(
    "second",
    [
        "WARNING: CPU: 0 PID: 1 at b.c:1 g+0x1/0x2",
        "BUG: scheduling while atomic: python3/71/0x00000002",
        "refcount_t: underflow; use-after-free.",
        "INFO: task kworker/0:1:9 blocked for more than 120 seconds.",
    ],
)
def test_a_splat_without_an_end_does_not_swallow_the_next(second: str) -> None:
    first = "BUG: sleeping function called from invalid context at kernel/locking/mutex.c:580"
    found = find_splats([first, "Call Trace:", " f+0x1/0x2", second, "Call Trace:"])
    assert found == (f"{first}\nCall Trace:\nf+0x1/0x2", f"{second}\nCall Trace:")


def test_the_mark_of_a_new_warning_ends_the_excerpt_before_it() -> None:
    log = ["UBSAN: array-index-out-of-bounds in a.c:1:2", "------------[ cut here ]------------", "WARNING: CPU: 0"]
    assert find_splats(log) == (log[0], log[2])


@pytest.mark.parametrize(
    "log",
    [
        ["refcount_t: underflow; use-after-free.", "WARNING: CPU: 0 PID: 1 at lib/refcount.c:28 f+0x1/0x2"],
        ["BUG: kernel NULL pointer dereference, address: 0000000000000010", "#PF: x", "Oops: 0000 [#1] PREEMPT SMP"],
        ["Unable to handle kernel paging request at x", "Mem abort info:", "Internal error: Oops: 0000000096000004"],
        ["Oops: general protection fault, probably for x", "KASAN: null-ptr-deref in range [a-b]"],
    ],
)
def test_what_one_splat_says_in_several_marks_is_one(log: list[str]) -> None:
    assert find_splats(log) == ("\n".join(log),)


def test_an_excerpt_without_an_end_is_bounded() -> None:
    log = ["Oops: 0000 [#1]", *["RIP: 0010:f+0x1/0x2"] * 100]
    (excerpt,) = find_splats(log)
    assert len(excerpt.splitlines()) == EXCERPT_LINES


@given(st.lists(st.one_of(st.sampled_from(SPLAT_LINES), st.sampled_from(ORDINARY), st.text(max_size=40)), max_size=40))
def test_any_log_is_read_and_every_excerpt_is_of_it(log: list[str]) -> None:
    found = find_splats(log)
    lines = [plain(line) for line in log]
    assert all(lines.count(excerpt.split("\n")[0]) for excerpt in found if "\n" not in "".join(lines))
    assert bool(found) == any(find_splats([line]) for line in log)
    fatal = fatal_line(log)
    assert fatal is None or fatal in lines


# --- how a kernel died ------------------------------------------------------------------------------------------------

OVERFLOW = """\
[    5.949403] BUG: TASK stack guard page was hit at 000000000d4a3249 (stack is 000000009d7767d2..00000000ed9f1aef)
[    5.951094] stack guard page: 0000 [#1] PREEMPT SMP NOPTI
[    5.951447] CPU: 0 PID: 106 Comm: python3 Not tainted 6.1.0-50-cloud-amd64 #1  Debian 6.1.176-1
[    5.951666] RIP: 0010:bpf_prog_1ae2a79e58cf3d53_replacement+0x13/0xe4
[    6.007575] ---[ end trace 0000000000000000 ]---
[    6.007674] RIP: 0010:bpf_prog_1ae2a79e58cf3d53_replacement+0x13/0xe4
[    6.007959] Kernel panic - not syncing: Fatal exception in interrupt
[    6.008427] Kernel Offset: disabled
""".splitlines()


def test_a_crash_shows_its_first_complaint_with_its_trace_and_the_panic() -> None:
    found = crash_excerpt(["[    5.9] virtio_net virtio0: fine", *OVERFLOW]).splitlines()
    assert found[0].startswith("BUG: TASK stack guard page was hit")
    assert "RIP: 0010:bpf_prog_1ae2a79e58cf3d53_replacement+0x13/0xe4" in found
    assert found[-1] == "Kernel panic - not syncing: Fatal exception in interrupt"
    assert len(found) == 6


def test_a_long_trace_still_ends_with_the_panic() -> None:
    found = crash_excerpt([*OVERFLOW[:4], *["f+0x1/0x2"] * 1000, *OVERFLOW[4:]]).splitlines()
    assert len(found) == CRASH_LINES + 1
    assert found[-1].startswith("Kernel panic")


def test_a_console_without_a_complaint_has_no_crash() -> None:
    assert crash_excerpt(ORDINARY) == ""
