"""How distributions split a kernel into packages."""

from __future__ import annotations

import pytest

from harness.model.distributions import DISTRIBUTIONS
from harness.supply.debian.layouts import LAYOUTS, distribution_of_origin, layout_of


def test_they_are_of_distributions_that_there_are() -> None:
    assert LAYOUTS.keys() - {""} <= DISTRIBUTIONS.keys()
    assert layout_of("no such thing") is LAYOUTS[""]


@pytest.mark.parametrize(
    ("distribution", "name", "flavour"),
    [
        ("debian", "linux-image-6.1.0-49-cloud-amd64", "cloud-amd64"),
        ("debian", "linux-image-6.1.0-49-amd64-unsigned", "amd64"),
        ("debian", "linux-image-6.16.12+deb14-arm64", "arm64"),
        ("debian", "linux-image-cloud-amd64", None),
        ("debian", "linux-modules-6.19.2-cloud-amd64", None),
        ("ubuntu", "linux-image-5.15.0-105-generic", "generic"),
        ("ubuntu", "linux-image-unsigned-6.8.0-31-lowlatency", "lowlatency"),
        ("ubuntu", "linux-image-5.15.0-1060-aws", "aws"),
        ("ubuntu", "linux-image-6.8.0-31-generic-64k", "generic-64k"),
        ("ubuntu", "linux-image-generic", None),
        ("ubuntu", "linux-image-generic-hwe-22.04", None),
        ("", "linux-image-5.15.0-105-generic", "generic"),
        ("", "linux-image-6.1.0-49-cloud-amd64", "cloud-amd64"),
    ],
)
def test_an_image_has_a_flavour(distribution: str, name: str, flavour: str | None) -> None:
    assert layout_of(distribution).flavour(name) == flavour


@pytest.mark.parametrize(
    ("distribution", "name", "beside"),
    [
        ("debian", "linux-image-6.1.0-49-cloud-amd64", ()),
        ("ubuntu", "linux-image-5.15.0-105-generic", ("linux-modules-extra-5.15.0-105-generic",)),
        ("ubuntu", "linux-image-unsigned-5.15.0-105-generic", ("linux-modules-extra-5.15.0-105-generic",)),
        ("ubuntu", "linux-image-generic", ()),
    ],
)
def test_what_belongs_to_an_image_is_known_by_its_name(distribution: str, name: str, beside: tuple[str, ...]) -> None:
    assert layout_of(distribution).belonging(name) == beside


@pytest.mark.parametrize(
    ("distribution", "name"),
    [
        ("debian", "linux-image-6.1.0-49-amd64-dbg"),
        ("debian", "linux-image-6.1.0-49-amd64-unsigned"),
        ("ubuntu", "linux-image-unsigned-5.15.0-105-generic"),
        ("ubuntu", "linux-image-5.15.0-105-generic-dbgsym"),
        ("ubuntu", "linux-image-extra-virtual"),
        ("", "linux-image-6.1.0-49-amd64-dbg"),
    ],
)
def test_no_pattern_means_what_has_no_kernel_of_its_own(distribution: str, name: str) -> None:
    assert layout_of(distribution).no_image.search(name)


@pytest.mark.parametrize(
    ("origin", "distribution"),
    [("Ubuntu", "ubuntu"), ("Debian", "debian"), ("Debian Backports", "debian"), ("Acme Debian", ""), ("", "")],
)
def test_a_repository_says_whose_it_is(origin: str, distribution: str) -> None:
    assert distribution_of_origin(origin) == distribution
