"""From a list of kernels to ranges of versions."""

from __future__ import annotations

from harness.forecast.answers import Finding, ProgramForecast, Weight
from harness.forecast.document import LookedAt, ObjectForecast
from harness.forecast.spans import light_findings, sentences, series_of, spans_of

GONE = Finding(weight=Weight.MISSING, subject="struct a.b", text="no field struct a.b")
TESTED = Finding(weight=Weight.TESTED, subject="struct c", text="no struct c")


def kernel(version: str, arch: str = "x86_64", distribution: str = "debian", problem: str = "") -> LookedAt:
    return LookedAt(name=f"k-{version}-{arch}", arch=arch, version=version, distribution=distribution, problem=problem)


KERNELS = [kernel(each) for each in ("6.12.107-1", "5.10.223-1", "7.3~rc7-1", "6.1.176-1", "7.3.1-1")]


def found(**findings: tuple[Finding, ...]) -> ObjectForecast:
    """What is said of the program `it`, by the beginning of the version."""
    said = {
        each.name: (ProgramForecast(program="it", findings=next(
            (one for start, one in findings.items() if each.version.startswith(start.strip("v").replace("_", "."))), ()
        )),)
        for each in KERNELS
    }  # fmt: skip
    return ObjectForecast(name="mine", title="mine.o", kernels=said)


def test_kernels_are_in_the_order_of_their_versions_by_architecture_and_distribution() -> None:
    others = [
        kernel("5.14.0-427.el9", distribution="rhel-like"),
        kernel("6.1.1-1", "arm64"),
        kernel("9", problem="gone"),
    ]
    series = series_of([*KERNELS, *others])
    assert [(each.title, [one.version for one in each.kernels]) for each in series] == [
        ("x86_64, debian", ["5.10.223-1", "6.1.176-1", "6.12.107-1", "7.3~rc7-1", "7.3.1-1"]),
        ("x86_64, rhel-like", ["5.14.0-427.el9"]),
        ("arm64, debian", ["6.1.1-1"]),
    ]


def said(what: ObjectForecast) -> list[str]:
    (series,) = series_of(KERNELS)
    return list(sentences(spans_of(series, what, "it")))


def test_what_is_said_of_a_program() -> None:
    assert said(found()) == ["found everywhere"]
    assert said(found(v=(GONE,))) == ["missing everywhere: no field struct a.b"]
    assert said(found(v6=(GONE,))) == [
        "found on 5.10.223-1",
        "missing on 6.1.176-1 to 6.12.107-1 (2 kernels): no field struct a.b",
        "found on 7.3~rc7-1 to 7.3.1-1 (2 kernels)",
    ]
    (series,) = series_of(KERNELS)
    assert spans_of(series, found(), "other") == []


def test_what_does_not_decide_divides_no_range_unless_it_is_asked_for() -> None:
    (series,) = series_of(KERNELS)
    what = found(v6=(TESTED,))
    assert len(spans_of(series, what, "it")) == 1
    spans = spans_of(series, what, "it", light=True)
    assert len(spans) == 3
    assert light_findings(spans) == [(TESTED, 2)]
    assert spans[0].deciding == ()
