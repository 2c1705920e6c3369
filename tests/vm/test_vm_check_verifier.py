"""What the verifier refuses in programs of one's own has a class that says what to do, on old kernels and new ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from projects import ROOT, TemporaryProject, run

pytestmark = [pytest.mark.vm, pytest.mark.timeout(900)]

OLD, NEW = "5.10-x86_64", "7.3-x86_64"
EVERYWHERE: dict[str, tuple[str | None, str | None]] = {
    "null_read": ("EACCES", "null-unchecked"),
    "null_passed": ("EACCES", "null-unchecked"),
    "bare_number": ("EACCES", "not-a-pointer"),
    "unset_register": ("EACCES", "uninitialized"),
    "unbounded_index": ("EACCES", "bounds-unchecked"),
    "beyond_value": ("EACCES", "bounds-unchecked"),
    "beyond_packet": ("EACCES", "bounds-unchecked"),
    "beyond_stack": ("EACCES", "bounds-unchecked"),
    "length_may_be_negative": ("EACCES", "bounds-unchecked"),
    "beyond_structure": ("EACCES", "bounds-unchecked"),
    "endless": ("EINVAL", "endless-loop"),
    "unreachable": ("EINVAL", "unreachable-code"),
    "misaligned": ("EACCES", "misaligned"),
    "leaks_record": ("EINVAL", "reference-leak"),
    "wrong_argument": ("EACCES", "argument-type"),
    "wrong_map": ("EINVAL", "map-of-another-kind"),
    "no_program_array": ("EINVAL", "map-of-another-kind"),
    "shifts_pointer": ("EACCES", "pointer-arithmetic"),
    "writes_constant": ("EACCES", "read-only"),
    "writes_context": ("EACCES", "context-access"),
    "writes_task": ("EACCES", "read-only"),
    "keeps_lock": ("EINVAL", "lock-held"),
    "restricted": ("EINVAL", "license"),
}
"""By program: the errno, and the class."""
CHANGED: dict[str, dict[str, tuple[str | None, str | None]]] = {
    OLD: {
        "unset_stack": ("EACCES", "uninitialized"),
        "kernel_function_of_others": ("EINVAL", "kernel-symbol-absent"),
        "kernel_function_otherwise": ("EINVAL", "kernel-symbol-absent"),
    },
    NEW: {
        "unset_stack": (None, ""),  # who may read kernel memory may read the stack so since 6.3
        "kernel_function_of_others": ("EACCES", "kernel-function-not-allowed"),
        "kernel_function_otherwise": ("EINVAL", "kernel-function-arguments"),
    },
}
"""What the kernels do not have in common."""


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """The programs by kernel and name."""
    folder = tmp_path_factory.mktemp("verifier")
    project = TemporaryProject(folder / "project", kernels=(OLD, NEW))
    sources = [
        ROOT / f"tests/inputs/programs/{name}.bpf.c" for name in ("refused", "locks", "otherwise", "proprietary")
    ]
    done = run("check", *sources, "--matrix-file", project.matrix_file, "--results", folder / "r", seconds=800)
    report: dict[str, Any] = json.loads((Path(folder) / "r/latest/report.json").read_text())
    assert report["cells"], done.output
    found: dict[str, dict[str, Any]] = {OLD: {}, NEW: {}}
    for cell in report["cells"]:
        found[cell["kernel"]] |= {part["name"]: part for part in cell["parts"]}
    return found


@pytest.mark.parametrize("kernel", [OLD, NEW])
@pytest.mark.parametrize("program", [*EVERYWHERE, *CHANGED[OLD]])
def test_a_refusal_of_the_verifier_has_a_class(program: str, kernel: str, parts: dict[str, dict[str, Any]]) -> None:
    found = parts[kernel][program]
    errno, name = {**EVERYWHERE, **CHANGED[kernel]}[program]
    assert (found["errno_name"], found["refusal"]) == (errno, name), (found["reason"], found.get("log"))
