from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from outcome_samples import WORKS, Change, K, at, counted, end, events, failing, outcome
from unit_samples import (
    CASE_ID,
    Line,
    changed,
    golden_lines,
    record_of,
    renumbered,
    sample_case,
)

from harness.facts.records import CaseRecord
from harness.judge.outcome import outcome_of
from harness.judge.verdict import judge
from harness.model.results import DifferenceKind, Expectation, OutcomeKind, Stage, Verdict

# --- a table: what the agent reports -> outcome -> verdict where it should work ---------------------------------------

SPLAT = ["<4> WARNING: CPU: 0 PID: 71 at kernel/bpf/trampoline.c:412 f+0x1/0x2", "<4> ---[ end trace 0 ]---"]


UNMET = {"cause": "sysctl", "name": "net.core.bpf_jit_enable", "value": 0, "errno_name": "EINVAL", "missing": False}


TABLE: list[tuple[str, Change, OutcomeKind, Verdict]] = [
    ("as it came", lambda line: line, K.WORKS, Verdict.PASS),
    ("load refused", failing(7), K.REFUSED, Verdict.FAIL),
    ("target refused", failing(2), K.REFUSED, Verdict.FAIL),
    ("set-attach-target refused", failing(5), K.REFUSED, Verdict.FAIL),
    ("attach refused", failing(8), K.REFUSED, Verdict.FAIL),
    ("tail-call refused", failing(10), K.REFUSED, Verdict.FAIL),
    ("detach failed", failing(15), K.MISBEHAVES, Verdict.FAIL),
    ("open failed", failing(0), K.REFUSED, Verdict.FAIL),
    ("listen failed", failing(3), K.LOST, Verdict.ERROR),
    ("share-map failed", failing(4), K.LOST, Verdict.ERROR),
    ("trigger failed", failing(13, refused=False, errno=111, errno_name="ECONNREFUSED"), K.REFUSED, Verdict.FAIL),
    ("splat while all passed", end(kernel_log=SPLAT), K.MISBEHAVES, Verdict.FAIL),
    ("killed by a signal", end(complete=False, signal="SIGSEGV"), K.LOST, Verdict.ERROR),
    ("deadline in the guest", end(complete=False, signal="SIGKILL", timed_out=True), K.LOST, Verdict.ERROR),
    ("child failed", end(complete=False), K.LOST, Verdict.ERROR),
    ("events lost", at(14, lost=1), K.LOST, Verdict.ERROR),
    ("control events lost", at(18, lost=3), K.LOST, Verdict.ERROR),
    ("fewer events than were read", at(14, events=5), K.LOST, Verdict.ERROR),
    ("precondition", end(precondition=UNMET), K.NOT_APPLICABLE, Verdict.FAIL),
]


@pytest.mark.parametrize(("change", "kind", "verdict"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_table(change: Change, kind: OutcomeKind, verdict: Verdict) -> None:
    found = outcome(change)
    assert found.kind == kind, found.reason
    assert judge(found, WORKS)[0] == verdict
    assert found.reason


@pytest.mark.parametrize(("index", "wrong_input"), [(3, True), (4, True), (14, False)])
def test_what_only_a_wrong_case_can_do_is_the_users(index: int, wrong_input: bool) -> None:
    """To read the events that came (14) is the harness's own work."""
    found = outcome(failing(index))
    assert (found.kind, found.wrong_input) == (K.LOST, wrong_input)


def test_a_kernel_log_with_holes_is_never_green() -> None:
    found = outcome(end(kernel_log_lost=3))
    assert (found.kind, judge(found, WORKS)[0]) == (K.LOST, Verdict.ERROR)
    assert "holes: 3 of its messages are missing" in found.reason
    late = outcome_of(sample_case(), replace(record_of(golden_lines()), late_lost=1))
    assert late.kind == K.LOST


def test_a_complaint_after_the_case_is_its_own() -> None:
    found = outcome_of(sample_case(), replace(record_of(golden_lines()), late_log=tuple(SPLAT)))
    assert (found.kind, judge(found, WORKS)[0]) == (K.MISBEHAVES, Verdict.FAIL)
    assert "bpf/trampoline.c" in found.counted_splats[0]


def test_a_splat_does_not_hide_what_the_steps_showed() -> None:
    def change(line: Line) -> Line | None:
        failed = failing(8)(line)
        return None if failed is None else end(kernel_log=SPLAT)(failed)

    found = outcome(change)
    assert found.kind == K.MISBEHAVES
    assert (found.stage, found.errno_name) == (Stage.ATTACH_TRACER, "EINVAL")
    assert "the kernel complained" in found.reason
    assert [(each.kind, each.seen) for each in found.differences] == [(DifferenceKind.REFUSED, "EINVAL")]


def test_what_a_case_leaves_behind_is_never_green() -> None:
    found = outcome(end(left=[{"kind": "program", "name": "fentry (12)"}]))
    assert (found.kind, judge(found, WORKS)[0]) == (K.MISBEHAVES, Verdict.FAIL)
    assert "left behind after the case: program fentry (12)" in found.reason


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, "this kernel refuses it (EINVAL)"),
        ({"missing": True, "errno_name": "ENOENT"}, "this kernel has no such sysctl (ENOENT)"),
    ],
)
def test_a_sysctl_that_could_not_be_set_is_named_with_the_value_and_the_cause(
    changes: dict[str, Any], why: str
) -> None:
    found = outcome(end(precondition={**UNMET, **changes}))
    assert found.reason == (f"the sysctl net.core.bpf_jit_enable could not be set to 0, which the case needs: {why}")


def test_a_module_that_could_not_be_loaded_is_named_with_the_cause() -> None:
    module = {"cause": "module", "name": "vehth", "value": None, "errno_name": "ENOENT", "missing": True}
    reason = "the module vehth could not be loaded, which the case needs: "
    assert (
        outcome(end(precondition=module)).reason == f"{reason}it is neither a file of this kernel nor built in (ENOENT)"
    )
    refused = {**module, "missing": False, "errno_name": "EKEYREJECTED"}
    assert outcome(end(precondition=refused)).reason == f"{reason}this kernel refuses it (EKEYREJECTED)"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"errno_name": "ENOENT", "missing": True},
            "the kernel option CONFIG_VETH is not y or m, which the case needs: "
            "this kernel's configuration does not set it (ENOENT)",
        ),
        (
            {"errno_name": "EINVAL", "missing": False, "found": "text"},
            "the kernel option CONFIG_VETH is not y or m, which the case needs: "
            "in this kernel's configuration it is text (EINVAL)",
        ),
        (
            {"errno_name": "ENODATA", "missing": False},
            "nobody knows whether the kernel option CONFIG_VETH is y or m, which the case needs: the guest has no "
            "configuration of this kernel, neither /proc/config.gz nor /boot/config-RELEASE (ENODATA)",
        ),
    ],
)
def test_an_option_that_is_otherwise_is_named_with_what_it_is(changes: dict[str, Any], reason: str) -> None:
    found = outcome(end(precondition={"cause": "kconfig", "name": "CONFIG_VETH", "value": "y or m", **changes}))
    assert (found.kind, found.cause, found.cause_name) == (K.NOT_APPLICABLE, "kconfig", "CONFIG_VETH")
    assert (found.errno_name, found.reason) == (changes["errno_name"], reason)


def test_every_outcome_that_a_record_can_have_is_reached() -> None:
    made = {row[2] for row in TABLE} | {K.CRASHED, K.LOST}
    assert made == set(K) - {K.NOT_RUN}  # that one is of cells whose kernel never started


# --- works ------------------------------------------------------------------------------------------------------------


def test_a_real_run_works_and_carries_its_events_with_their_sides() -> None:
    found = outcome()
    assert (found.kind, found.stage, found.errno, found.splats) == (K.WORKS, None, None, ())
    assert [(e["phase"], e["side"], e["kind"], e["retval"]) for e in found.events] == [
        ("observe", "client", "fentry", None),
        ("observe", "client", "kprobe", None),
        ("observe", "client", "fexit", 0),
        ("observe", "listener", "kprobe", None),
        ("control", "client", "kprobe", None),
        ("control", "listener", "kprobe", None),
    ]
    assert found.seconds == golden_lines()[-2]["seconds"]


def test_events_of_other_connections_are_told_apart() -> None:
    ssh = {"kind": "kprobe", "family": 2, "saddr": "10.0.2.15", "sport": 22, "daddr": "0.0.0.0", "dport": 0}
    lines = golden_lines()
    lines.insert(17, {**lines[17], "ours": False, "event": {"time_ns": 1, **ssh, "retval": None}})
    found = counted(lines)
    assert found.kind == K.WORKS
    assert len(found.events) == 6


# --- no completion marker, no answer ----------------------------------------------------------------------------------


def test_without_the_completion_marker_a_case_is_lost() -> None:
    found = outcome_of(sample_case(), record_of(golden_lines()[:-2]))
    assert (found.kind, found.stage) == (K.LOST, Stage.DETACH)
    assert "never reported the end" in found.reason


def test_a_case_that_was_never_started_is_lost() -> None:
    found = outcome_of(sample_case(), CaseRecord())
    assert (found.kind, found.stage) == (K.LOST, Stage.OPEN)


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGBUS", "SIGKILL"])
def test_a_signal_is_named(name: str) -> None:
    assert f"killed by {name}" in outcome(end(complete=False, signal=name)).reason


def test_the_agents_own_trouble_is_the_reason() -> None:
    lines = [line for line in golden_lines() if line["type"] not in ("event",) and line.get("index", 0) < 3]
    lines.insert(-2, {"type": "agent-error", "case": CASE_ID, "detail": "KeyError: 'x'"})
    lines[-2] = {**lines[-2], "complete": False}
    found = outcome_of(sample_case(), record_of(renumbered(lines)))
    assert (found.kind, found.reason) == (K.LOST, "KeyError: 'x'")


def test_a_deadline_in_the_guest_is_named_though_it_ends_with_a_signal() -> None:
    found = outcome(end(complete=False, signal="SIGKILL", timed_out=True))
    assert found.reason == "the case deadline passed inside the guest, after its last step"


@pytest.mark.parametrize("index", range(21))
def test_a_step_that_is_not_reported_never_makes_a_good_cell(index: int) -> None:
    """Green with nothing attached: the agent says that all is complete, but one step is not among its lines."""
    found = outcome(lambda line: None if line["type"] == "step" and line["index"] == index else line)
    assert found.kind == K.LOST


def test_steps_in_another_order_are_no_answer() -> None:
    lines = golden_lines()
    lines[10], lines[11] = lines[11], lines[10]
    assert outcome_of(sample_case(), record_of(renumbered(lines))).kind == K.LOST


def test_a_case_without_events_needs_its_steps_too() -> None:
    case = sample_case(events=None, tracer=None, observe={}, control=None)
    lines = [line for line in golden_lines() if line["type"] in ("hello", "case", "case-end", "done")]
    assert outcome_of(case, record_of(renumbered(lines))).kind == K.LOST
    kept = [*range(3), *range(10, 14), *range(19, 21)]
    steps = [line for line in golden_lines() if line["type"] == "step" and line["index"] in kept and line["index"] != 1]
    whole = [*golden_lines()[:2], *steps, *golden_lines()[-2:]]
    assert outcome_of(case, record_of(renumbered(whole))).kind == K.WORKS


# --- refused ----------------------------------------------------------------------------------------------------------


def test_a_refusal_carries_stage_errno_and_the_verifiers_words() -> None:
    change = failing(7, errno=13, errno_name="EACCES", detail="libbpf: failed", log="R1 invalid mem access 'scalar'")
    found = outcome(change)
    assert (found.kind, found.stage, found.errno, found.errno_name) == (K.REFUSED, Stage.LOAD_TRACER, 13, "EACCES")
    assert found.log == "R1 invalid mem access 'scalar'"
    assert found.reason == "load tracer: EACCES (libbpf: failed)"


def test_the_verifiers_eacces_is_no_matter_of_privilege() -> None:
    """EACCES of a load is the verifier's. It is compared with stage, errno and message, nothing else."""
    expected = Expectation(
        outcome=K.REFUSED,
        reason="a kprobe's context is another structure there",
        stage=Stage.LOAD_TRACER,
        errno=("EACCES",),
        message="R1 invalid mem access '(inv|scalar)'",
    )
    change = failing(7, errno=13, errno_name="EACCES", log="0: R1=ctx()\nR1 invalid mem access 'scalar'")
    found = outcome(change)
    assert "privilege" not in found.reason.lower()
    assert "permission" not in found.reason.lower()
    assert judge(found, expected)[0] == Verdict.XFAIL
    other = outcome(failing(7, errno=13, errno_name="EACCES", log="unknown func bpf_get_func_ip#173"))
    assert judge(other, expected)[0] == Verdict.FAIL
    # The same errno and words at another stage are another thing.
    elsewhere = outcome(failing(8, errno=13, errno_name="EACCES", log="R1 invalid mem access 'scalar'"))
    assert (elsewhere.kind, elsewhere.stage) == (K.REFUSED, Stage.ATTACH_TRACER)
    assert judge(elsewhere, expected)[0] == Verdict.FAIL


def test_the_first_failing_step_counts() -> None:
    found = outcome(failing(5, errno=2, errno_name="ENOENT", detail="no such function"))
    assert (found.stage, found.errno_name) == (Stage.LOAD_TRACER, "ENOENT")
    assert "fentry_tcp_connect" in found.reason


def test_one_of_two_programs_attached_is_a_refusal() -> None:
    found = outcome(failing(9, errno=524, errno_name="ENOTSUPP", detail=""))
    assert (found.kind, found.stage, found.errno) == (K.REFUSED, Stage.ATTACH_TRACER, 524)


# --- misbehaves -------------------------------------------------------------------------------------------------------


def test_a_splat_is_shown_and_counts_more_than_what_was_seen() -> None:
    found = outcome(end(kernel_log=["<6> before", *SPLAT, "<6> after"]))
    assert found.kind == K.MISBEHAVES
    assert found.reason.startswith("the kernel complained: WARNING: CPU: 0")
    assert found.splats == ("\n".join(line[4:] for line in SPLAT),)
    assert len(found.events) == 6


def test_a_splat_of_a_refused_load_is_not_hidden_by_the_refusal() -> None:
    lines = [end(kernel_log=SPLAT)(line) for line in changed(failing(7))]
    found = outcome_of(sample_case(), record_of(renumbered(line for line in lines if line)))
    assert found.kind == K.MISBEHAVES


@pytest.mark.parametrize("which", range(6))
def test_a_missing_event_misbehaves(which: int) -> None:
    lines = golden_lines()
    del lines[[index for index, line in enumerate(lines) if line["type"] == "event"][which]]
    found = counted(lines)
    assert (found.kind, found.stage) == (K.MISBEHAVES, Stage.OBSERVE if which < 4 else Stage.DETACH)


@pytest.mark.parametrize("which", range(6))
def test_an_event_too_many_misbehaves(which: int) -> None:
    lines = golden_lines()
    index = [index for index, line in enumerate(lines) if line["type"] == "event"][which]
    lines.insert(index, lines[index])
    assert counted(lines).kind == K.MISBEHAVES


def test_events_in_the_wrong_order_misbehave() -> None:
    lines = golden_lines()
    lines[16], lines[17] = lines[17], lines[16]
    found = counted(lines)
    assert found.kind == K.MISBEHAVES
    assert "but kprobe, fentry, fexit came" in found.reason


def test_a_tracer_that_still_fires_when_detached_misbehaves() -> None:
    lines = golden_lines()
    control = next(i for i, line in enumerate(lines) if line["type"] == "event" and line["phase"] == "control")
    ghost = {**lines[control], "event": {**lines[control]["event"], "kind": "fentry"}}
    lines.insert(control, ghost)
    found = counted(lines)
    assert found.kind == K.MISBEHAVES
    assert found.reason == (
        "with the tracers detached, on the client side kprobe must be seen, but fentry, kprobe came"
    )


def test_a_wrong_return_value_misbehaves() -> None:
    def change(line: Line) -> Line:
        event = line["event"]
        return {**line, "event": {**event, "retval": 1}} if event["kind"] == "fexit" else line

    assert "must carry retval 0, but carries 1" in events(change).reason


def test_an_undecodable_event_is_shown_as_it_is() -> None:
    found = events(lambda line: {**line, "event": {"time_ns": 0, "kind": "undecodable", "raw": "00ff"}})
    assert "a record came that is no struct event (bpf/include/event.h): undecodable 2 bytes 00ff; " in found.reason
    assert "`observe: {records: {MAP: ...}}`" in found.reason


def test_an_undecodable_event_of_ours_misbehaves() -> None:
    found = events(lambda line: {**line, "event": {"time_ns": 0, "kind": "undecodable", "raw": "00"}})
    assert found.kind == K.MISBEHAVES
