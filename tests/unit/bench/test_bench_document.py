"""bench.json."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from bench_sample import golden, measurements, quick_measurements

from harness.bench.document import RATIOS, build, parse, render
from harness.errors import ConfigError
from harness.model.results import Start

PROMISED = {
    "cold_over_floor",
    "warm_over_floor",
    "process_cold_over_floor",
    "process_warm_over_floor",
    "virtme_ng_over_cold",
    "virtme_ng_over_warm",
    "jobs2_over_ideal",
}


def test_golden() -> None:
    golden("bench.json", render(build(measurements())))
    golden("bench-quick.json", render(build(quick_measurements())))


def test_the_ratios_are_exactly_those_that_are_promised() -> None:
    for found in (measurements(), quick_measurements()):
        document = build(found)
        assert document["schema"] == 1
        assert set(document["ratios"]) == set(RATIOS) == PROMISED


def test_the_ratios_are_what_their_names_say() -> None:
    document = build(measurements())
    # Of the three rounds, the second one's floor was slower, too: 3.5625/2, 3.8125/2.25, 3.6875/2.
    assert document["ratio_spreads"]["cold_over_floor"]["samples"] == [1.7812, 1.6944, 1.8438]
    assert document["ratios"]["cold_over_floor"] == 1.7812
    assert document["ratios"]["process_cold_over_floor"] == round(4.0625 / 2, 4)
    assert document["ratio_spreads"]["virtme_ng_over_cold"]["samples"][0] == round(9.0 / 5.0625, 4)
    assert document["ratio_spreads"]["virtme_ng_over_warm"]["samples"][0] == round(9.0 / 1.625, 4)
    assert document["ratio_spreads"]["cold_over_floor_shipped"]["samples"] == [2.0357, 1.9062, 1.9667]
    # 2.5 s with two jobs; four kernels of 1.0625 s one by one.
    assert document["ratio_spreads"]["jobs2_over_ideal"]["samples"][0] == round(2 * 2.5 / 4.25, 4)
    assert document["matrix"]["cold"]["jobs2_over_ideal"]["samples"][0] == round(2 * 4.5 / 14.0, 4)


def test_the_cost_of_a_case_is_the_slope() -> None:
    added = build(measurements())["added_case"]
    assert (added["guest"]["slope"], added["guest"]["intercept"]) == (0.0625, 0.0)
    assert added["wall"]["slopes"]["samples"] == [0.0625, 0.125, 0.0938]


def test_what_was_not_measured_is_null_and_says_why() -> None:
    document = build(quick_measurements())
    missing = {name for name, value in document["ratios"].items() if value is None}
    assert missing == {"virtme_ng_over_cold", "virtme_ng_over_warm", "jobs2_over_ideal"}
    assert set(document["notes"]) == missing
    assert (document["virtme_ng"], document["matrix"], document["added_case"]) == (None, None, None)


def test_problems_and_remarks_of_all_runs_are_named_once() -> None:
    document = build(replace(quick_measurements(), other_problems=("virtme-ng: lost",)))
    assert document["problems"] == ["virtme-ng: lost", "6.1-x86_64 x case-00: refused: as it was"]
    assert document["remarks"] == ["6.1-x86_64: it took 2 guests"]
    assert build(measurements())["problems"] == []


def test_a_matrix_without_a_warm_run_has_no_ratio() -> None:
    found = measurements()
    assert found.matrix is not None
    cold = replace(found.matrix, runs={Start.COLD: found.matrix.runs[Start.COLD]})
    assert build(replace(found, matrix=cold))["ratios"]["jobs2_over_ideal"] is None


def test_it_is_read_back() -> None:
    document = build(measurements())
    assert parse(render(document)) == document
    assert render(document).isascii()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2, "ratios": {}}', json.dumps({"schema": 1})])
def test_another_file_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"x\.json.*run bench"):
        parse(text, name="x.json")
