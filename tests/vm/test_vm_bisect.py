"""A bisection over the builds that Debian has of 6.1, with a boundary that is known: 6.1.191 refuses the loop."""

from __future__ import annotations

import pytest
from projects import run

pytestmark = [pytest.mark.vm, pytest.mark.nightly]


def test_the_two_builds_of_a_known_change_are_found() -> None:
    done = run("bisect", "--kernel", "6.1-x86_64", "--case", "freplace-loop", "--bad", "6.1.192", seconds=900)
    assert done.code == 0, done.output
    before, after = (
        next(line.split()[1] for line in done.output.splitlines() if line.startswith(f"{which}: "))
        for which in ("before", "after")
    )
    assert before.startswith(("6.1.18", "6.1.190")), done.output
    assert after.startswith(("6.1.191", "6.1.192")), done.output
    assert "Prevent tailcall infinite loop caused by freplace" in done.output


def test_ends_that_answer_alike_are_refused() -> None:
    done = run("bisect", "--kernel", "6.1-x86_64", "--case", "subprog-global", seconds=900)
    assert done.code == 2, done.output
    assert "are alike" in done.output
