"""Which rule of a case covers a kernel, and what of it reaches the expectation."""

from __future__ import annotations

from typing import Any

import pytest

from harness.config.rules import Rule
from harness.errors import ConfigError
from harness.judge.expectation import NO_RULE, UNRULED, choose
from harness.model.results import Expectation, OutcomeKind, Stage
from harness.scenario.expected import expectation_of


def rule(**keys: Any) -> Expectation:
    return expectation_of(Rule.model_validate({"outcome": "works", "reason": "because", **keys}))


def test_the_first_rule_that_covers_the_kernel_counts() -> None:
    rules = (
        rule(arch=["arm64"], version="<6.0", reason="both"),
        rule(arch=["arm64", "s390x"], reason="arch"),
        rule(version=">=7.3", reason="version"),
        rule(reason="rest"),
    )
    chosen = {
        (arch, version): choose(rules, arch=arch, version=version).reason
        for arch in ("arm64", "s390x", "x86_64")
        for version in ("5.10.223-1", "7.3~rc7")
    }
    assert chosen == {
        ("arm64", "5.10.223-1"): "both",
        ("arm64", "7.3~rc7"): "arch",
        ("s390x", "5.10.223-1"): "arch",
        ("s390x", "7.3~rc7"): "arch",
        ("x86_64", "5.10.223-1"): "rest",
        ("x86_64", "7.3~rc7"): "version",
    }


def test_a_kernel_without_a_rule_should_work() -> None:
    expected = Expectation(
        outcome=OutcomeKind.WORKS,
        reason="no rule of the case covers this kernel, so it is expected to work",
    )
    assert choose((), arch="x86_64", version="6.1") == expected == NO_RULE
    assert choose([rule(version="<6.1")], arch="x86_64", version="6.1") == expected


@pytest.mark.parametrize("distribution", ["ubuntu", "fedora", "amazon", "rhel-like", "suse"])
def test_a_kernel_without_a_rule_is_expected_nothing_of_where_it_is_of_another_distribution(distribution: str) -> None:
    found = choose([rule(version="<6.1")], arch="x86_64", version="6.1", distribution=distribution)
    assert found == UNRULED
    for expected in ("debian", ""):
        assert choose((), arch="x86_64", version="6.1", distribution=expected) == NO_RULE


def test_a_rule_for_a_distribution_covers_its_kernels_alone() -> None:
    rules = [rule(distribution=["rhel-like", "suse"], reason="theirs"), rule(distribution="ubuntu", reason="ubuntu's")]
    chosen = {
        name: choose(rules, arch="x86_64", version="", distribution=name).reason
        for name in ("rhel-like", "suse", "ubuntu", "fedora")
    }
    assert chosen == {"rhel-like": "theirs", "suse": "theirs", "ubuntu": "ubuntu's", "fedora": UNRULED.reason}
    assert choose(rules, arch="x86_64", version="6.1", distribution="debian") == NO_RULE
    assert choose(rules, arch="x86_64", version="6.1") == NO_RULE


@pytest.mark.parametrize("keys", [{"version": ">=4.0"}, {"since": ["4.0"]}, {"fixed": ["9.0"]}])
def test_no_rule_by_version_covers_a_kernel_without_a_number_and_others_do(keys: dict[str, Any]) -> None:
    rules = [rule(**keys, reason="by version"), rule(arch=["arm64"], reason="by architecture")]
    assert choose(rules, arch="arm64", version="5.14", distribution="fedora").reason == "by version"
    assert choose(rules, arch="arm64", version="", distribution="rhel-like").reason == "by architecture"
    assert choose(rules, arch="x86_64", version="", distribution="rhel-like") == UNRULED


def test_everything_of_a_refusal_reaches_the_expectation() -> None:
    refused = rule(
        outcome="refused", source="verifier.c", stage="load-tracer", errno=["EINVAL", "EACCES"], message="R1.*"
    )
    assert choose([refused], arch="x86_64", version="6.1") == Expectation(
        outcome=OutcomeKind.REFUSED,
        reason="because",
        source="verifier.c",
        stage=Stage.LOAD_TRACER,
        errno=("EINVAL", "EACCES"),
        message="R1.*",
        known_bug=False,
    )


@pytest.mark.parametrize(
    ("outcome", "looks"),
    [
        ("works", {}),
        ("misbehaves", {"stage": "observe", "splat": "WARNING"}),
        ("crashed", {"stage": "trigger", "step": "trigger run", "panic": "BUG: "}),
        ("not-applicable", {"sysctl": "kernel.x", "errno": "ENOENT"}),
        ("not-applicable", {"kconfig": "CONFIG_X", "errno": ["ENOENT", "EINVAL"]}),
    ],
)
def test_misbehaving_and_crashing_are_known_bugs(outcome: str, looks: dict[str, Any]) -> None:
    expectation = choose([rule(outcome=outcome, source="CVE", **looks)], arch="x86_64", version="6.1")
    assert expectation.outcome == OutcomeKind(outcome)
    assert expectation.known_bug is (outcome in ("misbehaves", "crashed"))


@pytest.mark.parametrize(("cause", "name"), [("sysctl", "kernel.x"), ("module", "veth"), ("kconfig", "CONFIG_BPF_LSM")])
def test_what_is_missing_reaches_the_expectation(cause: str, name: str) -> None:
    missing = rule(outcome="not-applicable", source="config", errno="ENOENT", **{cause: name})
    expectation = choose([missing], arch="x86_64", version="6.1")
    assert (expectation.cause, expectation.cause_name, expectation.errno) == (cause, name, ("ENOENT",))


def test_a_version_that_is_none_is_told_even_without_rules() -> None:
    with pytest.raises(ConfigError, match="not a kernel version"):
        choose((), arch="x86_64", version="unknown")


@pytest.mark.parametrize(
    ("keys", "covered"),
    [
        ({"kernel": ("6.1-x86_64",)}, True),
        ({"kernel": ("5.*", "6.1-*")}, True),
        ({"kernel": ("6.12-*",)}, False),
        ({"config": ("CONFIG_BPF_LSM=y",)}, True),
        ({"config": ("CONFIG_BPF_LSM=n",)}, False),
        ({"config": ("CONFIG_BPF_LSM=y", "CONFIG_HZ=1000")}, False),
        ({"config": ("CONFIG_OTHER=n",)}, False),
        ({"config": ("CONFIG_BPF_LSM=y",), "kernel": ("6.12-*",)}, False),
    ],
)
def test_a_rule_covers_kernels_by_name_and_configuration(keys: dict[str, tuple[str, ...]], covered: bool) -> None:
    rule = Expectation(
        outcome=OutcomeKind.REFUSED, reason="r", kernel=keys.get("kernel", ()), config=keys.get("config", ())
    )
    config = {"CONFIG_BPF_LSM": "y", "CONFIG_HZ": "250"}
    found = choose([rule], arch="x86_64", version="6.1.1", name="6.1-x86_64", config=config)
    assert (found is rule) == covered
