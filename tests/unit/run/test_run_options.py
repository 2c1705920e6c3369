"""What a command line asks of a run is a value, and a wrong one is none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.model.accelerators import ACCELERATORS
from harness.run.options import Options
from harness.supply.project import Project

PLAIN = Options(project=Project(matrix_file=Path("matrix.yaml")))


def test_what_is_not_asked_for_is_left_to_the_matrix() -> None:
    assert (PLAIN.kernels, PLAIN.arches, PLAIN.cases, PLAIN.own_cases) == ((), (), (), ())
    assert (PLAIN.results, PLAIN.accel, PLAIN.jobs, PLAIN.resume) == (None, None, None, None)
    assert not PLAIN.locked and not PLAIN.cold


def test_an_accelerator_that_there_is_not_is_wrong_usage_however_it_gets_there() -> None:
    assert [replace(PLAIN, accel=name).accel for name in ACCELERATORS] == list(ACCELERATORS)
    with pytest.raises(UsageError, match="--accel takes"):
        Options(project=PLAIN.project, accel="hvf")
    with pytest.raises(UsageError, match="--accel takes"):
        replace(PLAIN, accel="hvf")
