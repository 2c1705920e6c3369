"""Which axis has decided: said only where the cells show it, whatever else may be true."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from harness.judge.attribution import attributions
from harness.model.results import (
    Attributed,
    Attribution,
    Axis,
    CellResult,
    Expectation,
    KernelResult,
    Outcome,
    OutcomeKind,
    PartResult,
    Stage,
    Verdict,
)

Place = tuple[str, str, str]
KERNELS, USERLANDS, COMPILERS = ("5.10", "6.1+b1"), ("libbpf-default", "libbpf-bookworm"), ("clang-14", "clang-19")
PLACES = list(product(KERNELS, USERLANDS, COMPILERS))
ANSWERS = (OutcomeKind.WORKS, OutcomeKind.REFUSED, OutcomeKind.MISBEHAVES, OutcomeKind.NOT_APPLICABLE)
NONE = (OutcomeKind.LOST, OutcomeKind.NOT_RUN)


def row(place: Place) -> KernelResult:
    _, userland, compiler = place
    name = "+".join(part for part in place if part)
    return KernelResult(name=name, userland=userland, compiler=compiler, arch="x86_64")


def cell(place: Place, kind: OutcomeKind, *, stage: Stage = Stage.LOAD_TARGET) -> CellResult:
    lost = {OutcomeKind.LOST: Verdict.ERROR, OutcomeKind.NOT_RUN: Verdict.NOT_RUN}
    outcome = Outcome(kind=kind, reason="r", stage=stage if kind is OutcomeKind.REFUSED else None)
    return CellResult(
        kernel=row(place).name,
        case="case",
        title="t",
        outcome=outcome,
        expectation=Expectation(outcome=OutcomeKind.WORKS, reason="r"),
        verdict=lost.get(kind, Verdict.FAIL),
        verdict_reason="r",
    )


def said(answer: Callable[[Place], OutcomeKind | None], places: Sequence[Place] = PLACES) -> tuple[Attribution, ...]:
    """What is said of cells that have these answers; None leaves a cell out."""
    cells = [cell(place, kind) for place in places if (kind := answer(place)) is not None]
    return attributions([row(place) for place in places], cells)


def test_the_compiler_decides_where_nothing_else_makes_a_difference() -> None:
    (found,) = said(lambda place: OutcomeKind.REFUSED if place[2] == "clang-14" else OutcomeKind.WORKS)
    assert (found.case, found.part, found.axis, found.left_out) == ("case", "", Axis.CLANG, ())
    assert found.answers == (
        Attributed(values=("clang-14",), outcome=OutcomeKind.REFUSED, stage=Stage.LOAD_TARGET),
        Attributed(values=("clang-19",), outcome=OutcomeKind.WORKS),
    )


def test_the_kernel_decides_where_no_userland_or_compiler_does_and_one_of_these_is_an_axis() -> None:
    def by_kernel(place: Place) -> OutcomeKind:
        return OutcomeKind.WORKS if place[0] == "5.10" else OutcomeKind.MISBEHAVES

    (found,) = said(by_kernel)
    assert (found.axis, [each.values for each in found.answers]) == (Axis.KERNEL, [("5.10",), ("6.1+b1",)])
    assert said(by_kernel, [(kernel, "", "") for kernel in KERNELS]) == ()
    assert said(by_kernel, [(kernel, "libbpf-default", "clang-14") for kernel in KERNELS]) == ()


def test_a_kernel_on_which_it_means_nothing_shows_nothing_of_the_rest() -> None:
    def answer(place: Place) -> OutcomeKind:
        if place[0] == "5.10":
            return OutcomeKind.NOT_APPLICABLE
        return OutcomeKind.WORKS if place[1] == "libbpf-default" else OutcomeKind.REFUSED

    (found,) = said(answer)
    assert (found.axis, found.left_out) == (Axis.LIBBPF, ("5.10",))
    # Where it means nothing for a userland alone, that is an answer like any other.
    (found,) = said(lambda place: OutcomeKind.NOT_APPLICABLE if place[1] == "libbpf-bookworm" else OutcomeKind.WORKS)
    assert (found.axis, found.left_out) == (Axis.LIBBPF, ())


def test_another_stage_of_a_refusal_is_another_answer() -> None:
    stages = {"clang-14": Stage.BUILD, "clang-19": Stage.LOAD_TRACER}
    cells = [cell(place, OutcomeKind.REFUSED, stage=stages[place[2]]) for place in PLACES]
    (found,) = attributions([row(place) for place in PLACES], cells)
    assert [(each.values, each.stage) for each in found.answers] == [
        (("clang-14",), Stage.BUILD),
        (("clang-19",), Stage.LOAD_TRACER),
    ]


def test_parts_are_decided_about_by_themselves() -> None:
    def with_parts(place: Place) -> CellResult:
        whole = cell(place, OutcomeKind.WORKS)
        kinds = {
            "same": OutcomeKind.WORKS,
            "by compiler": OutcomeKind.WORKS if place[2] == "clang-19" else OutcomeKind.REFUSED,
            **({"only there": OutcomeKind.WORKS} if place[2] == "clang-19" else {}),
        }
        parts = [
            PartResult(name=name, outcome=Outcome(kind=kind, reason=""), verdict=Verdict.PASS, verdict_reason="")
            for name, kind in kinds.items()
        ]
        return replace(whole, parts=tuple(parts))

    found = attributions([row(place) for place in PLACES], [with_parts(place) for place in PLACES])
    assert [(each.part, each.axis) for each in found] == [("by compiler", Axis.CLANG)]


@given(st.lists(st.sampled_from(ANSWERS), min_size=8, max_size=8), st.permutations(range(8)))
def test_what_is_said_is_true_of_every_cell(kinds: list[OutcomeKind], order: list[int]) -> None:
    """And all that is true is said: an axis is named if, and only if, its value alone tells the answer."""
    answers = dict(zip(PLACES, kinds, strict=True))
    found = said(answers.__getitem__)
    assert {(each.case, each.axis) for each in found} == {
        (each.case, each.axis) for each in said(answers.__getitem__, [PLACES[index] for index in order])
    }
    left_out = found[0].left_out if found else ()
    counted = {place: kind for place, kind in answers.items() if place[0] not in left_out}
    tells = [
        axis
        for index, axis in enumerate(Axis)
        if len(set(counted.values())) > 1
        and all(len({k for p, k in counted.items() if p[index] == value}) == 1 for value in {p[index] for p in counted})
    ]
    assert [each.axis for each in found] == tells
    for each in found:
        index = list(Axis).index(each.axis)
        told = {value: answer.outcome for answer in each.answers for value in answer.values}
        assert {place: told[place[index]] for place in counted} == counted
    for kernel in left_out:
        assert {kind for place, kind in answers.items() if place[0] == kernel} == {OutcomeKind.NOT_APPLICABLE}


@given(
    st.permutations(ANSWERS),
    st.sampled_from([0, 1, 2]),
    st.sets(st.sampled_from(PLACES), min_size=1),
    st.sampled_from([*NONE, None]),
)
def test_nothing_is_said_where_an_answer_is_missing(
    kinds: list[OutcomeKind], axis: int, where: set[Place], instead: OutcomeKind | None
) -> None:
    """Whichever axis decides, and however many cells have none: also where these are all cells of one value."""
    values = sorted({place[axis] for place in PLACES})

    def by_axis(place: Place) -> OutcomeKind:
        return kinds[values.index(place[axis])]

    assert [list(Axis).index(each.axis) for each in said(by_axis)] == [axis]
    assert said(lambda place: instead if place in where else by_axis(place)) == ()
    assert said(lambda place: instead if place[axis] == values[0] else by_axis(place)) == ()


def test_nothing_is_said_where_a_combination_was_not_asked_for() -> None:
    def by_compiler(place: Place) -> OutcomeKind:
        return OutcomeKind.REFUSED if place[2] == "clang-14" else OutcomeKind.WORKS

    assert len(said(by_compiler)) == 1
    assert said(by_compiler, PLACES[:-1]) == ()
    assert attributions([], []) == ()
