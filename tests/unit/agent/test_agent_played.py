"""Whole jobs with a kernel that is played: agent, protocol and judge agree."""

# ruff: noqa: ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import pytest
from agent_samples import Played, Quiet, ended
from unit_samples import sample_case

from harness.facts.transcript import Transcript
from harness.guest_agent import main
from harness.model.results import Origin, OutcomeKind, Stage
from harness.scenario.jobs import job_of


@pytest.fixture
def play(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[[Played], Transcript]:
    """Run the agent's main() on a job of the sample case, with a played kernel; returns what the host makes of it."""

    def run(kernel: Played) -> Transcript:
        paths = {name: PurePosixPath("/x") / name for name in ("target.bpf.c", "tracer.bpf.c")}
        job = job_of([(sample_case(), paths)], deadline=10)
        for each in job["cases"][0]["steps"]:
            if each["op"] == "observe":
                each["seconds"] = 0.1
        (tmp_path / "job.json").write_text(json.dumps(job))
        monkeypatch.setattr("harness.guest_agent.Libbpf", lambda: kernel)
        monkeypatch.setattr("harness.guest_agent.KernelLog", Quiet)
        monkeypatch.setattr("harness.agent.steps.TRIGGERS", {"tcp-connect": kernel.connect})
        monkeypatch.setattr(resource, "setrlimit", lambda *anything: None)
        capfd.readouterr()
        main(str(tmp_path / "job.json"))
        transcript = Transcript()
        for line in capfd.readouterr().out.encode().split(b"\n"):
            transcript.feed(line)
        assert transcript.done
        return transcript

    return run


def test_agent_protocol_and_judge_agree_on_a_kernel_that_works(play: Callable[[Played], Transcript]) -> None:
    transcript = play(Played())
    found = ended(transcript)
    assert found.kind == OutcomeKind.WORKS, found.reason
    assert [event["kind"] for event in found.events] == ["fentry", "kprobe", "fexit", "kprobe", "kprobe", "kprobe"]
    assert transcript.environment["release"] == os.uname().release
    assert transcript.environment["byte_order"] == sys.byteorder


@pytest.mark.parametrize(
    ("what", "number", "name", "stage"),
    [
        ("load-target", 22, "EINVAL", Stage.LOAD_TARGET),
        ("load-tracer", 13, "EACCES", Stage.LOAD_TRACER),
        ("fentry_tcp_connect", 524, "ENOTSUPP", Stage.ATTACH_TRACER),
        ("fexit_tcp_connect", 95, "EOPNOTSUPP", Stage.ATTACH_TRACER),
        ("k_tcp_connect", 2, "ENOENT", Stage.ATTACH_TARGET),
    ],
)
def test_a_refusal_is_carried_to_the_outcome(
    what: str, number: int, name: str, stage: Stage, play: Callable[[Played], Transcript]
) -> None:
    found = ended(play(Played(refuse={what: number})))
    assert (found.kind, found.stage, found.errno, found.errno_name) == (OutcomeKind.REFUSED, stage, number, name)
    assert f"libbpf: {what}: failed" in found.reason
    assert found.log == ("R1 type=ctx expected=fp" if what.startswith("load") else "")
    # The origin is that of what was asked and said, and what was asked is carried, too.
    assert found.origin == (Origin.SYSTEM_CALL if what.startswith("load") or number == 524 else Origin.UNKNOWN)
    section = "kprobe/k_tcp_connect" if what.startswith("k_") else f"fentry/{what}"
    assert what.startswith("load") or found.asked["section"] == section
    assert "api" in found.asked


def test_a_tracer_that_fires_after_its_end_is_noticed(play: Callable[[Played], Transcript]) -> None:
    found = ended(play(Played(ghost=True)))
    assert found.kind == OutcomeKind.MISBEHAVES
    assert found.reason.startswith("with the tracers detached")


def test_lost_events_are_noticed(play: Callable[[Played], Transcript]) -> None:
    found = ended(play(Played(lose=True)))
    assert found.kind == OutcomeKind.LOST
    assert "events were lost" in found.reason
