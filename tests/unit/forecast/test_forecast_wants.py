"""What an object wants, as a value."""

from __future__ import annotations

from harness.forecast.wants import WantedProgram


def test_a_program_begins_with_its_first_function() -> None:
    assert WantedProgram(name="it", section="xdp", functions=[(3, 8), (1, 0)]).place == (3, 8)
