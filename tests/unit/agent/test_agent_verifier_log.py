"""The verifier's log of a refusal."""

from __future__ import annotations

from typing import Any

import pytest

from harness.agent.verifier_log import LOG_HEAD, LOG_TAIL, VerifierLog, log_room


@pytest.mark.parametrize(
    ("release", "memory", "room"),
    [
        ("6.1.0-50-cloud-amd64", 2**30, 64 * 2**20),
        ("5.2.0", 2**30, 64 * 2**20),
        ("5.1.21-mine", 2**30, 2**24 - 1),
        ("4.19", 2**30, 2**24 - 1),
        ("6.12.107+deb13-cloud-amd64", 2**27, 2**25),
        ("strange", 2**30, 2**24 - 1),
    ],
)
def test_the_log_has_as_much_room_as_the_kernel_and_the_guest_allow(release: str, memory: int, room: int) -> None:
    assert log_room(release, memory) == room


def written(text: str, size: int = 1 << 20) -> Any:
    log = VerifierLog(size)
    log.memory[: len(text)] = text.encode()
    return log


def test_a_log_that_fits_is_whole() -> None:
    log = written("R1 type=ctx expected=fp\n")
    assert (log.text(), log.full()) == ("R1 type=ctx expected=fp", False)
    log.clear()
    assert log.text() == ""


def test_of_a_long_log_the_beginning_and_the_end_are_kept_in_whole_lines() -> None:
    lines = [f"{number}: (b7) r0 = {number}" for number in range(20_000)]
    whole = "\n".join([*lines, "R0 invalid mem access 'map_value_or_null'", ""])
    text = written(whole).text()
    first, _, rest = text.partition("[bpfmatrix: ")
    left_out, _, last = rest.partition("]\n")
    assert whole.startswith(first)
    assert whole.endswith(last + "\n")
    assert last.endswith("R0 invalid mem access 'map_value_or_null'")
    assert left_out == f"{len(whole) - len(first) - len(last) - 1} of {len(whole)} bytes are left out here"
    assert len(text) < LOG_HEAD + LOG_TAIL + 100
