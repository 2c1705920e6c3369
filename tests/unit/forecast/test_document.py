"""A forecast is written and read again; what it ends a command with."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from harness.errors import ConfigError
from harness.forecast.answers import Finding, ProgramForecast, Weight
from harness.forecast.document import Forecast, LookedAt, ObjectForecast, ProgramOf, parse, render

NO_FIELD = Finding(weight=Weight.MISSING, subject="struct a.b", text="no field struct a.b")
TESTED = Finding(weight=Weight.TESTED, subject="struct c", text="no struct c", modules=("m",))


def sample(*findings: Finding, off: tuple[Finding, ...] = ()) -> Forecast:
    said = (ProgramForecast(program="it", findings=findings), ProgramForecast(program="off", findings=off))
    programs = (ProgramOf(name="it", section="xdp"), ProgramOf(name="off", section="?xdp", on=False))
    return Forecast(
        version="1",
        started="2026-11-30T12:00:00+00:00",
        seconds=1.5,
        kernels=(LookedAt(name="6.1", arch="x86_64", version="6.1.1-1"),),
        objects=(ObjectForecast(name="mine", title="mine.o", programs=programs, kernels={"6.1": said}),),
    )


@pytest.mark.parametrize(
    ("forecast", "code"),
    [
        (sample(), 0),
        (sample(TESTED), 0),
        (sample(NO_FIELD), 1),
        (sample(off=(NO_FIELD,)), 0),
        (replace(sample(NO_FIELD), objects=(replace(sample().objects[0], faults={"arm64": "no object"}),)), 2),
        (replace(sample(NO_FIELD), kernels=(LookedAt(name="6.1", arch="x86_64", problem="gone"),)), 3),
    ],
)
def test_the_exit_code(forecast: Forecast, code: int) -> None:
    assert forecast.exit_code == code


def test_it_is_written_and_read_again() -> None:
    forecast = sample(NO_FIELD, TESTED)
    text = render(forecast)
    assert parse(text) == forecast
    document = json.loads(text)
    assert (document["schema"], document["exit_code"]) == (1, 1)
    assert [each["answer"] for each in document["objects"][0]["kernels"]["6.1"]] == ["missing", "found"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2}', render(sample()).replace('"seconds"', '"other"')])
def test_what_is_no_forecast_is_a_config_error(text: str) -> None:
    with pytest.raises(ConfigError, match=r"precheck\.json"):
        parse(text)
