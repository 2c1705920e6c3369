"""What makes a command start and end fast, without taking from its user what he has said."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest
from unit_samples import ROOT

from harness.host import start_up


@pytest.mark.parametrize(("arguments", "kept"), [([], "True"), (["-B"], "False")])
def test_bytecode_is_kept_unless_the_user_forbids_it(arguments: list[str], kept: str) -> None:
    """Invoke forbids it to all that it runs."""
    code = "import sys; from harness.host import start_up; sys.dont_write_bytecode = True; start_up.prepare(); "
    code += "print(not sys.dont_write_bytecode)"
    argv = [sys.executable, *arguments, "-c", code]
    assert subprocess.run(argv, cwd=ROOT, env={}, capture_output=True, text=True, check=True).stdout.strip() == kept


@pytest.mark.parametrize("code", [0, 3])
def test_a_command_leaves_with_its_exit_code_and_without_looking_for_garbage(code: int) -> None:
    try:
        with pytest.raises(SystemExit) as leaving:
            start_up.leave(code)
        assert leaving.value.code == code
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
