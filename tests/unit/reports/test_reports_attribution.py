"""What has decided, as a person reads it."""

from __future__ import annotations

from dataclasses import replace

from reports_sample import quiet_report

from harness.model.results import Attributed, Attribution, Axis, KernelResult, OutcomeKind, Report, Stage
from harness.reports import html, json_report, markdown
from harness.reports.attribution import sentences

REFUSED = Attributed(values=("clang-14",), outcome=OutcomeKind.REFUSED, stage=Stage.LOAD_TARGET)
WORKS = Attributed(values=("clang-16", "clang-19"), outcome=OutcomeKind.WORKS)
COMPILER = Attribution(case="case", axis=Axis.CLANG, answers=(REFUSED, WORKS))


def report(*found: Attribution, kernels: int = 2, userlands: int = 1) -> Report:
    rows = [
        KernelResult(
            name=f"k{kernel}+libbpf-{userland}+clang-{clang}",
            userland=f"libbpf-{userland}",
            compiler=f"clang-{clang}",
            arch="x86_64",
            libbpf_version=f"v1.{userland}",
            clang_version=f"{clang}.0.1",
        )
        for kernel in range(kernels)
        for userland in range(userlands)
        for clang in (14, 16, 19)
    ]
    return replace(quiet_report(), kernels=tuple(rows), cells=(), attributions=found)


def test_a_sentence_says_what_differs_with_what_and_over_what_it_is_the_same() -> None:
    said = "case: is refused (load-target) with clang-14, works with clang-16 and clang-19"
    assert sentences(report(COMPILER)) == (f"{said}, on every kernel: the compiler decides",)
    assert sentences(report(COMPILER, kernels=1)) == (f"{said}: the compiler decides",)
    assert sentences(report(COMPILER, userlands=2)) == (
        f"{said}, on every kernel and with every libbpf: the compiler decides",
    )
    left_out = replace(COMPILER, left_out=("k0",))
    assert sentences(report(left_out)) == (
        f"{said}, on every kernel but k0, where it is not applicable: the compiler decides",
    )


def test_other_axes_have_words_of_their_own() -> None:
    nothing = Attributed(values=("libbpf-0",), outcome=OutcomeKind.NOT_APPLICABLE)
    crashes = Attributed(values=("libbpf-1",), outcome=OutcomeKind.CRASHED)
    found = Attribution(case="c", axis=Axis.LIBBPF, answers=(nothing, crashes))
    assert sentences(report(found, kernels=1, userlands=2)) == (
        "c: is not applicable with libbpf-0, crashes the kernel with libbpf-1, with every clang: libbpf decides",
    )
    broken = Attributed(values=("k0",), outcome=OutcomeKind.REFUSED, stage=Stage.BUILD)
    wrong = Attributed(values=("k1",), outcome=OutcomeKind.MISBEHAVES)
    assert sentences(report(Attribution(case="c", axis=Axis.KERNEL, answers=(broken, wrong)))) == (
        "c: is not compiled on k0, misbehaves on k1, with every clang: the kernel decides",
    )


def test_parts_of_which_the_same_is_to_be_said_have_one_sentence() -> None:
    parts = [replace(COMPILER, part=f"p{number}") for number in range(9)]
    other = replace(COMPILER, part="other", answers=(WORKS, REFUSED))
    first, second = sentences(report(*parts, other, kernels=1))
    assert first.startswith("case (p0, p1, p2, p3, p4, p5 and 3 more): is refused")
    assert second.startswith("case (other): works")


def test_every_report_says_it_and_shows_the_versions_of_the_axes() -> None:
    found = report(replace(COMPILER, case="a|b<c>"), userlands=2)
    for text in (markdown.render(found), html.render(found)):
        assert "What decided" in text
        assert "the compiler decides" in text
        assert "<c>" not in text
        assert "14.0.1" in text
        assert "v1.1" in text
    assert json_report.parse(json_report.render(found)).attributions == found.attributions
    for text in (markdown.render(quiet_report()), html.render(quiet_report())):
        assert "What decided" not in text
        assert "clang" not in text
