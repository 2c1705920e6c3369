"""The job that the agent gets of some cases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from unit_samples import (
    sample_case,
)

from harness.model.budgets import Most
from harness.model.results import Stage
from harness.scenario.case import AgentStep, Case, Script
from harness.scenario.jobs import job_of

PATHS = {name: PurePosixPath("/run/bpfmatrix/case") / name for name in ("target.bpf.c", "tracer.bpf.c")}


@pytest.mark.parametrize(("own", "wanted"), [(None, 30.0), (5.5, 5.5)])
def test_the_deadline_is_the_cases_own_or_the_matrixs(own: float | None, wanted: float) -> None:
    job = job_of([(sample_case(deadline=own), PATHS)], deadline=30.0)
    assert job["cases"][0]["deadline"] == wanted


def test_sysctls_go_along() -> None:
    job = job_of([(sample_case(sysctls={"net.core.bpf_jit_enable": 0}), PATHS)], deadline=1)
    assert job["cases"][0]["sysctls"] == {"net.core.bpf_jit_enable": 0}
    assert job_of([], deadline=1) == {"cases": []}


def test_what_the_configuration_must_say_goes_along_as_lists() -> None:
    kconfig = {"CONFIG_BPF_LSM": "y", "CONFIG_HZ": 250, "CONFIG_VETH": ["y", "m"]}
    job = job_of([(sample_case(kconfig=kconfig), PATHS)], deadline=1)
    assert job["cases"][0]["kconfig"] == {
        "CONFIG_BPF_LSM": ["y"],
        "CONFIG_HZ": [250],
        "CONFIG_VETH": ["y", "m"],
    }


def test_types_of_another_kernel_are_a_file_of_the_guest() -> None:
    assert "btf" not in job_of([(sample_case(), PATHS)], deadline=1)["cases"][0]
    paths = {**PATHS, "old.btf": PurePosixPath("/run/old")}
    assert job_of([(sample_case(btf="old.btf"), paths)], deadline=1)["cases"][0]["btf"] == "/run/old"


def test_a_job_says_which_files_are_a_modules_and_which_module_there_is_not() -> None:
    modules = {"veth": {"files": ["/m/veth.ko"], "built_in": False}, "tls": {"files": [], "built_in": True}}
    job = job_of([(sample_case(modules=["veth", "tls", "vehth"]), PATHS)], deadline=1, modules=modules)
    assert job["cases"][0]["modules"] == [
        {"name": "veth", "files": ["/m/veth.ko"], "built_in": False},
        {"name": "tls", "files": [], "built_in": True},
        {"name": "vehth", "files": [], "built_in": False},
    ]


def test_an_object_without_a_path_is_a_mistake_of_the_harness() -> None:
    with pytest.raises(KeyError):
        job_of([(sample_case(), {})], deadline=1)


def test_the_options_that_rules_ask_for_are_in_the_job() -> None:
    rules = [{"outcome": "works", "reason": "r", "config": ["CONFIG_HZ=250", "CONFIG_BPF_LSM=y"]}]
    (case,) = job_of([(sample_case(expect=rules), PATHS)], deadline=1)["cases"]
    assert case["options"] == ["CONFIG_BPF_LSM", "CONFIG_HZ"]
    (case,) = job_of([(sample_case(expect=[]), PATHS)], deadline=1)["cases"]
    assert "options" not in case


def test_the_loads_of_a_case_with_a_budget_are_measured_and_no_others() -> None:
    budget = {"peak-states": Most(number=9)}
    load = AgentStep(stage=Stage.LOAD_TARGET, op="load", what="target", args={"object": "target"})
    asking = replace(load, args={"object": "target", "stats": True})
    plain = Case(id="c", title="c", steps=(load,))
    for case, measures in (
        (plain, False),
        (replace(plain, budget=budget), True),
        (replace(plain, budget=budget, steps=(asking,)), False),
        (replace(plain, budget=budget, steps=(), scenario=Script(file="s.py", source="")), True),
    ):
        (job,) = job_of([(case, {})], deadline=1.0)["cases"]
        assert job.get("measure", False) is measures
