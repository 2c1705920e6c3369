"""An entry of the matrix as what stands for all builds of its source."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config.matrix import AptKernel, DebianKernel, Kernel, PathKernel, SuitesSweep
from harness.model.distributions import siblings

DEBIAN = DebianKernel(
    name="6.1-x86_64", arch="x86_64", source="debian", suite="bookworm", package="linux-image-cloud-amd64"
)


@pytest.mark.parametrize(
    ("suite", "others"),
    [
        ("bookworm", ("bookworm-updates", "bookworm-security")),
        ("bookworm-security", ("bookworm", "bookworm-updates")),
        ("bookworm-backports", ()),
        ("experimental", ()),
        ("sid", ()),
    ],
)
def test_a_stable_suite_has_updates_and_security(suite: str, others: tuple[str, ...]) -> None:
    assert siblings(suite) == others


def swept_of(kernel: Kernel) -> Kernel:
    found = kernel.all_builds()
    assert found is not None
    return found


def sweep_of(kernel: Kernel) -> SuitesSweep:
    swept = swept_of(kernel).sweeping
    assert isinstance(swept, SuitesSweep)
    return swept


def test_an_entry_stands_for_all_its_builds() -> None:
    assert sweep_of(DEBIAN) == SuitesSweep(builds="all", suites=("bookworm-updates", "bookworm-security"))
    own = DEBIAN.model_copy(update={"sweep": SuitesSweep(builds=3, suites=("bookworm-backports",))})
    assert sweep_of(own) == SuitesSweep(builds="all", suites=("bookworm-backports",))
    pinned = DEBIAN.model_copy(update={"version": "6.1.176-1"})
    assert swept_of(pinned).model_dump()["version"] is None


def test_suites_of_other_repositories_are_not_guessed() -> None:
    kernel = AptKernel(
        name="u", arch="x86_64", source="apt", uris=("own",), suite="jammy", package="linux-image-*", unsigned=True
    )
    assert sweep_of(kernel).suites == ()


def test_a_kernel_that_is_one_file_has_no_builds() -> None:
    kernel = PathKernel(name="own", arch="x86_64", source="path", image=Path("vmlinuz"))
    assert kernel.all_builds() is None
