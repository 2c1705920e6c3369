from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.config.case import WrittenCase
from harness.config.matrix import Matrix
from harness.errors import EXIT_USAGE, UsageError
from harness.model.architectures import ARCHITECTURES
from harness.run.plan import Cell, Plan, choose_rows, make_plan

ARCHES = list(ARCHITECTURES)


def matrix_of(kernels: dict[str, str]) -> Matrix:
    """A matrix of these kernels: name to architecture."""
    return Matrix.model_validate(
        {
            "kernels": [
                {"name": name, "arch": arch, "source": "path", "image": "vmlinuz"} for name, arch in kernels.items()
            ]
        }
    )


def cases_of(*names: str) -> tuple[WrittenCase, ...]:
    keys: dict[str, Any] = {
        "title": "t",
        "target": {"object": "a.bpf.c"},
        "trigger": {"kind": "tcp-connect"},
        "observe": {},
    }
    return tuple(WrittenCase.model_validate({**keys, "id": name, "folder": Path(name)}) for name in names)


KERNELS = {"5.10": "x86_64", "6.1": "x86_64", "6.1-arm64": "arm64", "6.12": "x86_64", "6.12-s390x": "s390x"}
CASES = ("freplace", "kprobe-fentry", "kprobe-fexit")


def plan(
    *,
    kernels: list[str] | None = None,
    arches: list[str] | None = None,
    cases: list[str] | None = None,
    host: str = "x86_64",
) -> Plan[WrittenCase]:
    return make_plan(
        matrix_of(KERNELS),
        cases_of(*CASES),
        kernel_globs=kernels or [],
        arches=arches or [],
        case_globs=cases or [],
        host_arch=host,
    )


def names(plan: Plan[WrittenCase]) -> list[str]:
    return [kernel.name for kernel in plan.kernels]


def test_without_filters_the_hosts_kernels_meet_every_case() -> None:
    whole = plan()
    assert names(whole) == ["5.10", "6.1", "6.12"]
    assert [(cell.row.name, cell.case.id) for cell in whole.cells] == [
        (kernel, case) for kernel in ("5.10", "6.1", "6.12") for case in CASES
    ]
    assert names(plan(host="s390x")) == ["6.12-s390x"]


@pytest.mark.parametrize(
    ("kernels", "arches", "kept"),
    [
        (["6.1*"], [], ["6.1", "6.12"]),
        (["6.12", "5.10"], [], ["5.10", "6.12"]),
        (["*"], [], ["5.10", "6.1", "6.12"]),
        (["6.1-*"], [], ["6.1-arm64"]),
        (["6.1*-*"], [], ["6.1-arm64", "6.12-s390x"]),
        (["6.12*", "6.1-arm64"], [], ["6.1-arm64", "6.12"]),
        (["6.1*"], ["all"], ["6.1", "6.1-arm64", "6.12", "6.12-s390x"]),
        (["*"], ["all"], list(KERNELS)),
        ([], ["all"], list(KERNELS)),
        ([], ["arm64", "s390x"], ["6.1-arm64", "6.12-s390x"]),
        ([], ["arm64", "all"], list(KERNELS)),
        (["6.1*"], ["x86_64"], ["6.1", "6.12"]),
        (["6.1-arm64"], ["all"], ["6.1-arm64"]),
    ],
)
def test_kernels_that_filters_keep(kernels: list[str], arches: list[str], kept: list[str]) -> None:
    assert names(plan(kernels=kernels, arches=arches)) == kept


SWEPT = {"old": (), "series": ("series-6.1.7-1", "series-6.1.8-1"), "6.12": ()}
"""Entries of a matrix with the rows of those that are sweeps."""


@pytest.mark.parametrize(
    ("globs", "kept"),
    [
        (["series"], ["series-6.1.7-1", "series-6.1.8-1"]),
        (["ser*"], ["series-6.1.7-1", "series-6.1.8-1"]),
        (["s?ries", "6.12"], ["series-6.1.7-1", "series-6.1.8-1", "6.12"]),
        (["series-*8-1"], ["series-6.1.8-1"]),
        (["*"], ["old", "series-6.1.7-1", "series-6.1.8-1", "6.12"]),
    ],
)
@pytest.mark.parametrize("arches", [[], ["all"]])
def test_the_name_of_a_sweep_stands_for_its_rows(globs: list[str], kept: list[str], arches: list[str]) -> None:
    written = matrix_of(dict.fromkeys(SWEPT, "x86_64"))
    swept = [row for each in written.kernels for row in ([each.row(name) for name in SWEPT[each.name]] or [each])]
    matrix = written.model_copy(update={"kernels": tuple(swept)})
    found = choose_rows(matrix, globs=globs, arches=arches, host_arch="x86_64")
    assert [row.name for row in found] == kept
    with pytest.raises(UsageError, match=r'did you mean "series"\? \(there are: old, series, series-6\.1\.7-1, '):
        choose_rows(matrix, globs=["serie"], arches=arches, host_arch="x86_64")


def test_case_globs() -> None:
    kept = plan(cases=["kprobe-*", "kprobe-fexit"])
    assert [case.id for case in kept.cases] == ["kprobe-fentry", "kprobe-fexit"]
    assert len(kept.cells) == 6


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        (
            {"kernels": ["6.11"]},
            'no kernel matches "6.11"; did you mean "6.1"? (there are: 5.10, 6.1, 6.1-arm64, 6.12, 6.12-s390x)',
        ),
        (
            {"kernels": ["6.1", "7.*", "X*"]},
            'no kernel matches "7.*" (there are: 5.10, 6.1, 6.1-arm64, 6.12, 6.12-s390x)\n'
            'no kernel matches "X*" (there are: 5.10, 6.1, 6.1-arm64, 6.12, 6.12-s390x)',
        ),
        (
            {"cases": ["kprobe-fentri"]},
            'no case matches "kprobe-fentri"; did you mean "kprobe-fentry"? '
            "(there are: freplace, kprobe-fentry, kprobe-fexit)",
        ),
        (
            {"arches": ["amd64"]},
            'unknown architecture "amd64"; did you mean "x86_64"? (known: x86_64, arm64, riscv64, s390x, ppc64le, all)',
        ),
        (
            {"arches": ["all", "arm46"]},
            'unknown architecture "arm46"; did you mean "arm64"? (known: x86_64, arm64, riscv64, s390x, ppc64le, all)',
        ),
        (
            {"arches": ["x86_64", "riscv64"]},
            "the matrix has no kernel of architecture riscv64; it has x86_64 (3), arm64 (1), s390x (1)",
        ),
        (
            {"kernels": ["6.1", "6.12"], "arches": ["arm64", "s390x"]},
            "no kernel to boot: none of those named is of architecture arm64 or s390x; they are x86_64 (2). "
            "Leave --arch out, or name other kernels",
        ),
        (
            {"host": "riscv64"},
            "no kernel to boot: the matrix has none of this host's architecture (riscv64), "
            "but x86_64 (3), arm64 (1), s390x (1). Choose with --arch, or take all of them with --arch all",
        ),
    ],
)
def test_filters_that_do_not_fit(filters: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan(**filters)
    assert str(caught.value) == message
    assert caught.value.exit_code == EXIT_USAGE


def test_without_cases_there_is_no_plan() -> None:
    with pytest.raises(UsageError, match="no case to try"):
        make_plan(matrix_of(KERNELS), (), host_arch="x86_64")
    with pytest.raises(UsageError, match=r'no case matches "a" \(there are: none\)'):
        make_plan(matrix_of(KERNELS), (), case_globs=["a"], host_arch="x86_64")


NAMES = st.from_regex(r"[a-c][a-c1-3.]{0,3}", fullmatch=True)
GLOBS = st.lists(st.from_regex(r"[a-c*?][a-c1-3.*?]{0,2}", fullmatch=True), max_size=3)


@st.composite
def filters(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "kernel_globs": draw(GLOBS),
        "case_globs": draw(GLOBS),
        "arches": draw(st.lists(st.sampled_from([*ARCHES, "all"]), max_size=2)),
        "host_arch": draw(st.sampled_from(ARCHES)),
    }


@given(
    kernels=st.dictionaries(NAMES, st.sampled_from(ARCHES), min_size=1, max_size=6),
    cases=st.lists(st.from_regex(r"[a-c]{1,3}", fullmatch=True), min_size=1, max_size=4, unique=True),
    asked=filters(),
)
def test_a_plan_is_the_product_of_what_was_asked_for(
    kernels: dict[str, str], cases: list[str], asked: dict[str, Any]
) -> None:
    kernel_globs, case_globs, arches = asked["kernel_globs"], asked["case_globs"], asked["arches"]
    matrix, all_cases = matrix_of(kernels), cases_of(*cases)
    own = {name for name, arch in kernels.items() if arch == asked["host_arch"]}

    def wanted(name: str, glob: str) -> bool:
        if not fnmatchcase(name, glob):
            return False
        if arches:
            return "all" in arches or kernels[name] in arches
        return name in own or (bool(kernel_globs) and not any(fnmatchcase(other, glob) for other in own))

    wanted_kernels = [name for name in kernels if any(wanted(name, glob) for glob in kernel_globs or ["*"])]
    wanted_cases = [name for name in cases if not case_globs or any(fnmatchcase(name, glob) for glob in case_globs)]
    try:
        made = make_plan(matrix, all_cases, **asked)
    except UsageError:
        in_vain = [
            *(glob for glob in kernel_globs if not any(fnmatchcase(name, glob) for name in kernels)),
            *(glob for glob in case_globs if not any(fnmatchcase(name, glob) for name in cases)),
            *(arch for arch in arches if arch != "all" and arch not in kernels.values()),
        ]
        assert in_vain or not wanted_kernels or not wanted_cases
        return
    assert names(made) == wanted_kernels
    assert [case.id for case in made.cases] == wanted_cases
    assert made.cells == tuple(Cell(row=row, case=case) for row in made.rows for case in made.cases)
    assert len({(cell.row.name, cell.case.id) for cell in made.cells}) == len(made.cells) > 0
