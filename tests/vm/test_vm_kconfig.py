"""A case that needs something of the configuration runs on a kernel that has it; elsewhere only a rule excuses it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from projects import ROOT, TemporaryProject, run

pytestmark = pytest.mark.vm

RULE = {"outcome": "not-applicable", "reason": "Debian has no such thing", "source": "the package's config"}
NEEDS: dict[str, dict[str, Any]] = {
    "met": {"CONFIG_BPF_SYSCALL": "y", "CONFIG_HZ": 250, "CONFIG_VETH": ["y", "m"], "CONFIG_NO_SUCH_OPTION": "n"},
    "unset": {"CONFIG_BPF_SYSCALL": "y", "CONFIG_NO_SUCH_OPTION": ["y", "m"]},
    "other": {"CONFIG_HZ": 1000},
}
RULES = {
    "unset": {**RULE, "kconfig": "CONFIG_NO_SUCH_OPTION", "errno": "ENOENT"},
    "other": {**RULE, "kconfig": "CONFIG_HZ", "errno": "EINVAL"},
}


def test_a_case_runs_on_the_configuration_that_it_needs(tmp_path: Path) -> None:
    project = TemporaryProject(tmp_path / "project", kernels=["6.1-x86_64"])
    for name, kconfig in NEEDS.items():
        for word, rules in (("bare", []), ("ruled", [RULES[name]] if name in RULES else [])):
            folder = project.case(f"{name}-{word}", base=ROOT / "bpf/tc")
            case = yaml.safe_load((folder / "case.yaml").read_text())
            (folder / "case.yaml").write_text(yaml.safe_dump({**case, "kconfig": kconfig, "expect": rules}))
    done = run("matrix", "--matrix-file", project.matrix_file)
    report = json.loads((project.folder / "results/latest/report.json").read_text())
    cells = {cell["case"]: cell for cell in report["cells"]}
    assert {name: cell["verdict"] for name, cell in cells.items()} == {
        "met-bare": "pass",
        "met-ruled": "pass",
        "unset-bare": "fail",
        "unset-ruled": "not-applicable",
        "other-bare": "fail",
        "other-ruled": "not-applicable",
    }, done.output
    assert done.code == 1
    unset, other = cells["unset-ruled"], cells["other-ruled"]
    assert (unset["cause"], unset["cause_name"]) == ("kconfig", "CONFIG_NO_SUCH_OPTION")
    assert unset["errno_name"] == "ENOENT"
    assert "is not y or m, which the case needs: this kernel's configuration does not set it" in unset["reason"]
    assert (other["cause_name"], other["errno_name"]) == ("CONFIG_HZ", "EINVAL")
    assert "CONFIG_HZ is not 1000, which the case needs: in this kernel's configuration it is 250" in other["reason"]
