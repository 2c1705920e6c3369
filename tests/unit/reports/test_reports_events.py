"""Events as lines."""

from __future__ import annotations

import pytest
from reports_sample import SEEN

from harness.reports.events import event_line, event_lines


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (SEEN[0], "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (fentry)"),
        (SEEN[1], "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (kprobe)"),
        (SEEN[2], "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (fexit: 0)"),
        (SEEN[3], "new tcp connection: 127.0.0.1:443 -> 0.0.0.0:0 (kprobe)"),
        ({**SEEN[2], "retval": -22}, "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (fexit: -22)"),
        ({**SEEN[0], "saddr": "::1"}, "new tcp connection: [::1]:40296 -> 127.0.0.1:443 (fentry)"),
        ({"kind": "test_run", "retval": 7, "ok": True, "x": None}, "test_run retval=7 ok=true x=null"),
        ({**SEEN[0], "daddr": None}, "fentry saddr=127.0.0.1 sport=40296 daddr=null dport=443 retval=null side=client"),
        ({"word": "a\nb\x1b[0m", "list": [1, {"a": "b"}]}, 'event word=a b list=[1, {"a": "b"}]'),
        ({"kind": "undecodable", "time_ns": 5, "phase": "observe", "raw": "00"}, "undecodable raw=00"),
        ({}, "event"),
    ],
)
def test_event_line(event: dict[str, object], line: str) -> None:
    assert event_line(event) == line


def test_the_negative_control_is_told_apart() -> None:
    assert event_lines(SEEN) == (
        "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (fentry)",
        "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (kprobe)",
        "new tcp connection: 127.0.0.1:40296 -> 127.0.0.1:443 (fexit: 0)",
        "new tcp connection: 127.0.0.1:443 -> 0.0.0.0:0 (kprobe)",
        "with the tracers detached:",
        "new tcp connection: 127.0.0.1:40298 -> 127.0.0.1:443 (kprobe)",
    )
    assert event_lines((SEEN[4], SEEN[4], SEEN[0])).count("with the tracers detached:") == 1
    assert event_lines(()) == ()
