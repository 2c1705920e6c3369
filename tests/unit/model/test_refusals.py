"""Which class a refusal has, and what that says to an expectation.

golden/refusals.json holds refused steps of real runs as the agent reported them, each with the right class and origin.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from refusal_samples import LOAD_FAILED, REFUSED, step
from unit_samples import GOLDEN

from harness.judge.verdict import judge
from harness.model.evidence import evidence_of
from harness.model.refusals import CANDIDATES, NAMES, TABLE, UNCLASSIFIED, candidates_of, explained, find
from harness.model.results import Expectation, Origin, OutcomeKind, Stage, Verdict

ROWS: list[dict[str, Any]] = json.loads((GOLDEN / "refusals.json").read_text())


COUNTED = "processed 0 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0"


def check(report: dict[str, Any], name: str, origin: Origin | None = None) -> None:
    found = explained(REFUSED, report)
    assert found.refusal == name
    assert (found.advice == "") == (name == UNCLASSIFIED)
    assert not found.candidates or name == UNCLASSIFIED
    assert found.asked == report.get("asked", {})
    assert origin is None or found.origin == origin
    same = replace(found, refusal="", advice="", origin=None, asked={}, candidates=())
    assert same == REFUSED, "nothing else changes"


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['refusal']}-{row['kernel']}-{row['case']}")
def test_refusals_of_real_runs(row: dict[str, Any]) -> None:
    check(row["step"], row["refusal"], Origin(row["origin"]))


def test_the_golden_rows_are_of_many_kernels_and_classes() -> None:
    assert len(ROWS) >= 60
    assert len({row["refusal"] for row in ROWS}) >= 30
    assert len({row["kernel"] for row in ROWS}) >= 8
    assert UNCLASSIFIED in {row["refusal"] for row in ROWS}
    assert {row["origin"] for row in ROWS} >= {Origin.SYSTEM_CALL, Origin.LIBBPF_KERNEL, Origin.LIBBPF}


NO_SIZE = "map-without-size"
NO_TARGET = "no-attach-target"
MAP_FAILED = "libbpf: map 'm': failed to create: Argument list too long(-7)"
# What no run has shown; the text is that of the kernel's source.
UNSEEN = [
    (
        step("open", "EOPNOTSUPP", detail="libbpf: elf: legacy map definitions in 'maps' section are not supported"),
        "legacy-maps",
    ),
    (step("open", "E?4005", detail="libbpf: prog 'p': bad map relo against 'm' in section 'maps/m'"), "legacy-maps"),
    (
        step("open", "EOPNOTSUPP", detail="libbpf: sec 'static': program 'f' is static and not supported"),
        "static-program",
    ),
    (step("open", "ENOENT", detail="libbpf: failed to find BTF for extern 'fwd': -2"), "extern-without-type"),
    (step("open", detail="256 does not fit tiny, of 8 bits without sign", api="rodata"), "variable-mismatch"),
    (step("open", "ENOENT", detail="No such file", api="bpf_object__find_map_by_name"), "name-absent"),
    (step(log="7: <invalid BPF map reference>\nBPF map 'm' is referenced but wasn't created"), "map-left-out"),
    (
        step(errno="EACCES", log=f"map 'locked' has to have BTF in order to use bpf_spin_lock\n{COUNTED}"),
        "map-without-btf",
    ),
    (step(log=f"Cannot replace static functions\n{COUNTED}"), "static-function"),
    (step(log=f"Cannot extend fentry/fexit\n{COUNTED}"), "recursion-rule"),
    (step(log=f"return type INT of new() doesn't match type PTR of old()\n{COUNTED}"), "prototype-mismatch"),
    (step(log=f"f is not modifiable\n{COUNTED}"), "fmod-ret"),
    (
        step(
            errno="EPERM",
            detail="libbpf: permission error while running as root; try raising 'ulimit -l'? current value: "
            "64.0 KiB; libbpf: map 'm': failed to create: Operation not permitted(-1)",
        ),
        "out-of-memory",
    ),
    (step("attach", "ENOENT", detail="No such file", section="kprobe.multi/f*"), "attach-point-absent"),
    (step(detail="libbpf: map 'm': failed to create: Invalid argument(-22)", map_type="hash", max_entries=0), NO_SIZE),
    (
        step(detail="libbpf: extern (kcfg) 'LINUX_KERNEL_VERSION': failed to get kernel version"),
        "kernel-version-unknown",
    ),
    (
        step(
            "attach", detail="libbpf: prog 'p': section 'uretprobe/readline' missing ':function[+offset]' specification"
        ),
        "no-attach-target",
    ),
    *(
        (step("attach", "EOPNOTSUPP", detail="no", api="bpf_program__attach", section=name, type="kprobe"), NO_TARGET)
        for name in ("uprobe", "uretprobe.s", "usdt", "kprobe")
    ),
    (
        step(
            "attach", "ENOENT", detail="libbpf: usdt: no USDT notes section (.note.stapsdt) found in '/lib/libc.so.6'"
        ),
        "attach-point-absent",
    ),
    (
        step("attach", "EBUSY", detail="libbpf: prog 'p': failed to attach: busy", type="tracing", traceable=False),
        "not-traceable",
    ),
    (
        step("attach", detail="libbpf: prog 'p': failed to create kprobe 'f+0x0' perf event: no", traceable=False),
        "not-traceable",
    ),
    (
        step(
            "attach",
            "EOPNOTSUPP",
            detail="Operation not supported",
            api="bpf_program__attach",
            type="sk_msg",
            section="sk_msg",
        ),
        "not-attachable-here",
    ),
    (step(errno="E2BIG", log="The sequence of 8193 jumps is too complex."), "program-too-large"),
    (step(log="0: (db) r1 = atomic64_fetch_add\nunknown opcode db"), "instruction-unknown"),
    (step("attach", "EOPNOTSUPP", detail="libbpf: prog 'f': failed to attach: no", type="ext"), "not-supported"),
    (
        step("attach", "EOPNOTSUPP", detail="rtnetlink(7), message 16", api="rtnetlink", section="netkit/primary"),
        "not-supported",
    ),
    *(
        (
            step(errno="E2BIG", detail=MAP_FAILED, max_entries=entries, bytes=entries * (4 + size), value_size=size),
            "map-too-large",
        )
        for entries, size in ((1 << 28, 8), (4096, 4_000_000), (2, 5_000_000))
    ),
]


@pytest.mark.parametrize(("report", "name"), UNSEEN)
def test_refusals_that_no_run_has_shown(report: dict[str, Any], name: str) -> None:
    check(report, name)


def test_every_class_is_shown() -> None:
    assert {row["refusal"] for row in ROWS} | {name for _, name in UNSEEN} == {*NAMES, UNCLASSIFIED}


def test_every_row_is_reached() -> None:
    reports = [row["step"] for row in ROWS] + [report for report, _ in UNSEEN]
    reached = {id(find(TABLE, evidence_of(report))) for report in reports}
    assert [(row.name, row.place) for row in TABLE if id(row) not in reached] == []


@pytest.mark.parametrize(
    "report",
    [
        step(log=f"a sentence that no row knows\n{COUNTED}"),
        step("trigger", "EPERM", log=f"Can attach to only JITed progs\n{COUNTED}"),
        step("attach", log=f"Can attach to only JITed progs\n{COUNTED}"),
        step(errno="EACCES", log=f"Cannot recursively attach\n{COUNTED}"),
        step(errno="EACCES", log="R1 invalid mem access 'a_kind_of_its_own'"),
        step("attach", "ENODEV", detail="libbpf: prog 'f': failed to attach to xdp: no"),
        step("tail-call", "ENOENT", detail="No such file or directory", api="bpf_map_delete_elem"),
        step(errno="ENOTSUPP"),
        # What is not large may have an attribute that this kernel does not know.
        step(errno="E2BIG", detail="libbpf: map 'm': failed to create", max_entries=9, bytes=99, value_size=8),
        # An errno alone says nothing: before, these were "attach-api" and "unknown-type".
        step("attach", detail="libbpf: prog 'f': failed to attach: Invalid argument", type="tracing", attached=0),
        step("attach", detail="libbpf: prog 'f': failed to attach to xdp: Invalid argument", type="xdp", attached=1),
        step("attach", "ENOENT", detail="libbpf: prog 'f': failed to attach: No such file", type="tracing", attached=0),
        step(detail=LOAD_FAILED),
        step(detail=LOAD_FAILED, type_known=True, attach_type_known=True),
        step(detail="libbpf: map 'm': failed to create: Invalid argument(-22)", map_type_known=True),
        step(errno="EOPNOTSUPP", detail="libbpf: map 'm': failed to create: no(-95)", map_type="hash"),
        step("attach", "EOPNOTSUPP", detail="libbpf: prog 'f': failed to attach to xdp: no", type="xdp"),
        step("attach", "EBUSY", detail="libbpf: prog 'f': failed to attach to xdp: busy", type="xdp"),
        {"op": "load"},
        {"op": "load", "asked": ["not an object"]},
    ],
)
def test_what_no_row_explains_stays_unclassified(report: dict[str, Any]) -> None:
    found = explained(REFUSED, report)
    assert (found.refusal, found.advice) == (UNCLASSIFIED, "")


def test_what_is_unclassified_has_candidates_which_are_no_advice() -> None:
    report = step(detail="libbpf: map 'm': failed to create: Invalid argument(-22)", map_type="hash", key_size=0)
    found = explained(REFUSED, report)
    assert found.refusal == UNCLASSIFIED
    assert found.asked == {"map_type": "hash", "key_size": 0}
    assert found.candidates == ("the map's sizes, number of entries or flags are none that this type takes here",)
    assert candidates_of(evidence_of(step(log="a sentence that no row knows"))) == ()


def test_a_row_says_where_it_comes_from_and_what_to_do() -> None:
    for row in TABLE:
        assert row.condition.ops
        assert row.place
        assert row.advice.endswith((".", ").")), row.name
        # By text, or by an errno and a place.
        assert row.condition.text or row.condition.log or (row.condition.errnos and row.condition.asked), row.name
    assert UNCLASSIFIED not in NAMES
    for candidate in CANDIDATES:
        assert candidate.condition.errnos
        assert not candidate.meaning.endswith(".")


def test_an_expectation_holds_the_class_too() -> None:
    wanted = Expectation(
        outcome=OutcomeKind.REFUSED, reason="no JIT", stage=Stage.LOAD_TRACER, refusal="recursion-rule"
    )
    assert judge(explained(REFUSED, step(log="Cannot recursively attach")), wanted) == (Verdict.XFAIL, "no JIT")
    verdict, reason = judge(explained(REFUSED, step(log="Can attach to only JITed progs")), wanted)
    assert verdict == Verdict.FAIL
    assert reason.endswith("for another reason (target-not-jited), expected recursion-rule")


TEXTS = st.text(max_size=60)


@given(
    st.fixed_dictionaries(
        {"op": st.sampled_from(["load", "attach", "tail-call", "x"])},
        optional={
            "errno_name": st.sampled_from(["EINVAL", "EPERM", "E?0", ""]) | st.none(),
            "log": TEXTS | st.none(),
            "detail": TEXTS | st.none(),
            "asked": st.dictionaries(st.sampled_from(["api", "type", "section"]), TEXTS | st.integers() | st.booleans())
            | TEXTS,
        },
    )
)
def test_any_report_has_one_class_and_one_origin(report: dict[str, Any]) -> None:
    found = explained(REFUSED, report)
    row = find(TABLE, evidence_of(report))
    assert found.refusal == (row.name if row else UNCLASSIFIED)
    assert found.origin in set(Origin)


@pytest.mark.parametrize("origin", [Origin.LIBBPF, Origin.UNKNOWN])
def test_a_rule_means_the_kernels_refusals_unless_it_says_more(origin: Origin) -> None:
    outcome = replace(REFUSED, origin=origin)
    rule = Expectation(outcome=OutcomeKind.REFUSED, reason="why", stage=Stage.LOAD_TRACER)
    verdict, reason = judge(outcome, rule)
    assert verdict == Verdict.FAIL
    assert "expected by the kernel or by libbpf after reading this kernel" in reason
    assert judge(outcome, replace(rule, origin=(origin,)))[0] == Verdict.XFAIL
    assert judge(replace(outcome, origin=Origin.SYSTEM_CALL), replace(rule, origin=(origin,)))[0] == Verdict.FAIL


@pytest.mark.parametrize("origin", [Origin.SYSTEM_CALL, Origin.LIBBPF_KERNEL])
def test_both_of_the_kernels_origins_are_meant(origin: Origin) -> None:
    rule = Expectation(outcome=OutcomeKind.REFUSED, reason="why", stage=Stage.LOAD_TRACER)
    assert judge(replace(REFUSED, origin=origin), rule)[0] == Verdict.XFAIL


def test_a_refusal_without_an_origin_is_no_expected_one() -> None:
    rule = Expectation(outcome=OutcomeKind.REFUSED, reason="why", stage=Stage.LOAD_TRACER)
    assert judge(REFUSED, rule)[0] == Verdict.FAIL
