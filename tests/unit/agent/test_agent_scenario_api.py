"""What a scenario.py works with: types for editors, and the names that a scenario imports."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from unit_samples import ROOT

from harness import guest_api
from harness.agent import scenario_api

GOOD = """
from harness.guest_api import Guest, StepRefused

def scenario(guest: Guest) -> None:
    target = guest.open("target.bpf.c", rodata={"wanted": 7})
    target.load()
    link = target.attach("program")
    events = guest.ring_buffer(target, "events", record="struct event").read(count=3)
    guest.expect(len(events) == 3, "three events come")
    number: int = guest.trigger.run(target, "program")
    with guest.must_refuse("EINVAL", message="R1"):
        target.load()
    try:
        link.detach()
    except StepRefused as refused:
        print(refused.errno.upper(), number)
    for key, value in target.map("counts").items():
        print(key, value, target.globals["seen"])
"""
WRONG = """
from harness.guest_api import Guest

def scenario(guest: Guest) -> None:
    target = guest.opn("target.bpf.c")
    guest.expect("reason")
    guest.trigger.tcp_connect(5)
"""


def test_the_public_name_has_all_of_it() -> None:
    assert all(getattr(guest_api, name) is getattr(scenario_api, name) for name in scenario_api.__all__)


def checked(source: str, folder: Path) -> list[str]:
    path = folder / "scenario.py"
    path.write_text(textwrap.dedent(source))
    argv = [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", str(folder), str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    return done.stdout.splitlines()


@pytest.mark.timeout(300)
def test_a_type_checker_knows_it_and_finds_what_is_wrong(tmp_path: Path) -> None:
    assert checked(GOOD, tmp_path) == ["Success: no issues found in 1 source file"]
    wrong = "\n".join(checked(WRONG, tmp_path))
    assert '"Guest" has no attribute "opn"; maybe "open"?' in wrong
    assert 'Missing positional argument "reason" in call to "expect" of "Guest"' in wrong
    assert 'Argument 1 to "tcp_connect" of "Triggers" has incompatible type "int"; expected "str"' in wrong


def test_a_long_reason_is_one_line_of_bounded_length() -> None:
    given: list[str] = []

    class Runner:
        release = machine = folder = ""

        def step(self, _stage: str, _op: str, what: str = "", **_args: object) -> dict[str, object]:
            given.append(what)
            return {}

    guest = scenario_api.Guest(Runner())  # type: ignore[arg-type]
    assert guest.expect(1, "two\n  lines") is True
    assert guest.expect_equal([1], [2], "x" * 1000) is False
    assert given[0] == "two lines"
    assert len(given[1]) == scenario_api.MOST_SHOWN
