"""Bad input and the messages for it: golden/matrix-*.yaml, case-*.yaml, expectations-*.yaml, each with its .txt.

After a wanted change of wording: run with BPFMATRIX_WRITE_GOLDEN=1 and read the difference.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from config_samples import write_case, write_expectations

from harness.config.case_folders import load_case
from harness.config.matrix import load_matrix
from harness.errors import EXIT_USAGE, ConfigError

GOLDEN = Path(__file__).parent / "golden"
INPUTS = sorted(GOLDEN.glob("*.yaml"))
INTERNALS = ("tagged-union", "literal[", "constrained", "function-", "tuple[", "[key]", "Input should")


@pytest.mark.parametrize("bad", INPUTS, ids=lambda path: path.stem)
def test_messages_for_bad_input(bad: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    case, shared = write_case(Path("bpf/sample")), write_expectations(Path("bpf"))
    kind = bad.stem.partition("-")[0]
    path = {"matrix": Path("matrix.yaml"), "case": case / "case.yaml", "expectations": shared}[kind]
    shutil.copy(bad, path)
    with pytest.raises(ConfigError) as caught:
        load_matrix(path) if kind == "matrix" else load_case(case)
    message = f"{caught.value}\n"
    golden = bad.with_suffix(".txt")
    if os.environ.get("BPFMATRIX_WRITE_GOLDEN"):
        golden.write_text(message, encoding="utf-8")
    assert message == golden.read_text(encoding="utf-8")
    assert caught.value.exit_code == EXIT_USAGE
    assert all(line.startswith(f"{path}:") for line in message.splitlines())
    assert not [word for word in INTERNALS if word in message]


def test_every_golden_file_has_its_partner() -> None:
    assert len(INPUTS) >= 15
    assert {path.stem for path in INPUTS} == {path.stem for path in GOLDEN.glob("*.txt")}
