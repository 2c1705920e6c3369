"""Valid files for the tests of harness.config, and a way to put files where it looks for them."""

from __future__ import annotations

from pathlib import Path

MATRIX = """\
defaults:
  memory: 300
  deadlines: {boot: 90}
mirrors:
  debian-security: file:///srv/security
kernels:
  - name: "6.1"
    arch: x86_64
    source: debian
    suite: bookworm
    package: linux-image-cloud-amd64
  - name: "6.16"
    arch: arm64
    source: debian
    suite: trixie-backports
    package: linux-image-6.16.*-cloud-arm64
    version: 6.16.12-1~bpo13+1
    cpus: 2
    deadlines: {case: 45.5}
    cmdline: kasan=off
  - name: mine
    arch: x86_64
    source: path
    image: build/bzImage
    modules: build/modules
    release: 6.19.0-rc1+
    memory: 1024
known-splats:
  - pattern: 'WARNING: .* at kernel/bpf/trampoline[.]c'
    arch: [x86_64, arm64]
    version: ">=6.8 | >=6.1.75,<6.2"
    reason: the trampoline's own, and harmless
    link: https://example.org/report/1
    expires: "2027-01-31"
  - {pattern: KASAN, reason: known, link: "http://example.org/2", expires: "2026-12-01"}
"""

CASE = """\
title: Tracing a kprobe program with fentry and fexit
description: |
  The target tail-calls a handler.
target:
  object: target.bpf.c
  attach: [k_tcp_connect, k_icsk_complete_hashdance]
  tail-calls:
    - {map: progs, index: 0, program: handle_new_connection}
tracer:
  object: tracer.bpf.c
  shared-maps: [events]
  attach:
    - {program: fentry_k_tcp_connect, target: k_tcp_connect}
    - {program: fexit_k_tcp_connect, target: k_tcp_connect, function: k_tcp_connect_inner}
events: events
trigger:
  kind: tcp-connect
  address: "::1"
observe:
  client:
    - {kind: fentry}
    - {kind: kprobe}
    - {kind: fexit, retval: 0}
  listener:
    - {kind: kprobe}
control:
  client: [{kind: kprobe}]
  listener: []
sysctls:
  net.core.bpf_jit_enable: 0
  kernel.core_pattern: core
modules: [cls_bpf]
deadline: 20
expect:
  - outcome: refused
    arch: [arm64]
    version: "<6.0"
    reason: arm64 has no BPF trampoline
    source: Linux efc9909fdce0
    stage: attach-tracer
    errno: ENOTSUPP
  - outcome: refused
    version: ">=6.8 | >=6.1.75,<6.2"
    reason: the verifier refuses it
    source: Linux kernel/bpf/verifier.c
    stage: load-tracer
    errno: [EINVAL, EACCES]
    message: "R1 invalid mem access '(inv|scalar)'"
  - outcome: crashed
    version: ==5.10.*
    stage: trigger
    step: trigger tcp-connect
    panic: "BUG: .*stack guard page"
    reason: the counter is lost
    source: CVE-0000-0000
  - outcome: works
    reason: nothing stands against it
"""

EXPECTATIONS = """\
no-trampoline:
  - outcome: refused
    arch: [arm64]
    version: "<6.0"
    reason: no trampolines on arm64
    source: Linux efc9909fdce0
    stage: attach-tracer
    errno: ENOTSUPP
  - outcome: refused
    arch: [ppc64le]
    version: "<6.13"
    reason: no trampolines on powerpc
    source: Linux d243b62b7bd3
    stage: attach-tracer
    errno: ENOTSUPP
no-btf:
  - outcome: refused
    arch: [s390x, ppc64le]
    version: ==6.1.*
    reason: no BTF
    source: the package's config
    stage: load-tracer
    errno: [EINVAL, EACCES]
bug:
  - outcome: misbehaves
    version: "<5.14"
    stage: observe
    differences: [{step: observe, trace: []}]
    reason: a bug
    source: CVE-0000-0000
  - {outcome: works, version: ">=5.14", reason: mended}
"""

USES = """\
title: A case that takes its expectations from lists
target: {object: target.bpf.c}
trigger: {kind: tcp-connect}
observe: {}
expect:
  - {use: no-btf, stage: load-target, version: "<6.2", message: kernel BTF is missing}
  - outcome: works
    arch: [x86_64]
    reason: the case's own
  - use: no-trampoline
  - use: bug
    arch: [riscv64]
    reason: the bug of riscv64
"""


def write_expectations(folder: Path, text: str = EXPECTATIONS) -> Path:
    """Write `text` as the expectations.yaml of `folder`, which holds case folders, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "expectations.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def write_case(folder: Path, text: str = CASE, *, sources: tuple[str, ...] = ("target", "tracer")) -> Path:
    """Make a case folder with `text` as its case.yaml and empty BPF sources; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "case.yaml").write_text(text, encoding="utf-8")
    for name in sources:
        (folder / f"{name}.bpf.c").write_text("", encoding="utf-8")
    return folder


def write_matrix(folder: Path, text: str = MATRIX) -> Path:
    """Write `text` as the matrix.yaml of `folder` and return its path."""
    path = folder / "matrix.yaml"
    path.write_text(text, encoding="utf-8")
    return path


CHECK = """\
programs: [on_*]
autoload: {on_open: true}
attach-to: {probe: tcp_connect}
tail-calls: [{map: jumps, index: 2, program: leaf}]
rodata: {wanted: 7, "limits.ports[2]": 80, names: [a, b], debug: true}
map-sizes: {counts: 16}
pins: {counts: /sys/fs/bpf/counts}
modules: [veth]
sysctls: {net.core.bpf_jit_enable: 1}
memory: 512
require-run: true
cflags: [-DDEBUG]
expect:
  - {program: on_open, version: "<5.15", outcome: refused, stage: load-target, errno: EINVAL, reason: r, source: s}
  - {program: [all-together, probe], outcome: works, reason: r}
"""
