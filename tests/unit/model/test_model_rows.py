"""The name of a row, by which reports, JUnit and folders know it."""

from __future__ import annotations

from harness.model.rows import Row


def test_a_row_is_called_by_its_kernel_and_what_stands_beside_it() -> None:
    assert Row(kernel="6.1").name == "6.1"
    assert Row(kernel="6.1", userland="libbpf-1.5").name == "6.1+libbpf-1.5"
    assert Row(kernel="6.1", compiler="clang-19").name == "6.1+clang-19"
    assert Row(kernel="6.1", userland="libbpf-1.5", compiler="clang-19").name == "6.1+libbpf-1.5+clang-19"


def test_rows_are_values_in_an_order() -> None:
    rows = [Row(kernel="6.12"), Row(kernel="6.1", userland="b"), Row(kernel="6.1"), Row(kernel="6.1", userland="a")]
    assert [row.name for row in sorted(rows)] == ["6.1", "6.1+a", "6.1+b", "6.12"]
    assert len({Row(kernel="6.1"), Row(kernel="6.1")}) == 1
