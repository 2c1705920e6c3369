"""What is said of the programs of an object on a kernel: real objects, compared with the types of small kernels."""

from __future__ import annotations

import pytest
from forecast_samples import S390X, said
from unit_samples import X86

from harness.model.architectures import Architecture

KERNEL = """
struct inner { int deep; };
struct task_struct {
	long pad; int pid; union { int a; struct { int b; struct inner in; }; };
	unsigned int flags:3; unsigned more:5; char comm[16]; s64 wide; s32 narrow;
};
struct task_struct *task;
enum colour { RED, GREEN = 7, BLUE }; enum colour colour;
enum bpf_func_id { BPF_FUNC_unspec, BPF_FUNC_one, __BPF_FUNC_MAX_ID = 150 }; enum bpf_func_id helpers;
int tcp_connect(struct task_struct *p, int b) { return b; }
int bpf_lsm_file_open(struct task_struct *p) { return 0; }
int bpf_iter_task(void *meta, struct task_struct *p) { return 0; }
int __x64_sys_openat(void *p) { return 0; }
typedef void (*btf_trace_sched_switch)(void *, bool, struct task_struct *); btf_trace_sched_switch traced;
struct trace_event_raw_sched_switch { u64 ent; int prev; int next; char __data[0]; };
struct trace_event_raw_sched_switch *record;
struct ops { int (*init)(struct task_struct *); int (*name)(void); int flags; }; struct ops *ops;
struct bpf_struct_ops_ops { u64 common; struct ops data; }; struct bpf_struct_ops_ops *value;
int bpf_there(struct task_struct *p, int b) { return 0; }
int per_cpu;
"""
TASK = """
struct inner { int deep; } CORE;
struct task_struct {
	int pid; int b; struct inner in; int gone; unsigned int flags:3; char comm[16]; s32 wide; u64 narrow;
} CORE;
struct task_struct___old { int state; } CORE;
struct lost { int it; } CORE;
enum colour { GREEN, VIOLET };
"""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("return t->pid + t->b + t->in.deep + t->comm[3];", ["found"]),
        ("return t->gone;", ["missing", "missing: no field struct task_struct.gone"]),
        ("return exists(t->gone) ? t->gone : t->pid;", ["found", "tested: no field struct task_struct.gone"]),
        (
            "struct task_struct___old *o = (void *)t; return exists(o->state) ? o->state : t->pid;",
            ["found", "tested: no field struct task_struct.state"],
        ),
        ("struct lost *l = (void *)t; return l->it;", ["missing", "missing: no struct lost"]),
        (
            "struct lost *l = (void *)t; return type_there(struct lost) ? l->it : 0;",
            ["found", "tested: no struct lost"],
        ),
        ("return type_size(struct lost);", ["found", "tested: no struct lost"]),
        ("return value_of(enum colour, VIOLET);", ["missing", "missing: no value enum colour.VIOLET"]),
        (
            "if (value_there(enum colour, VIOLET)) return value_of(enum colour, VIOLET); return 1;",
            ["found", "tested: no value enum colour.VIOLET"],
        ),
        ("return t->comm[15];", ["found"]),
        (
            "return t->wide;",
            [
                "missing",
                "missing: struct task_struct.wide is long long (8 bytes), not int (4 bytes), which cannot be read "
                "as that",
            ],
        ),
        (
            "char to[8]; ((long (*)(void *, u32, void *))4)(to, 8, &t->narrow); return to[0];",
            ["found", "changed: struct task_struct.narrow is int (4 bytes), not unsigned long long (8 bytes)"],
        ),
        ("((void (*)(void))149)(); return 0;", ["found"]),
        ("((void (*)(void))150)(); return 0;", ["missing", "missing: no helper 150: the kernel knows those below 150"]),
        (
            "if (exists(t->gone)) ((void (*)(void))150)(); return 0;",
            ["found", "tested: no field struct task_struct.gone"],
        ),
    ],
)
@pytest.mark.parametrize("arch", [X86, S390X], ids=["little", "big"])
def test_what_a_program_reads(body: str, expected: list[str], arch: Architecture) -> None:
    source = f'{TASK} SEC("fentry/tcp_connect") int it(u64 *ctx) {{ struct task_struct *t = (void *)ctx[0]; {body} }}'
    assert said(source, KERNEL, arch) == {"it": expected}


@pytest.mark.parametrize(
    ("section", "argument", "expected"),
    [
        ("fentry/tcp_connect", 1, ["found"]),
        (
            "fentry/tcp_connect",
            2,
            ["missing", "missing: the program reads argument 3 of the function tcp_connect, which has 2"],
        ),
        ("fexit/tcp_connect", 2, ["found"]),
        ("fmod_ret/tcp_connect", 2, ["found"]),
        ("fentry.s/tcp_close", 0, ["missing", "missing: no function tcp_close"]),
        ("fentry/vmlinux:tcp_connect", 0, ["found"]),
        ("fentry/other:tcp_connect", 0, ["missing", "missing: no function tcp_connect"]),
        ("lsm/file_open", 1, ["found"]),
        ("lsm/file_close", 0, ["missing", "missing: no hook of security modules file_close"]),
        ("iter/task", 1, ["found"]),
        ("iter/cgroup", 1, ["missing", "missing: no iterator cgroup"]),
        ("tp_btf/sched_switch", 1, ["found"]),
        (
            "tp_btf/sched_switch",
            2,
            ["missing", "missing: the program reads argument 3 of the tracepoint sched_switch, which has 2"],
        ),
        ("raw_tp/sched_swap", 1, ["missing", "missing: no tracepoint sched_swap"]),
        ("tp/sched/sched_switch", 1, ["found"]),
        (
            "tracepoint/sched/sched_switch",
            2,
            ["missing", "missing: the program reads 24 bytes of the tracepoint sched_switch, which has 16"],
        ),
        ("kprobe/tcp_connect", 9, ["found"]),
        ("kprobe/tcp_connect+0x4", 9, ["found"]),
        ("kretprobe/tcp_close", 9, ["not-shown", "not-shown: BTF does not show the function tcp_close"]),
        ("kprobe.multi/tcp_*", 9, ["found"]),
        ("ksyscall/openat", 0, ["found"]),
        ("tp/syscalls/sys_enter_openat", 9, ["found"]),
        ("ksyscall/openat2", 0, ["not-shown", "not-shown: BTF does not show the system call openat2"]),
        ("uprobe//usr/bin/true:main", 9, ["found"]),
        ("xdp", 9, ["found"]),
    ],
)
def test_what_a_program_is_attached_to(section: str, argument: int, expected: list[str]) -> None:
    source = f'SEC("{section}") int it(u64 *ctx) {{ return ctx[{argument}]; }}'
    assert said(source, KERNEL) == {"it": expected}


def test_a_target_that_the_user_names_counts_and_one_inside_the_object_is_not_looked_up() -> None:
    source = """
        SEC("fentry") int chosen(u64 *ctx) { return 0; }
        SEC("xdp") int packets(u64 *ctx) { return 0; }
        SEC("fentry/packets") int traces(u64 *ctx) { return 0; }
    """
    open_ = "not-shown: its section names no target, which its loader chooses: say it in `attach-to`"
    assert said(source, KERNEL)["chosen"] == ["not-shown", open_]
    found = said(source, KERNEL, attach_to={"chosen": "tcp_close"})
    assert found == {"chosen": ["missing", "missing: no function tcp_close"], "packets": ["found"], "traces": ["found"]}


def test_what_is_in_a_module_is_named_with_it() -> None:
    source = f"""{TASK}
        extern int bpf_far(int) __ksym;
        SEC("fentry/far") int traces(u64 *ctx) {{ return 0; }}
        SEC("xdp") int calls(u64 *ctx) {{ return bpf_far(1); }}
        SEC("xdp") int reads(u64 *ctx) {{ struct lost *l = (void *)ctx[0]; return l->it; }}
    """
    there = {"far": ("a",), "lost": ("b", "c", "d", "e"), "bpf_far": ("a",)}
    of_object = "module: kfunc bpf_far is in the module a"
    assert said(source, KERNEL, elsewhere=there) == {
        "traces": ["needs-module", of_object, "module: function far is in the module a"],
        "calls": ["needs-module", of_object],
        "reads": ["needs-module", of_object, "module: struct lost is in the module b or c or d or 1 others"],
    }


def test_kfuncs_and_variables() -> None:
    source = """
        struct task_struct { int any; };
        extern int bpf_there(struct task_struct *, int) __ksym;
        extern int bpf_there___later(struct task_struct *, int, int) __ksym __weak;
        extern int bpf_gone(void) __ksym __weak;
        SEC("xdp") int calls(u64 *ctx) { return bpf_there(0, 1); }
        SEC("xdp") int tests(u64 *ctx) { return bpf_gone ? bpf_gone() : 0; }
        SEC("xdp") int needs(u64 *ctx) { return bpf_gone(); }
        SEC("xdp") int other(u64 *ctx) { return bpf_there___later ? bpf_there___later(0, 1, 2) : 0; }
    """
    assert said(source, KERNEL) == {
        "calls": ["found"],
        "tests": ["found", "tested: no kfunc bpf_gone"],
        "needs": ["missing", "missing: no kfunc bpf_gone"],
        "other": ["found", "tested: the kfunc bpf_there has another prototype"],
    }


def test_a_strong_extern_that_is_missing_concerns_every_program() -> None:
    source = """
        extern int bpf_gone(void) __ksym;
        SEC("xdp") int calls(u64 *ctx) { return bpf_gone(); }
        SEC("xdp") int does_not(u64 *ctx) { return 0; }
    """
    wrong = ["missing", "missing: no kfunc bpf_gone"]
    assert said(source, KERNEL) == {"calls": wrong, "does_not": wrong}


OPERATIONS = """
struct task_struct;
struct ops___mine { int (*init)(struct task_struct *); int (*name)(void); int (*more)(int); int flags; int extra; };
SEC("struct_ops/a") int a(u64 *ctx) { return ctx[0]; }
SEC("struct_ops/b") int b(u64 *ctx) { return ctx[1]; }
SEC("struct_ops/c") int c(u64 *ctx) { return 0; }
"""


def test_struct_ops() -> None:
    all_set = ".init = (void *)a, .name = (void *)b, .more = (void *)c"
    whole = f'{OPERATIONS} SEC(".struct_ops") struct ops___mine it = {{ {all_set} }};'
    assert said(whole, KERNEL) == {
        "a": ["found"],
        "b": ["missing", "missing: the program reads argument 2 of struct_ops ops.name, which has 0"],
        "c": ["missing", "missing: no struct_ops ops.more"],
    }
    set_too = f'{OPERATIONS} SEC(".struct_ops") struct ops___mine it = {{ .init = (void *)a, .flags = 1, .extra = 2 }};'
    assert said(set_too, KERNEL)["a"] == ["missing", "missing: no struct_ops ops.extra"]
    other = OPERATIONS.replace("ops___mine", "others")
    assert said(f'{other} SEC(".struct_ops") struct others it = {{ .init = (void *)a }};', KERNEL)["a"] == [
        "missing",
        "missing: no struct_ops others",
    ]


def test_a_kernel_without_types_refuses_what_must_be_looked_up_in_them() -> None:
    source = f"""{TASK}
        SEC("xdp") int plain(u64 *ctx) {{ return 0; }}
        SEC("kprobe/tcp_connect") int reads(u64 *ctx) {{ struct task_struct *t = (void *)ctx[0]; return t->pid; }}
        SEC("fentry/tcp_connect") int traces(u64 *ctx) {{ return 0; }}
    """
    no = ["missing", "missing: the kernel has no BTF"]
    assert said(source, None) == {"plain": ["found"], "reads": no, "traces": no}


def test_several_answers_are_refused_by_libbpf() -> None:
    kernel = f"{KERNEL} struct two___a {{ int x; int it; }} *one; struct two___b {{ int it; }} *two;"
    source = (
        'struct two { int it; } CORE; SEC("xdp") int it(u64 *ctx) { struct two *t = (void *)ctx[0]; return t->it; }'
    )
    assert said(source, kernel) == {
        "it": [
            "missing",
            "missing: libbpf refuses struct two.it: the kernel has several two with the field at bit 32 and 0",
        ]
    }


def test_a_constant_of_the_object_decides_unless_the_user_changes_it() -> None:
    source = f"""{TASK} const volatile bool newer = 0;
        SEC("fentry/tcp_connect") int it(u64 *ctx) {{
            struct task_struct *t = (void *)ctx[0]; return newer ? t->gone : t->pid; }}
    """
    assert said(source, KERNEL) == {"it": ["found", "tested: no field struct task_struct.gone"]}
    assert said(source, KERNEL, rodata={"newer": 1})["it"][0] == "missing"


def test_the_version_and_the_configuration_decide() -> None:
    source = f"""{TASK}
        extern int LINUX_KERNEL_VERSION __kconfig; extern bool CONFIG_NEWER __kconfig __weak;
        SEC("fentry/tcp_connect") int by_version(u64 *ctx) {{
            struct task_struct *t = (void *)ctx[0]; return LINUX_KERNEL_VERSION >= 0x60c00 ? t->gone : t->pid; }}
        SEC("fentry/tcp_connect") int by_option(u64 *ctx) {{
            struct task_struct *t = (void *)ctx[0]; return CONFIG_NEWER ? t->gone : t->pid; }}
    """
    old = said(source, KERNEL, version=(6, 1, 4), config={})
    assert [each[0] for each in old.values()] == ["found", "found"]
    new = said(source, KERNEL, version=(6, 12, 4), config={"CONFIG_NEWER": "y"})
    assert [each[0] for each in new.values()] == ["missing", "missing"]
    unknown = said(source, KERNEL)
    assert [each[0] for each in unknown.values()] == ["missing", "missing"]


def test_functions_that_are_called_count_to_the_program() -> None:
    source = f"""{TASK}
        static __noinline int reads(struct task_struct *t, int there) {{ return there ? t->gone : t->pid; }}
        SEC("fentry/tcp_connect") int tests(u64 *ctx) {{
            struct task_struct *t = (void *)ctx[0]; return reads(t, exists(t->gone)); }}
        SEC("xdp") int does_not(u64 *ctx) {{ return 0; }}
    """
    assert said(source, KERNEL) == {
        "tests": ["found", "tested: no field struct task_struct.gone"],
        "does_not": ["found"],
    }
