"""Which trials share a guest, what its job is then, and how guests end."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from mutants_samples import CASE, mutant
from unit_samples import kernel_facts, sample_case

from harness.errors import QemuError
from harness.facts.kernel import KernelFacts
from harness.model.results import OutcomeKind
from harness.mutants.guests import Trial, as_they_end, trial_of
from harness.scenario.case import Own
from harness.supply.pushed import NOTHING, Pushed, PushedFile


def test_trials_share_a_guest_where_the_kernel_survives_and_the_command_line_is_the_same() -> None:
    other = replace(CASE, cmdline="lsm=bpf")
    assert Trial(case=CASE).group == Trial(case=sample_case(id="other")).group
    assert Trial(case=other).group != Trial(case=CASE).group
    assert Trial(case=other, mutant=replace(mutant(), cmdline="")).group == Trial(case=CASE).group
    assert Trial(case=CASE, survives=False).group != Trial(case=CASE).group


def brings(*paths: str) -> Pushed:
    return Pushed(files=tuple(PushedFile(path=path, mode=0o100644, size=10, source=Path(path)) for path in paths))


def test_a_case_that_brings_files_to_common_places_shares_a_guest_with_its_own_mutants_alone() -> None:
    own = replace(CASE, own=Own(folder="/root/own"))
    apart = replace(own, isolated=True)
    inside = trial_of(own, brings("/root/own/a"), expected=OutcomeKind.WORKS)
    outside = trial_of(apart, brings("/root/own/a", "/etc/probe"), expected=OutcomeKind.WORKS)
    other = trial_of(replace(apart, id="other"), brings("/etc/probe"), expected=OutcomeKind.WORKS)
    assert inside.group == trial_of(CASE, NOTHING, expected=OutcomeKind.WORKS).group
    assert len({inside.group, outside.group, other.group}) == 3
    assert replace(outside, mutant=mutant()).group == outside.group
    assert not outside.dies
    assert trial_of(apart, NOTHING, expected=OutcomeKind.CRASHED).dies


class Stuck:
    """Work for two guests, of which one fails and the other would never end by itself."""

    def __init__(self, stopping: threading.Event) -> None:
        self._stopping = stopping

    def groups(self, jobs: int) -> list[list[int]]:
        return [[number] for number in range(jobs)]

    def run_group(self, indexes: Sequence[int]) -> tuple[Sequence[int], KernelFacts]:
        if indexes == [0]:
            raise QemuError("this one does not start")
        assert self._stopping.wait(30), "nobody has stopped the other guest"
        return indexes, kernel_facts()


def test_where_one_guest_fails_the_others_end_at_once() -> None:
    stopping = threading.Event()
    with pytest.raises(QemuError, match="does not start"):
        list(as_they_end(Stuck(stopping), jobs=2, stopping=stopping))
    assert stopping.is_set()
