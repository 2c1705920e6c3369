"""What the script of report.html knows before any evidence is opened."""

from __future__ import annotations

import json
from dataclasses import replace

from browser_reports import CASES, KERNELS, mixed_report
from reports_sample import kernel

from harness.reports.layout import layout_of
from harness.reports.page_index import VERDICTS, as_json, index_of, name_of


def test_the_index_has_each_cell_as_a_digit_and_what_few_have_beside() -> None:
    index = index_of(layout_of(mixed_report()))
    assert [each["name"] for each in index["kernels"]] == list(KERNELS)
    assert [each["name"] for each in index["cases"]] == list(CASES)
    assert [VERDICTS[int(digit)] for digit in index["cells"][1][:2]] == ["pass", "fail"]
    assert index["noted"] == [{}, {}, {}, {}, {7: "did not run"}, {}, {}]
    assert index["refusals"] == ["context-not-known", "no-trampoline"]
    assert index["refused"][4] == {2: 1}
    assert [each["plain"] for each in index["groups"]] == [False, False, True]
    assert [each["group"] for each in index["kernels"]] == [0, 0, 0, 1, 1, 2, 2]


def test_a_kernel_and_a_case_are_found_by_what_is_known_of_them() -> None:
    index = index_of(layout_of(mixed_report()))
    for said in ("6.1-x86_64", "debian", "linux-image-6.1-x86_64-cloud-amd64"):
        assert said in index["kernels"][0]["text"]
    assert index["cases"][1]["text"] == "kprobe-two what kprobe-two tries"


def test_a_group_has_the_name_of_its_family_where_there_are_several() -> None:
    report = mixed_report()
    assert [name_of(group) for group in layout_of(report).groups] == ["x86_64", "arm64", "riscv64"]
    groups = layout_of(replace(report, kernels=(*report.kernels, kernel("u", arch="", distribution="ubuntu")))).groups
    assert [name_of(group) for group in groups][::3] == ["x86_64 debian", "unknown ubuntu"]


def test_json_in_an_element_has_no_sign_of_markup() -> None:
    value = {"a": "</script><!--&amp;\u2028"}
    assert json.loads(as_json(value)) == value
    assert not set(as_json(value)) & set("<>&\u2028")
