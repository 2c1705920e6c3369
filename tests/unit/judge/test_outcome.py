# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from played_guest import session_of
from unit_samples import (
    CASE_ID,
    Line,
    changed,
    golden_bytes,
    golden_lines,
    guest_plan,
    record_of,
    renumbered,
    sample_case,
    steps_case,
    written_case,
)

from harness.errors import DeadlineError, GuestConnectionError
from harness.facts.records import CaseRecord, Ending
from harness.judge.cells import cells as cells_of
from harness.judge.outcome import outcome_of
from harness.judge.verdict import judge
from harness.model.results import DifferenceKind, Expectation, Outcome, OutcomeKind, Stage, Verdict
from harness.run.one_kernel import run_kernel

K = OutcomeKind
WORKS = Expectation(outcome=K.WORKS, reason="r")
Change = Callable[[Line], "Line | None"]


def outcome(change: Change = lambda line: line, **keys: Any) -> Outcome:
    return outcome_of(sample_case(**keys), record_of(changed(change)))


def at(index: int, **fields: Any) -> Change:
    """A change of the step with this index."""
    return lambda line: {**line, **fields} if line["type"] == "step" and line["index"] == index else line


def failing(index: int, **fields: Any) -> Change:
    """The step with this index fails, and the agent goes to the end of the case at once."""
    trouble = {"ok": False, "refused": True, "errno": 22, "errno_name": "EINVAL", "detail": "no", "log": "", **fields}

    def change(line: Line) -> Line | None:
        if line["type"] == "step" and line["index"] == index:
            return {**line, **trouble}
        if line["type"] == "event":
            return line if LOOKS[line["phase"]] < index else None
        return None if line["type"] == "step" and line["index"] > index else line

    return change


LOOKS = {line["phase"]: line["index"] for line in golden_lines() if line.get("op") == "observe"}
"""The index of the step that reports the events of a phase."""


def end(**fields: Any) -> Change:
    return lambda line: {**line, **fields} if line["type"] == "case-end" else line


def events(change: Change) -> Outcome:
    """The outcome with the events changed, and their counts made good."""
    lines = [line if line["type"] != "event" else change(line) for line in golden_lines()]
    return counted([line for line in lines if line is not None])


def counted(lines: Sequence[Line]) -> Outcome:
    made = []
    for line in renumbered(lines):
        if line.get("op") == "observe":
            count = sum(1 for other in lines if other["type"] == "event" and other["phase"] == line["phase"])
            line["events"] = count
        made.append(line)
    return outcome_of(sample_case(), record_of(made))


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
    words = "the module vehth could not be loaded, which the case needs: "
    assert (
        outcome(end(precondition=module)).reason == f"{words}it is neither a file of this kernel nor built in (ENOENT)"
    )
    refused = {**module, "missing": False, "errno_name": "EKEYREJECTED"}
    assert outcome(end(precondition=refused)).reason == f"{words}this kernel refuses it (EKEYREJECTED)"


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


@pytest.mark.parametrize("kind", [K.CRASHED, K.LOST])
def test_an_ending_is_the_outcome_whatever_the_lines_say(kind: OutcomeKind) -> None:
    whole = record_of(golden_lines())
    last = len(whole.steps) - 1
    ending = Ending(kind=kind, reason="the kernel died: Oops", console_tail=("Oops",), step=(CASE_ID, last))
    record = CaseRecord(steps=whole.steps, events=whole.events, end=whole.end, ending=ending)
    found = outcome_of(sample_case(), record)
    assert (found.kind, found.console_tail) == (kind, ("Oops",))
    assert found.reason == "the kernel died: Oops, after the step detach k_icsk_complete_hashdance"
    assert found.stage == Stage.DETACH
    assert judge(found, WORKS)[0] == {K.CRASHED: Verdict.FAIL, K.LOST: Verdict.ERROR}[kind]


@pytest.mark.parametrize(
    ("reported", "step", "stage", "words"),
    [
        (3, (CASE_ID, 5), Stage.LOAD_TRACER, ", in the step set-attach-target fentry_tcp_connect"),
        (5, (CASE_ID, 5), Stage.LOAD_TRACER, ", in the step set-attach-target fentry_tcp_connect"),
        (6, (CASE_ID, 5), Stage.LOAD_TRACER, ", after the step set-attach-target fentry_tcp_connect"),
        (0, (CASE_ID, 0), Stage.OPEN, ", in the step open target"),
    ],
)
def test_an_ending_is_in_the_step_that_had_begun_but_was_not_reported(
    reported: int, step: tuple[str, int] | None, stage: Stage, words: str
) -> None:
    ending = Ending(kind=K.CRASHED, reason="the kernel died: Oops", step=step)
    found = outcome_of(sample_case(), CaseRecord(steps=record_of(golden_lines()).steps[:reported], ending=ending))
    assert (found.kind, found.stage) == (K.CRASHED, stage)
    assert found.reason == f"the kernel died: Oops{words}"
    assert found.differences == (), "a step that only had to succeed did, or the next would not have begun"


def test_what_a_look_showed_and_was_lost_with_the_guest_is_missing() -> None:
    steps = record_of(golden_lines()).steps
    last = len(steps) - 1
    record = CaseRecord(steps=steps[:10], ending=Ending(kind=K.CRASHED, reason="Oops", step=(CASE_ID, last)))
    found = outcome_of(sample_case(), record)
    assert [(each.kind, each.step) for each in found.differences] == [
        (DifferenceKind.MISSING_STEPS, "observe"),
        (DifferenceKind.MISSING_STEPS, "control"),
    ]


@pytest.mark.parametrize("step", [("another", 5), (CASE_ID, 999), None])
def test_a_death_before_the_first_step_of_the_case_says_nothing_of_it(step: tuple[str, int] | None) -> None:
    """Such as a truncated kernel image, too little memory, a panic at init: `error`, whatever the case expects."""
    ending = Ending(kind=K.CRASHED, reason="the kernel died: Oops", crash="Oops", console_tail=("Oops",), step=step)
    found = outcome_of(sample_case(), CaseRecord(ending=ending))
    assert (found.kind, found.reason) == (K.LOST, "the kernel died: Oops, before the case's first step")
    assert (found.crash, found.console_tail) == ("Oops", ("Oops",))
    dies = Expectation(
        outcome=K.CRASHED, reason="r", known_bug=True, stage=Stage.OPEN, step="open target", panic=("Oops",)
    )
    assert judge(found, dies)[0] == Verdict.ERROR


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
    assert "a record came that is no struct event (bpf/include/event.h): undecodable 2 bytes 00ff" in found.reason


def test_an_undecodable_event_of_ours_misbehaves() -> None:
    found = events(lambda line: {**line, "event": {"time_ns": 0, "kind": "undecodable", "raw": "00"}})
    assert found.kind == K.MISBEHAVES


# --- steps of its own, one by one -------------------------------------------------------------------------------------

PATHS = {name: PurePosixPath(name) for name in ("target.bpf.c", "tracer.bpf.c")}
FAILED = "libbpf: prog 'fexit': failed to attach: Invalid argument"
NO = {"ok": False, "refused": True, "errno": 22, "errno_name": "EINVAL", "detail": FAILED, "log": ""}
RECORDS: list[Line] = [
    {"kind": "target", "retval": None},
    {"kind": "fexit", "retval": 2},
    {"kind": "fexit", "retval": 2},
]
IDS = {"target.main": 7, "tracer.fexit": 8}
FOUND: dict[str, dict[str, Any]] = {
    "again": NO,
    "run": {"retval": 2},
    "trace": {"events": len(RECORDS), "lost": 0},
    "info": {"info": {"type": 2, "target_obj_id": 7}, "ids": IDS},
}


def key_of(told: dict[str, Any]) -> str:
    return "info" if told["op"] == "info" else str(told["what"])


def reported(records: Sequence[Line] = RECORDS, **changes: dict[str, Any]) -> CaseRecord:
    """What the agent reports of the case `steps_case`; `changes` are of the steps that `FOUND` names."""
    lines = []
    for index, step in enumerate(steps_case().steps):
        told = step.job()
        key = key_of(told)
        base: Line = {name: told[name] for name in ("stage", "op", "what", "phase") if name in told}
        shows = told["op"] in ("attach", "trigger", "read-trace", "info")
        found: dict[str, Any] = FOUND.get(key, {}) if shows else {}
        line: Line = {"index": index, **base, "ok": True}
        lines.append({**line, **found, **changes.get(key, {})})
    events = tuple({"phase": "look-1", "ours": True, "event": event} for event in records)
    end = {"seconds": 1.0, "kernel_log": [], "complete": True, "signal": None, "timed_out": False}
    return CaseRecord(steps=tuple(lines), events=events, end=end)


def walked(records: Sequence[Line] = RECORDS, **changes: dict[str, Any]) -> Outcome:
    return outcome_of(steps_case(), reported(records, **changes))


def test_a_case_with_steps_works_where_each_shows_what_it_must() -> None:
    found = walked()
    assert (found.kind, found.stage, found.errno) == (K.WORKS, None, None), found.reason
    assert [(event["kind"], event["retval"], event["side"], event["phase"]) for event in found.events] == [
        ("target", None, None, "look-1"),
        ("fexit", 2, None, "look-1"),
        ("fexit", 2, None, "look-1"),
    ]
    assert walked(again={"errno": 16, "errno_name": "EBUSY"}).kind == K.WORKS, "either errno will do"
    said = {"detail": "no", "log": "it failed", "asked": {"api": "BPF_LINK_CREATE"}}
    assert walked(again=said).kind == K.WORKS, "the words may stand in the log"


@pytest.mark.parametrize(
    ("changes", "stage", "reason"),
    [
        (
            {"again": {"ok": True}},
            Stage.ATTACH_TRACER,
            "attach again must be refused with EINVAL or EBUSY, but was accepted",
        ),
        (
            {"again": {"errno": 7, "errno_name": "E2BIG"}},
            Stage.ATTACH_TRACER,
            "attach again must be refused with EINVAL or EBUSY, but was with E2BIG",
        ),
        ({"again": {"detail": "no"}}, Stage.ATTACH_TRACER, "nothing in the log of attach again matches /failed/"),
        (
            # A mistyped name, refused with an errno that is among the expected ones.
            {"again": {"detail": "failed", "asked": {"api": "bpf_object__find_program_by_name"}}},
            Stage.ATTACH_TRACER,
            "attach again must be refused by the kernel or by libbpf after reading this kernel, but was by libbpf "
            "alone, as on any kernel",
        ),
        (
            {"again": {"detail": "libbpf: failed"}},
            Stage.ATTACH_TRACER,
            "attach again must be refused by the kernel or by libbpf after reading this kernel, but was by an unknown "
            "party",
        ),
        ({"run": {"retval": 3}}, Stage.TRIGGER, "trigger run must return 2, but returned 3"),
        ({"run": {"retval": None}}, Stage.TRIGGER, "trigger run must return 2, but returned None"),
        (
            {"info": {"info": {"type": 3, "target_obj_id": 7}}},
            Stage.OBSERVE,
            "the type of fexit must be 2, but is 3",
        ),
        (
            {"info": {"info": {"type": 2, "target_obj_id": 8}}},
            Stage.OBSERVE,
            "the target_obj_id of fexit must be target.main, but is 8",
        ),
        (
            {"info": {"info": {"type": 2}, "ids": {}}},
            Stage.OBSERVE,
            "the target_obj_id of fexit must be target.main, but is None",
        ),
        (
            {"again": {"ok": True}, "run": {"retval": 3}},
            Stage.ATTACH_TRACER,
            "attach again must be refused with EINVAL or EBUSY, but was accepted; "
            "trigger run must return 2, but returned 3",
        ),
    ],
)
def test_a_step_that_shows_another_thing_misbehaves(changes: dict[str, Any], stage: Stage, reason: str) -> None:
    found = walked(**changes)
    assert (found.kind, found.stage, found.reason) == (K.MISBEHAVES, stage, reason)
    assert judge(found, WORKS)[0] == Verdict.FAIL


@pytest.mark.parametrize(
    ("records", "came"),
    [
        ([RECORDS[1], RECORDS[0], RECORDS[2]], "fexit, target, fexit"),
        (RECORDS[:2], "target, fexit"),
        ([*RECORDS, RECORDS[1]], "target, fexit x 3"),
    ],
)
def test_the_trace_misbehaves_in_order_and_number(records: list[Line], came: str) -> None:
    found = walked(records, trace={"events": len(records)})
    assert (found.kind, found.stage) == (K.MISBEHAVES, Stage.OBSERVE)
    assert found.reason == f"in the trace target, fexit x 2 must be seen, but {came} came"


@pytest.mark.parametrize("change", [{"events": 2}, {"events": 4}, {"lost": 1}, {"lost": None}])
def test_a_trace_that_is_not_whole_is_no_answer(change: dict[str, Any]) -> None:
    found = walked(trace=change)
    assert found.kind == K.LOST
    assert "events were lost" in found.reason


@pytest.mark.parametrize("count", range(12))
def test_fewer_steps_than_the_case_has_are_no_answer(count: int) -> None:
    record = reported()
    assert len(record.steps) == 12
    found = outcome_of(steps_case(), replace(record, steps=record.steps[:count]))
    assert (found.kind, found.reason) == (K.LOST, "the agent reported other steps than the case has")


@pytest.mark.parametrize("index", range(12))
def test_a_step_that_is_left_out_or_another_is_no_answer(index: int) -> None:
    record = reported()
    steps = list(record.steps)
    assert outcome_of(steps_case(), replace(record, steps=(*steps[:index], *steps[index + 1 :]))).kind == K.LOST
    for name in ("stage", "op", "what", "phase"):
        other = {**steps[index], name: "other" if name != "stage" else "trigger" if index != 8 else "detach"}
        changed_steps = (*steps[:index], other, *steps[index + 1 :])
        assert outcome_of(steps_case(), replace(record, steps=changed_steps)).kind == K.LOST, name


def test_more_steps_than_the_case_has_are_no_answer() -> None:
    record = reported()
    assert outcome_of(steps_case(), replace(record, steps=(*record.steps, record.steps[-1]))).kind == K.LOST


def test_a_refusal_of_a_step_that_must_work_ends_the_walk_and_keeps_what_was_wrong_before() -> None:
    record = reported(again={"ok": True})
    steps = [*record.steps[:6], {**record.steps[6], **NO, "errno": 524, "errno_name": "ENOTSUPP"}]
    found = outcome_of(steps_case(), replace(record, steps=tuple(steps), events=()))
    assert (found.kind, found.stage, found.errno_name) == (K.REFUSED, Stage.ATTACH_TRACER, "ENOTSUPP")
    trigger = {**record.steps[8], **NO}
    found = outcome_of(steps_case(), replace(record, steps=(*record.steps[:8], trigger), events=()))
    assert (found.kind, found.stage) == (K.MISBEHAVES, Stage.ATTACH_TRACER)
    assert found.reason.startswith("attach again must be refused with EINVAL or EBUSY, but was accepted; trigger run")


REFUSED_IN_THE_END: list[Line] = [
    {"do": "load", "object": "target"},
    {"do": "trigger", "trigger": {"kind": "run", "program": "target.main", "retval": 2}},
    {"do": "load", "object": "tracer", "refused": "EACCES", "message": "no such"},
    {"do": "load", "object": "tracer"},
]


@pytest.mark.parametrize(
    ("retval", "early", "kind", "stage"),
    [
        (2, {**NO, "errno_name": "EACCES", "log": "no such"}, K.REFUSED, Stage.LOAD_TRACER),
        (2, NO, K.REFUSED, Stage.LOAD_TRACER),  # with another errno: what refuses everything refuses this, too
        (2, {**NO, "errno_name": "EACCES"}, K.MISBEHAVES, Stage.LOAD_TRACER),
        (2, {"ok": True}, K.MISBEHAVES, Stage.LOAD_TRACER),
        (3, {**NO, "errno_name": "EACCES", "log": "no such"}, K.MISBEHAVES, Stage.TRIGGER),
        (3, NO, K.MISBEHAVES, Stage.TRIGGER),
    ],
)
def test_a_refusal_in_the_end_does_not_hide_that_the_positive_control_failed(
    retval: int, early: Line, kind: K, stage: Stage
) -> None:
    case = steps_case(*REFUSED_IN_THE_END)
    loads = iter([{}, early, NO])
    lines = []
    for index, step in enumerate(case.steps):
        found: Line = next(loads) if step.op == "load" else {"retval": retval} if step.op == "trigger" else {}
        lines.append({"index": index, "ok": True, **step.job(), **found})
    end = {"seconds": 1.0, "kernel_log": [], "complete": True, "signal": None, "timed_out": False}
    outcome = outcome_of(case, CaseRecord(steps=tuple(lines), events=(), end=end))
    assert (outcome.kind, outcome.stage) == (kind, stage), outcome.reason
    assert outcome.reason.endswith(f"load tracer: EINVAL ({FAILED})")


def test_of_several_triggers_the_last_connection_is_looked_at_as_the_agent_does() -> None:
    """The agent tells its own events by the ports of the last trigger before the look."""
    written = written_case()
    lines = golden_lines()
    trigger = next(line for line in lines if line.get("op") == "trigger")
    before = {**trigger, "ends": {"client": ["127.0.0.1", 1], "server": ["127.0.0.1", 2]}}
    steps = [{"do": "trigger", "trigger": {"kind": "tcp-connect"}}] * 2
    look = {"do": "observe", "expect": written.observe.model_dump(mode="json") if written.observe else {}}
    record = record_of(lines)
    told = [
        {**before, "phase": "look-1"},
        {**trigger, "phase": "look-1"},
        {**next(line for line in lines if line.get("op") == "observe"), "phase": "look-1"},
    ]
    seen = tuple({**event, "phase": "look-1"} for event in record.events if event["phase"] == "observe")
    found = outcome_of(steps_case(*steps, look, events="events"), replace(record, steps=tuple(told), events=seen))
    assert found.kind == K.WORKS, found.reason
    assert [event["side"] for event in found.events] == ["client"] * 3 + ["listener"]


# --- a transcript cut anywhere, through the whole way from the guest's lines to the cell ------------------------------


def cell_of(folder: Path, data: bytes, **keys: Any) -> Outcome:
    """Run a whole kernel whose guests write `data`, and return its one cell's outcome."""
    cases = [sample_case()]
    plan = guest_plan(folder)
    run = run_kernel(plan, cases, boot=lambda plan, pending: session_of(folder / "r", data, **keys))
    (cell,) = cells_of(run, cases)
    return cell.outcome


WHOLE = golden_bytes()
MARKER = WHOLE.index(b'"type": "case-end"')
ANSWERED = WHOLE.index(b"\n", MARKER)
"""Where the case's completion marker ends; before it there is no answer."""

FAILURES = [None, GuestConnectionError("broke"), DeadlineError("case", 30, "running it")]
DEATHS = [(None, ""), ("guest-reset", ""), ("guest-reset", "Kernel panic - not syncing: x"), ("guest-shutdown", "")]


def test_a_whole_transcript_works_through_the_session(tmp_path: Path) -> None:
    assert cell_of(tmp_path, WHOLE, reason="guest-shutdown").kind == K.WORKS


def test_a_guest_whose_clock_is_too_fast_is_booted_again_and_its_answers_do_not_count(tmp_path: Path) -> None:
    """What it waited for was waited for too short."""
    wrong = WHOLE.replace(b'"uptime": 3.21', b'"uptime": 1e12')
    plan, cases = guest_plan(tmp_path), [sample_case()]
    answers = iter([wrong, WHOLE])
    run = run_kernel(plan, cases, boot=lambda plan, pending: session_of(tmp_path / "r", next(answers)))
    (cell,) = cells_of(run, cases)
    assert (cell.outcome.kind, run.boots) == (K.WORKS, 2)
    (notice,) = run.notices
    assert "the guest's clock says that it is up for 1000000000000.00 s" in notice
    assert cell_of(tmp_path, wrong).kind == K.LOST


BOUNDARIES = [index for index, byte in enumerate(WHOLE[: ANSWERED + 1]) if byte == ord("\n")]


@pytest.mark.parametrize("failure", FAILURES, ids=["ended", "broke", "deadline"])
def test_a_transcript_cut_around_any_line_end_never_works(tmp_path: Path, failure: Exception | None) -> None:
    for boundary in [0, *BOUNDARIES]:
        for cut in range(boundary - 1, boundary + 3):
            if 0 <= cut < ANSWERED:
                found = cell_of(tmp_path, WHOLE[:cut], failure=failure, reason="guest-shutdown")
                assert found.kind == K.LOST, WHOLE[:cut][-60:]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    cut=st.integers(min_value=0, max_value=ANSWERED - 1),
    failure=st.sampled_from(FAILURES),
    death=st.sampled_from(DEATHS),
)
def test_a_transcript_cut_at_any_byte_never_works(
    tmp_path: Path, cut: int, failure: Exception | None, death: tuple[str | None, str]
) -> None:
    reason, console = death
    found = cell_of(tmp_path, WHOLE[:cut], failure=failure, reason=reason, console=console)
    died = "panic" in console or reason == "guest-reset"
    begun = b'"type": "step"' in WHOLE[: WHOLE.rfind(b"\n", 0, cut) + 1]
    assert found.kind == (K.CRASHED if died and begun else K.LOST)
    assert judge(found, WORKS)[0] in (Verdict.FAIL, Verdict.ERROR)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sets(st.integers(min_value=0, max_value=29), min_size=1, max_size=29))
def test_a_transcript_without_some_of_its_lines_never_works(tmp_path: Path, dropped: set[int]) -> None:
    lines = [line for index, line in enumerate(WHOLE.splitlines(keepends=True)) if index not in dropped]
    assert cell_of(tmp_path, b"".join(lines), reason="guest-shutdown").kind == K.LOST


def test_a_marker_without_the_final_count_still_answers_the_case_and_is_told(tmp_path: Path) -> None:
    result = session_of(tmp_path / "r", WHOLE[: ANSWERED + 1], reason="guest-shutdown")
    assert outcome_of(sample_case(), result.records[CASE_ID]).kind == K.WORKS
    assert [problem for problem in result.problems if "without its completion marker" in problem]


def test_the_wrong_kernel_is_never_judged(tmp_path: Path) -> None:
    other = WHOLE.replace(b'"release": "6.1.0-50-cloud-amd64"', b'"release": "6.1.0-49-cloud-amd64"')
    found = cell_of(tmp_path, other, reason="guest-shutdown")
    assert found.kind == K.LOST
    assert "6.1.0-49-cloud-amd64" in found.reason
    assert "6.1.0-50-cloud-amd64 was booted" in found.reason


def test_a_kernel_that_resets_while_powering_off_is_told(tmp_path: Path) -> None:
    result = session_of(tmp_path / "r", WHOLE, reason="guest-reset")
    assert outcome_of(sample_case(), result.records[CASE_ID]).kind == K.WORKS
    assert [problem for problem in result.problems if "while powering off: the kernel reset" in problem]


INFO_OF = {
    "info": {"name": "fexit", "attach_btf_obj_id": 31, "attach_btf_id": 0},
    "ids": IDS,
    "programs": {"target.main": {"btf_id": 31, "function_btf_id": 0}},
}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "=fexit", "attach_btf_obj_id": "target.main:btf_id"}, None),
        ({"name": "fexit"}, "the name of tracer.fexit must be fexit, but is fexit"),
        ({"name": "=other"}, "the name of tracer.fexit must be =other, but is fexit"),
        ({"attach_btf_obj_id": "target.main:id"}, "must be target.main:id, but is 31"),
        ({"attach_btf_id": "target.main:function_btf_id"}, "must be target.main:function_btf_id, but is 0"),
        ({"attach_btf_obj_id": "target.x:btf_id"}, "must be target.x:btf_id, but is 31"),
    ],
)
def test_fields_are_compared_with_texts_and_other_programs_fields(fields: dict[str, Any], reason: str | None) -> None:
    case = steps_case({"do": "load", "object": "target"}, {"do": "info", "program": "tracer.fexit", "expect": fields})
    lines: list[Line] = []
    for index, step in enumerate(case.steps):
        told = step.job()
        base: Line = {name: told[name] for name in ("stage", "op", "what", "phase") if name in told}
        lines.append({"index": index, **base, "ok": True, **(INFO_OF if told["op"] == "info" else {})})
    end: Line = {"complete": True, "signal": None, "timed_out": False, "seconds": 1.0, "kernel_log": []}
    found = outcome_of(case, CaseRecord(steps=tuple(lines), end=end))
    if reason is None:
        assert found.kind == K.WORKS, found.reason
    else:
        assert (found.kind, found.stage) == (K.MISBEHAVES, Stage.OBSERVE)
        assert reason in found.reason
