"""Keys that people try, as other tools and loaders call them, and what to write instead. Tables only.

A model that refuses unknown keys answers these with a sentence (`Model.wishes`, harness/config/reading/explain.py).
"""

from __future__ import annotations

from collections.abc import Mapping

Wishes = Mapping[str, str]
"""Key -> what to write instead, as the rest of a sentence behind "unknown key; "."""


def _each(wishes: Wishes) -> Wishes:
    """Return wishes of which several that mean the same are written as one, with spaces between them."""
    return {key: text for keys, text in wishes.items() for key in keys.split()}


_MEMORY = "write `memory: 512` (MiB)"
_CPUS = "write `cpus: 2`"
_CMDLINE = "write kernel parameters as one text: `cmdline: lsm=bpf`"
_DEADLINE = "write `deadline: 60` (seconds)"
_KCONFIG = "write what the kernel's configuration must say: `kconfig: {CONFIG_BPF_LSM: y}`"
_HEADERS = "write folders of headers as flags of clang: `cflags: [-Iheaders]`"
_PINS = "write where maps are pinned, by map: `pins: {seen: /sys/fs/bpf/seen}`"
_SIZES = 'write `map-sizes: {seen: 1024}`, and what must be in them behind `observe`: `maps: {seen: {"1": 2}}`'
_OPTIONAL = (
    "a program whose section begins with `?` is loaded only where `autoload: {name: true}` says so; "
    "`autoload: {name: false}` leaves any other out"
)
_ATTACH = "write the programs to attach as a list: `attach: [name]`; all that are loaded are not attached by themselves"
_RODATA = "write values of variables, set before the load: `rodata: {wanted_pid: 1}`"
_GLOBALS = "write what global variables must be, by name: `globals: {hits: 1}`"
_RECORDS = "write what must come of a ring buffer or perf event array, by map: `records: {events: [{pid: 1}]}`"
_KERNEL_LOG = (
    "a warning, oops or panic in the kernel's log makes a case misbehave or crash by itself, and a rule of `expect` "
    "names an expected one by `splat` or `panic`; what bpf_printk() writes is `printk`"
)
_WHOLE_CASE = "it holds for the whole case: write it at the top of the file"
_RULE = (
    'which kernels must do what is said by rules: `expect: [{version: "<5.15", outcome: refused, stage: ..., '
    "reason: ..., source: ...}]`"
)
_SETUP = "write what is made before the programs: `setup: [{make: veth, name: a, peer: b, address: 192.0.2.1/24}]`"
_UNDONE = "what a case has made is removed by itself once it is over"
_LIMITS = "max-insns max-states max-jited-size max-instructions insns complexity limits limit"
_BUDGET = "write what each program may need at most: `budget: {max-insns: 85%}`"

OF_CASE: Wishes = _each(
    {
        "timeout time-limit seconds": _DEADLINE,
        "mem ram": _MEMORY,
        "cpu vcpus smp processors": _CPUS,
        "append kernel-cmdline kernel-args boot-args params": _CMDLINE,
        "config kernel-config requires require features": _KCONFIG,
        "include includes include-dirs headers": _HEADERS,
        "flags clang-flags defines extra-cflags": "write flags of clang: `cflags: [-DDEBUG]`",
        "run cmd exec script shell": 'write `command: "./my-test -v"`, or what runs as `trigger`',
        "cleanup teardown post": _UNDONE,
        "network devices interfaces links veth netns namespaces cgroups mounts before prepare": _SETUP,
        "skip xfail kernels kernel versions version arch archs arches": _RULE,
        _LIMITS: _BUDGET,
        "name id": "the id of a case is the name of its folder; `title` says in one line what it is",
        "programs program object source sources": "write `target: {object: prog.bpf.c, attach: [name]}`",
        "attach autoattach auto-attach": "write it behind `target`: `target: {object: ..., attach: [name]}`",
        "rodata globals constants pins map-sizes autoload": "write it behind `target`, or the step `load`",
        "maps records printk runs trace": 'write it behind `observe`: `observe: {printk: ["hello"]}`',
        "ringbuf ringbufs perfbuf": "write it behind `observe`: `observe: {records: {events: [{pid: 1}]}}`",
        "kernel-log dmesg": _KERNEL_LOG,
        "external-btf vmlinux btf-file": "write the file with the types of a kernel: `btf: vmlinux.btf`",
    }
)
"""case.yaml at its top."""
OF_OBJECT: Wishes = _each(
    {
        "autoattach auto-attach programs attach-all": _ATTACH,
        "optional optional-programs load disabled skip": _OPTIONAL,
        "pin pin-path pinned pin-maps pin-root-path": _PINS,
        "maps max-entries max_entries resize sizes": _SIZES,
        "globals constants variables set data bss": _RODATA,
        "btf cflags modules sysctls kconfig memory cpus": _WHOLE_CASE,
        "to hook attach-target function": "write where programs go, by program: `attach-to: {name: tcp_connect}`",
        "source file path obj": "write `object: prog.bpf.c`",
    }
)
"""`target`, `tracer`, and the step `load`."""
OF_LOOK: Wishes = _each(
    {
        "ringbuf ringbufs ring-buffer ring-buffers perf perfbuf perf-buffer events": _RECORDS,
        "map bss data rodata variables global": f'{_GLOBALS}; entries of a map: `maps: {{seen: {{"1": 2}}}}`',
        "kernel-log dmesg log splat": _KERNEL_LOG,
        "bpf-printk trace-pipe trace_pipe output stdout": 'write what bpf_printk() writes: `printk: ["^hello"]`',
        "run-count run-cnt run_cnt count ran": "write how often programs must have run: `runs: {name: 1}`",
        "retval return-value": "write it behind the trigger: `trigger: {kind: run, ..., retval: 2}`",
    }
)
"""`observe`, and all that looks."""
_HOW_MUCH = "how much must come is said around the list: `trace: {at-least: [{kind: target}]}`"
OF_EVENT: Wishes = _each(
    {
        "at-least at_least min any-order none exactly": _HOW_MUCH,
        "count number n": "write `times: 3` for so many in a row",
        "ret return rv": "write `retval: 0`",
        "pid comm tgid": "only records of one's own have it: `records: {events: [{pid: $trigger-pid}]}`",
    }
)
"""One event of a list."""
OF_RULE: Wishes = _each(
    {
        "kernels name": 'write `kernel: "6.1-*"`',
        "versions kernel-version min-version max-version minimum": 'write `version: ">=5.15,<6.1"`',
        "archs arches architecture": "write `arch: [arm64, s390x]`",
        "result verdict status expected": "write `outcome: refused` (or works, misbehaves, crashed, not-applicable)",
        "comment why description note": "write `reason: ...`",
        "link url commit ref bug issue": "write `source: ...`: a commit, or where it can be read",
        "error errno-name code": "write `errno: EINVAL`",
        "log verifier-log contains match": "write `message: ...`, a regular expression for the log",
        "class cause category": "write `refusal: helper-missing`, a class of refusals",
    }
)
"""A rule of `expect`."""
OF_CHECK: Wishes = _each(
    {
        "timeout time-limit seconds": "write `deadline: 20` (seconds for each program)",
        "mem ram": _MEMORY,
        "cpu vcpus smp": _CPUS,
        "append kernel-cmdline kernel-args params": _CMDLINE,
        "config kernel-config requires features": _KCONFIG,
        "includes include-dirs headers": "write `include: [../headers]`",
        "flags clang-flags defines": "write flags of clang: `cflags: [-DDEBUG]`",
        "maps max-entries max_entries sizes": "write `map-sizes: {seen: 1024}`",
        "pin pin-path pin-maps": _PINS,
        "globals constants variables": _RODATA,
        "autoattach auto-attach attach optional only": "write the programs to try: `programs: [on_*]`",
        "to targets hook": "write where programs go, by program: `attach-to: {name: tcp_connect}`",
        "trigger observe steps command setup": "what must be seen is said by a case: case.yaml",
        "network devices interfaces links veth netns namespaces cgroups mounts before prepare": _SETUP,
        "skip xfail kernels version arch": _RULE,
        _LIMITS: _BUDGET,
        "external-btf vmlinux btf-file": "write the file with the types of a kernel: `btf: vmlinux.btf`",
    }
)
"""check.yaml at its top."""

OF_BUILD: Wishes = _each(
    {
        "kconfig configs fragment fragments config-fragment configitem configitems kconfig-add options": (
            "write options and files with some: `config: [CONFIG_PREEMPT=y, own.config]`"
        ),
        "defconfig base kernel-config kbuild-config": (
            "write `base-config: tinyconfig`, or the path of another kernel's config"
        ),
        "commit branch tag repo repository url revision rev": (
            "write `git: PATH` and `ref: v6.12`, a clone of this machine and what to build of it"
        ),
        "cc llvm toolchain": "write `compiler: gcc-12`, or `compiler: clang`",
        "cross cross-prefix": "write `cross-compile: aarch64-linux-gnu-`",
        "source-tree path src linux dir folder": "write `tree: PATH`, the folder with the sources",
        "threads parallel make-jobs": "write `jobs: 4`",
    }
)
