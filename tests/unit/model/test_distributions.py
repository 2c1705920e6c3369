"""Whose kernel it is, and which number of it rules compare with: by what real kernels say of themselves."""

from __future__ import annotations

import pytest

from harness.model.distributions import DISTRIBUTIONS, UNKNOWN, Number, distribution_of, facts_of, number_of
from harness.model.versions import kernel_version

# release, uname -v, /proc/version_signature -> distribution, the number that rules compare with
SAID = {
    "debian": (
        ("6.1.0-50-cloud-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.176-1 (2026-01-01)", None),
        ("debian", "6.1.176-1"),
    ),
    "debian without a word": (("6.12.107+deb13-cloud-amd64", "#1 SMP", None), ("debian", "6.12.107+deb13-cloud-amd64")),
    "ubuntu": (
        ("5.15.0-105-generic", "#115-Ubuntu SMP Mon Apr 15", "Ubuntu 5.15.0-105.115-generic 5.15.148"),
        ("ubuntu", "5.15.148"),
    ),
    "ubuntu in a cloud": (
        ("6.8.0-1044-azure", "#50-Ubuntu SMP Mon", "Ubuntu 6.8.0-1044.50-azure 6.8.12"),
        ("ubuntu", "6.8.12"),
    ),
    "ubuntu without its signature": (("5.4.0-26-generic", "#30-Ubuntu SMP Mon Apr 20", ""), ("ubuntu", "")),
    "ubuntu with another text": (("5.4.0-26", "#1", "Ubuntu 5.4.0-26.30-generic"), ("ubuntu", "")),
    "rhel 8": (("4.18.0-553.el8_10.x86_64", "#1 SMP", None), ("rhel-like", "")),
    "rhel 9": (("5.14.0-427.13.1.el9_4.x86_64", "#1 SMP PREEMPT_DYNAMIC", None), ("rhel-like", "")),
    "oracle": (("5.15.0-205.149.5.1.el9uek.x86_64", "#2 SMP", None), ("rhel-like", "")),
    "fedora": (("6.11.4-301.fc41.x86_64", "#1 SMP", None), ("fedora", "6.11.4-301.fc41.x86_64")),
    "amazon": (("6.1.119-129.201.amzn2023.x86_64", "#1 SMP", None), ("amazon", "6.1.119-129.201.amzn2023.x86_64")),
    "amazon 2": (("5.10.230-223.885.amzn2.x86_64", "#1 SMP", None), ("amazon", "5.10.230-223.885.amzn2.x86_64")),
    "own": (("6.19.0-rc1+", "#1 SMP", None), ("", "6.19.0-rc1+")),
}


@pytest.mark.parametrize(("said", "found"), SAID.values(), ids=SAID)
def test_a_kernel_says_whose_it_is(said: tuple[str, str, str | None], found: tuple[str, str]) -> None:
    release, version, signature = said
    environment = {"release": release, "version": version, "version_signature": signature}
    whose = distribution_of("", environment)
    assert (whose, number_of(whose, environment, fallback="1.2.3")) == found
    assert not found[1] or kernel_version(found[1])


def test_what_the_source_says_counts_first() -> None:
    environment = {"release": "6.1.0", "version": "#1 SMP Debian 6.1.176-1"}
    assert distribution_of("suse", environment) == "suse"
    assert distribution_of("", {}) == ""


@pytest.mark.parametrize("name", ["", "debian", "fedora", "amazon"])
def test_before_a_guest_has_said_it_the_number_is_that_of_the_files(name: str) -> None:
    assert number_of(name, {}, fallback="6.1.176-1") == "6.1.176-1"


@pytest.mark.parametrize("name", ["ubuntu", "rhel-like", "suse"])
def test_the_name_of_a_package_is_no_such_number_elsewhere(name: str) -> None:
    assert number_of(name, {}, fallback="5.15.0-105.115") == ""


def test_only_where_the_number_is_debians_or_upstreams_a_case_without_a_rule_should_work() -> None:
    assert [name for name, each in DISTRIBUTIONS.items() if not each.unruled] == ["debian"]
    assert not UNKNOWN.unruled
    assert facts_of("") is facts_of("somebody") is UNKNOWN
    assert UNKNOWN.number is Number.RELEASE
