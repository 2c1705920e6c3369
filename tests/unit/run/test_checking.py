"""Objects of one's own need no project: whose kernels they are tried on, and with how much of the host."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit_samples import object_file

from harness.config.matrix import load_matrix
from harness.errors import UsageError
from harness.host import package_data
from harness.run.checking import with_objects
from harness.run.options import Options
from harness.run.prepared import load_plan
from harness.supply.own.said import Given
from harness.supply.project import Project


def test_nothing_to_check_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match="check needs an object"):
        with_objects(Options(project=Project(matrix_file=Path("matrix.yaml"))), [], Given())


def test_guests_get_what_the_objects_ask_for(tmp_path: Path) -> None:
    first, second = object_file(tmp_path / "a"), object_file(tmp_path / "b")
    (tmp_path / "a/check.yaml").write_text("memory: 512\n")
    (tmp_path / "b/check.yaml").write_text("memory: 1024\ncpus: 2\n")
    made = with_objects(Options(project=Project(matrix_file=package_data.matrix_file())), [first, second], Given())
    assert (made.memory, made.cpus) == (1024, 2)
    matrix, plan = load_plan(made)
    assert [case.id for case in plan.cases] == ["a-my", "b-my"]
    given = {
        (kernel.settings(matrix.defaults).memory, kernel.settings(matrix.defaults).cpus) for kernel in plan.kernels
    }
    assert given == {(1024, 2)}
    own = load_matrix(package_data.matrix_file())
    assert own.with_guests(memory=None, cpus=None) is own
