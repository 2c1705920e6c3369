"""The options that commands share: what is given becomes a value. test_tasks.py shows that each command has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from invoke.exceptions import Exit

from harness.cli.options import SHARED, errors_shown, number, options_of
from harness.errors import EXIT_HARNESS, EXIT_USAGE, ConfigError, UsageError
from harness.run.options import Options
from harness.supply.project import Project

GIVEN: dict[str, Any] = {name: option.default for name, option in SHARED.items()}
"""What Invoke hands over where nothing is named on the command line."""


def test_where_nothing_is_given_the_matrix_decides() -> None:
    assert options_of(GIVEN) == Options(project=Project(matrix_file=Path("matrix.yaml")))


def test_what_is_given_is_in_the_value_under_the_name_that_runs_know() -> None:
    given = {
        "kernel": ["6.*"],
        "arch": ["arm64"],
        "libbpf": ["default", "bookworm"],
        "clang": ["19"],
        "case": ["a", "b"],
        "suite": "tracing",
        "results": "r",
        "accel": "tcg",
        "jobs": "3",
        "locked": True,
        "cold": True,
        "resume": "r/1",
        "shard": "2/5",
        "by": "arch",
        "timings": ["r/2"],
        "quiet": True,
        "json": True,
        "matrix_file": "m.yaml",
    }
    assert given.keys() == SHARED.keys()
    assert options_of(given) == Options(
        project=Project(matrix_file=Path("m.yaml"), suite="tracing"),
        kernels=["6.*"],
        arches=["arm64"],
        libbpf=["default", "bookworm"],
        clang=["19"],
        cases=["a", "b"],
        results=Path("r"),
        accel="tcg",
        jobs=3,
        locked=True,
        cold=True,
        resume=Path("r/1"),
        shard=(2, 5),
        by="arch",
        timings=[Path("r/2")],
        quiet=True,
        json=True,
    )


@pytest.mark.parametrize("text", ["1", "12", "007"])
def test_a_number_is_one_of_at_least_1(text: str) -> None:
    assert number("--jobs", text) == int(text)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "", "two", "\N{ARABIC-INDIC DIGIT ONE}"])
def test_any_other_text_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match=f'^--jobs takes a number of at least 1; got "{text}"$'):
        number("--jobs", text)


@pytest.mark.parametrize(
    ("error", "message", "code"),
    [
        (ConfigError("m.yaml:1: wrong"), "bpfmatrix: m.yaml:1: wrong", EXIT_USAGE),
        (KeyboardInterrupt(), "bpfmatrix: interrupted", EXIT_HARNESS),
    ],
)
def test_an_error_for_the_user_is_a_message_and_a_code(error: BaseException, message: str, code: int) -> None:
    with pytest.raises(Exit) as caught, errors_shown():
        raise error
    assert (caught.value.message, caught.value.code) == (message, code)


def test_an_error_that_nobody_expects_stays_one() -> None:
    with pytest.raises(ZeroDivisionError), errors_shown():
        raise ZeroDivisionError
