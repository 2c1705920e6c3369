"""One Report with every verdict and with text as nasty as a guest can write, and a quiet one for the docs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from harness.model.results import (
    AllowedSplat,
    CellResult,
    Expectation,
    KernelResult,
    Mark,
    Origin,
    Outcome,
    OutcomeKind,
    OverBudget,
    PackageInfo,
    PartResult,
    Report,
    RunInfo,
    Stage,
    Start,
    Verdict,
)
from harness.model.shards import Shard

NASTY = (
    "\x1b[31mred\x1b[0m nul:\x00 ]]> <script>alert(1)</script> & a|b `tick` ```fence``` *bold* _under_ "
    "[link](javascript:alert(1)) \x9b1m bell:\x07 \x1b]0;title\x07 lone:\ud800 nonchar:\uffff # head"
)

LOG = (
    "func#0 @0\n0: R1=ctx() R10=fp0\n"
    + "".join(f"{n}: (79) r2 = *(u64 *)(r1 +{n % 64})\n" for n in range(28_000))
    + "R1 invalid mem access 'scalar'\nprocessed 28000 insns\n"
)
"""A verifier's log of about 1 MB."""

FLAGSHIP = "kprobe-fentry-fexit"
ODD = "odd-words"
CASES = (
    (FLAGSHIP, "fentry and fexit on a kprobe program, which tail-calls"),
    (ODD, f"a title with {NASTY}"),
)


def connection(kind: str, *, retval: int | None = None, side: str = "client") -> dict[str, Any]:
    """Return an event as the flagship case emits it."""
    ends = {"saddr": "127.0.0.1", "sport": 40296, "daddr": "127.0.0.1", "dport": 443}
    return {"kind": kind, **ends, "retval": retval, "side": side, "phase": "observe"}


SEEN = (
    connection("fentry"),
    connection("kprobe"),
    connection("fexit", retval=0),
    {**connection("kprobe", side="listener"), "sport": 443, "daddr": "0.0.0.0", "dport": 0},
    {**connection("kprobe"), "sport": 40298, "phase": "control"},
)


def kernel(name: str, **more: Any) -> KernelResult:
    """Return a kernel that booted, with everything known about it."""
    known: dict[str, Any] = {
        "arch": "x86_64",
        "release": f"{name}-cloud-amd64",
        "version": f"#1 SMP PREEMPT_DYNAMIC Debian {name}-1",
        "accel": "tcg",
        "transport": "ssh over user-mode networking",
        "qemu_version": "7.2.19",
        "libbpf_version": "1.5",
        "package": PackageInfo(
            source="debian",
            name=f"linux-image-{name}-cloud-amd64",
            version=f"{name}-1",
            sha256="ab" * 32,
            suite="bookworm",
        ),
        "seconds": {"start": 0.125, "boot": 3.25, "connect": 1.5, "agent": 0.125, "total": 6.5},
        "environment": {"uname": f"Linux {name}", "btf": True, "jit": 1, "lockdown": "none"},
        "boots": 1,
        "memory": 171.5,
    }
    return KernelResult(name=name, **known | more)


def cell(
    kernel_name: str,
    case: str,
    *,
    verdict: Verdict,
    expectation: Expectation,
    outcome: Outcome,
    why: str,
    start: Start | None = None,
    parts: tuple[PartResult, ...] = (),
) -> CellResult:
    """Return a cell of `CASES`."""
    return CellResult(
        kernel=kernel_name,
        case=case,
        title=dict(CASES)[case],
        outcome=outcome,
        expectation=expectation,
        verdict=verdict,
        verdict_reason=why,
        start=start,
        parts=parts,
    )


WORKS = Expectation(outcome=OutcomeKind.WORKS, reason="trampolines on x86_64 since 5.5", source="fec56f5890d9")
REFUSED = Expectation(
    outcome=OutcomeKind.REFUSED,
    reason="the context is no struct pt_regs there",
    source="seen on 6.1",
    stage=Stage.LOAD_TRACER,
    errno=("EACCES", "EINVAL"),
    refusal="context-not-known",
    message="invalid mem access",
)
BUG = Expectation(
    outcome=OutcomeKind.MISBEHAVES,
    reason="the tail-call counter is lost",
    source="before 6.7",
    known_bug=True,
    arch=("x86_64",),
    version=">=5.10",
    since=("5.15.7", "5.16"),
    fixed=("6.1.72", "6.5.13", "6.6.3", "6.7"),
)
UNRULED = Expectation(outcome=OutcomeKind.WORKS, reason="no rule of the case covers this kernel", unruled=True)
PASSED = Outcome(kind=OutcomeKind.WORKS, reason="every event came, in order", events=SEEN, seconds=0.75)
ALLOWED = Outcome(
    kind=OutcomeKind.WORKS,
    reason="every event came, in order",
    splats=(f"BUG: KASAN: a report that is known\n{NASTY}",),
    allowed_splats=(
        AllowedSplat(
            line="BUG: KASAN: a report that is known",
            count=2,
            pattern="KASAN: a report",
            reason=f"not the case's fault {NASTY}",
            link="https://example.org/report/1",
            expires="2027-01-31",
        ),
    ),
    seconds=125.0,
)


def nasty_report() -> Report:
    """Return a Report of four kernels and two cases that holds all eight verdicts."""
    refusal = Outcome(
        kind=OutcomeKind.REFUSED,
        reason="the verifier refused trace_fentry",
        stage=Stage.LOAD_TRACER,
        errno=13,
        errno_name="EACCES",
        origin=Origin.SYSTEM_CALL,
        refusal="context-not-known",
        asked={"api": "bpf_object__load", "program": "fentry", "attach_type": "trace_fentry", "attached": 0},
        advice="Give the target the program type's own context type. (kernel/bpf/verifier.c check_mem_access())",
        log=LOG,
        seconds=0.5,
    )
    cells = (
        cell(
            "5.10",
            FLAGSHIP,
            verdict=Verdict.PASS,
            expectation=WORKS,
            outcome=PASSED,
            why="works",
            start=Start.COLD,
        ),
        cell("5.10", ODD, verdict=Verdict.XFAIL, expectation=REFUSED, outcome=refusal, why="refused as expected"),
        cell(
            "6.1",
            FLAGSHIP,
            verdict=Verdict.KNOWN_BUG,
            expectation=BUG,
            outcome=Outcome(
                kind=OutcomeKind.MISBEHAVES,
                reason="fexit came twice",
                stage=Stage.OBSERVE,
                events=(*SEEN, {"kind": "note", "what": NASTY, "deep": [1, {"a": None}], "big": 2**70}),
                splats=("WARNING: CPU: 0 PID: 1 at kernel/bpf/trampoline.c:1\n ```\nCall Trace:\n " + NASTY,),
                seconds=1.0,
            ),
            why="in the range of the known bug",
        ),
        cell(
            "6.1",
            ODD,
            verdict=Verdict.FAIL,
            expectation=replace(WORKS, reason=NASTY, source=NASTY),
            outcome=replace(
                refusal,
                reason=NASTY,
                origin=Origin.UNKNOWN,
                refusal="unclassified",
                advice="",
                asked={"api": NASTY, "map": [NASTY, 2**70]},
                candidates=("this kernel does not know a flag of the load", NASTY),
                log=f"one ```` two\n{NASTY}\r\nR1 !read_ok\n",
                errno=524,
            ),
            why=NASTY,
            parts=(
                PartResult(
                    name="prog_works",
                    outcome=replace(PASSED, measured={"verified-instructions": 42, "jited-bytes": 99, "runs": 3}),
                    verdict=Verdict.PASS,
                    verdict_reason="works",
                    about="kprobe/tcp_connect",
                ),
                PartResult(
                    name="prog_waits",
                    outcome=replace(PASSED, mark=Mark.DID_NOT_RUN, mark_reason="attached, but it did not run"),
                    verdict=Verdict.PASS,
                    verdict_reason="works",
                    about=f"uprobe/{NASTY}",
                ),
                PartResult(
                    name=f"prog {NASTY}",
                    outcome=replace(refusal, reason=NASTY, log=f"R1 !read_ok {NASTY}\n"),
                    verdict=Verdict.FAIL,
                    verdict_reason=f"refused, expected to work {NASTY}",
                ),
                PartResult(
                    name="prog_needs_much",
                    outcome=replace(
                        PASSED,
                        measured={"verified-instructions": 900_000, "instruction-limit": 1_000_000, "peak-states": 7},
                        over_budget=(
                            OverBudget(
                                program=NASTY,
                                measure="verified-instructions",
                                value=900_000,
                                most=850_000,
                                text=f"{NASTY} has 900000 verified instructions, its budget is 850000",
                            ),
                        ),
                    ),
                    verdict=Verdict.FAIL,
                    verdict_reason="over budget",
                    about="xdp",
                ),
            ),
        ),
        cell(
            "6.12",
            FLAGSHIP,
            verdict=Verdict.ANSWERED,
            expectation=UNRULED,
            outcome=Outcome(
                kind=OutcomeKind.CRASHED,
                reason="the kernel died: Kernel panic - not syncing: Fatal exception",
                stage=Stage.TRIGGER,
                console_tail=("BUG: kernel NULL pointer dereference", NASTY, "Kernel panic - not syncing"),
            ),
            why="no rule covers it: crashed",
        ),
        cell(
            "6.12",
            ODD,
            verdict=Verdict.XPASS,
            expectation=REFUSED,
            outcome=replace(PASSED, events=({"kind": "test_run", "retval": 7},)),
            why="works, expected to be refused",
        ),
        cell(
            "7.3",
            FLAGSHIP,
            verdict=Verdict.ERROR,
            expectation=WORKS,
            outcome=Outcome(
                kind=OutcomeKind.LOST,
                reason="the boot deadline of 60 s passed while waiting for SSH",
                console_tail=("Run /init as init process", "]]>"),
            ),
            why="no complete answer",
        ),
        cell(
            "7.3",
            ODD,
            verdict=Verdict.NOT_RUN,
            expectation=WORKS,
            outcome=Outcome(kind=OutcomeKind.NOT_RUN, reason="the guest was gone"),
            why="not run",
        ),
        cell(
            "arm32",
            FLAGSHIP,
            verdict=Verdict.NOT_APPLICABLE,
            expectation=Expectation(outcome=OutcomeKind.NOT_APPLICABLE, reason="no trampolines on arm32"),
            outcome=Outcome(kind=OutcomeKind.NOT_APPLICABLE, reason="no trampolines on arm32"),
            why="not applicable",
        ),
        cell("arm32", ODD, verdict=Verdict.PASS, expectation=WORKS, outcome=ALLOWED, why="works"),
    )
    replaced = "package linux-image-6.12 (6.12.1-1) is gone from the mirror, 6.12.9-1 was used"
    package = kernel("6.12").package
    assert package
    return Report(
        run=RunInfo(
            id="20260131T235959Z",
            started="2026-01-31T23:59:59Z",
            seconds=127.5,
            version="0.1.0",
            command="bpfmatrix matrix --case '*'",
            host={"kernel": "6.1.0-44-amd64", "cores": "2"},
            accel="tcg",
            accel_reason=f"KVM opened, but its guest printed nothing in 5 s {NASTY}",
            jobs=2,
            complete=False,
            exit_code=1,
            notices=(f"notice {NASTY}",),
            shard=Shard(index=2, count=5, plan="0a1b2c", lock="3d4e5f", rows={"5.10": "x86_64"}, cases=dict(CASES)),
        ),
        kernels=(
            kernel("5.10"),
            kernel("6.1", problems=(f"the guest did not power off in 10 s {NASTY}",), console_tail=("reboot: ", NASTY)),
            kernel("6.12", distribution="ubuntu", package=replace(package, notice=replaced), boots=2),
            KernelResult(name="7.3", arch="x86_64"),
            kernel("arm32", arch="armhf"),
        ),
        cases=CASES,
        cells=tuple(replace(each, isolated=each.case == ODD) for each in cells),
    )


def report_of_cells(kernels: Sequence[KernelResult], cells: Sequence[CellResult]) -> Report:
    """Return a Report with these rows and cells, which have the cases that there are."""
    cases = {each.case: each.title for each in cells}
    return Report(run=nasty_report().run, kernels=tuple(kernels), cases=tuple(cases.items()), cells=tuple(cells))


def quiet_report() -> Report:
    """Return the smallest Report worth showing: one kernel, one case, all as expected."""
    return Report(
        run=replace(
            nasty_report().run,
            accel_reason="/dev/kvm is missing",
            complete=True,
            exit_code=0,
            notices=(),
            seconds=9.5,
            shard=None,
        ),
        kernels=(kernel("6.1"),),
        cases=CASES[:1],
        cells=(
            cell(
                "6.1",
                FLAGSHIP,
                verdict=Verdict.PASS,
                expectation=WORKS,
                outcome=PASSED,
                why="works",
                start=Start.WARM,
            ),
        ),
    )
