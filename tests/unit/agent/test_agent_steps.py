"""The steps of a case."""

# ruff: noqa: ARG002, ARG005  (what stands in for something else takes what that takes)

from __future__ import annotations

import os
from typing import Any

import pytest
from agent_pipe import Pipe
from agent_samples import Played
from unit_samples import CASE_ID

from harness.agent import steps as agent_steps
from harness.agent.events import EventReader, decode_event
from harness.agent.libbpf import Libbpf
from harness.agent.reporter import Reporter
from harness.agent.steps import Case
from harness.agent.triggers import TRIGGERS


def test_a_record_that_cannot_be_decoded_is_the_cases_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """It carries no port to tell it by, and nobody else writes to this map: "nothing came" would be wrong."""
    reported: list[dict[str, Any]] = []

    class Reader(EventReader):
        def __init__(self, lib: Libbpf, fd: int) -> None:
            self.lost = 0

        def read(self, *, enough: Any, seconds: float) -> list[dict[str, Any]]:
            return [decode_event(b"\x01\x02"), {"kind": "kprobe", "sport": 22, "dport": 0}]

    class Lines(Reporter):
        def __init__(self) -> None:
            pass

        def hold(self, kind: str, **fields: Any) -> None:
            reported.append(fields)

    ends = {"client": ["127.0.0.1", 1], "server": ["127.0.0.1", 2]}
    monkeypatch.setattr(agent_steps, "EventReader", Reader)
    monkeypatch.setitem(TRIGGERS, "tcp-connect", lambda state, step: {"ends": ends})
    case = Case(Lines(), Played(), {"id": CASE_ID, "steps": []})
    case.do_open({"object": "target", "path": "target.bpf.o"})
    case.do_listen({"object": "target", "map": "events"})
    assert case.do_trigger({"kind": "tcp-connect"}) == {"ends": ends}
    found = case.do_observe({"map": "events", "count": 1, "seconds": 0, "phase": "observe"})
    assert found == {"events": 2, "lost": 0}
    assert [(line["ours"], line["event"]["kind"]) for line in reported] == [(True, "undecodable"), (False, "kprobe")]


def test_a_step_that_is_not_done_is_not_announced_on_the_console(pipe: Pipe) -> None:
    reading, writing = os.pipe()
    case = Case(Reporter(pipe.writing, console=writing), Played(), {"id": "c", "deadline": 1.0, "steps": []})
    step = {"stage": "observe", "op": "wait", "what": "", "seconds": 0.0}
    assert case.execute(0, {**step, "skip": {"measured": {}}})["measured"] == {}
    case.execute(1, step)
    os.close(writing)
    assert os.read(reading, 1000) == b"bpfmatrix: step c 1\n"
    os.close(reading)
