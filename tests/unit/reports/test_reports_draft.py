"""What was seen becomes rules that check.yaml takes once their reasons are filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from reports_sample import report_of_cells

from harness.config.check import CheckFile, load_check
from harness.errors import ConfigError
from harness.model.results import (
    CellResult,
    Expectation,
    KernelResult,
    Origin,
    Outcome,
    OutcomeKind,
    PartResult,
    Report,
    Stage,
    Verdict,
)
from harness.reports.draft import draft

WORKS = Outcome(kind=OutcomeKind.WORKS, reason="")
REFUSED = Outcome(
    kind=OutcomeKind.REFUSED,
    reason="refused",
    stage=Stage.LOAD_TARGET,
    errno=22,
    errno_name="EINVAL",
    origin=Origin.SYSTEM_CALL,
    refusal="helper-missing",
)


def part(name: str, outcome: Outcome) -> PartResult:
    verdict = Verdict.PASS if outcome.kind is OutcomeKind.WORKS else Verdict.FAIL
    about = "" if name == "all-together" else "kprobe/x"
    return PartResult(name=name, outcome=outcome, verdict=verdict, verdict_reason=outcome.reason, about=about)


def report(kernels: Mapping[str, Mapping[str, Outcome]]) -> Report:
    """A run of one object on kernels named VERSION-ARCH, with the outcomes of its programs."""
    rows, cells = [], []
    for name, parts in kernels.items():
        version, _, arch = name.partition("-")
        rows.append(KernelResult(name=name, arch=arch, version=f"{version}.107-1", release=version))
        cells.append(
            CellResult(
                kernel=name,
                case="my",
                title="my.bpf.o",
                outcome=WORKS,
                expectation=Expectation(outcome=OutcomeKind.WORKS, reason=""),
                verdict=Verdict.FAIL,
                verdict_reason="",
                parts=tuple(part(program, outcome) for program, outcome in parts.items()),
            )
        )
    return report_of_cells(rows, cells)


def taken(text: str, folder: Path) -> CheckFile:
    """The draft as check.yaml takes it, with its reasons filled in; as it is, it is refused."""
    path = folder / "check.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="still says"):
        load_check(path)
    path.write_text(text.replace("FILL IN", "because"))
    return load_check(path)[0]


def test_a_refusal_becomes_a_rule_for_the_kernels_that_it_was_seen_on(tmp_path: Path) -> None:
    text = draft(
        report(
            {
                "5.10-x86_64": {"old": REFUSED, "fine": WORKS, "all-together": REFUSED},
                "6.1-x86_64": {"old": WORKS, "fine": WORKS, "all-together": WORKS},
            }
        )
    )
    (rule,) = taken(text, tmp_path).expect
    assert (rule.program, rule.version, rule.arch) == (("old",), "<6.1", None)
    assert (rule.outcome, rule.stage, rule.errno, rule.refusal) == (
        "refused",
        "load-target",
        ("EINVAL",),
        "helper-missing",
    )
    assert "why is it so on 5.10-x86_64?" in text


@pytest.mark.parametrize(
    ("refused", "version"),
    [(["6.12"], ">=6.12"), (["5.10", "6.1", "6.12"], None), (["6.1"], ">=6.1,<6.2"), (["5.10", "6.1"], "<6.12")],
)
def test_the_range_has_what_was_seen_and_nothing_else(refused: list[str], version: str | None, tmp_path: Path) -> None:
    seen = {f"{each}-x86_64": {"old": REFUSED if each in refused else WORKS} for each in ("5.10", "6.1", "6.12")}
    assert taken(draft(report(seen)), tmp_path).expect[0].version == version


def test_what_differs_by_architecture(tmp_path: Path) -> None:
    seen = {"6.1-x86_64": {"old": WORKS}, "6.1-arm64": {"old": REFUSED}, "6.12-arm64": {"old": REFUSED}}
    (rule,) = taken(draft(report(seen)), tmp_path).expect
    assert (rule.arch, rule.version) == (("arm64",), None)


def test_what_libbpf_refuses_by_itself_says_so(tmp_path: Path) -> None:
    by_libbpf = Outcome(
        kind=OutcomeKind.REFUSED,
        reason="",
        stage=Stage.ATTACH_TARGET,
        errno=95,
        errno_name="EOPNOTSUPP",
        origin=Origin.LIBBPF,
        refusal="unclassified",
    )
    (rule,) = taken(draft(report({"6.1-x86_64": {"bare": by_libbpf}})), tmp_path).expect
    assert (rule.origin, rule.refusal) == ((Origin.LIBBPF,), None)


def unruled(kernels: Mapping[str, Mapping[str, Outcome]], distribution: str, *, number: bool) -> Report:
    """The same run on kernels that no rule covers, with or without a number to compare with."""
    made = report(kernels)
    rows = [replace(each, distribution=distribution, version=each.version if number else "") for each in made.kernels]
    cells = [
        replace(each, parts=tuple(replace(part, verdict=Verdict.ANSWERED) for part in each.parts))
        for each in made.cells
    ]
    return report_of_cells(rows, cells)


def test_what_no_rule_covers_is_drafted_for_its_distribution_also_where_it_works(tmp_path: Path) -> None:
    seen = {
        "5.15-x86_64": {"old": REFUSED, "all-together": REFUSED},
        "6.8-x86_64": {"old": WORKS, "all-together": WORKS},
    }
    first, second, third = taken(draft(unruled(seen, "ubuntu", number=True)), tmp_path).expect
    assert (first.outcome, first.distribution, first.version, first.kernel) == ("refused", ("ubuntu",), "<6.8", None)
    assert (second.outcome, second.program, second.version) == ("works", ("old",), ">=6.8")
    assert (third.outcome, third.program, third.source) == ("works", ("all-together",), None)


def test_kernels_without_a_number_are_named_in_the_draft(tmp_path: Path) -> None:
    seen = {"el8-x86_64": {"old": REFUSED}, "el9-x86_64": {"old": WORKS}, "el10-x86_64": {"old": WORKS}}
    refused, works = taken(draft(unruled(seen, "rhel-like", number=False)), tmp_path).expect
    assert (refused.outcome, refused.kernel) == ("refused", ("el8-x86_64",))
    assert (works.outcome, works.kernel) == ("works", ("el9-x86_64", "el10-x86_64"))
    assert (refused.version, works.version, works.distribution) == (None, None, ("rhel-like",))


def test_a_precondition(tmp_path: Path) -> None:
    unmet = Outcome(
        kind=OutcomeKind.NOT_APPLICABLE, reason="", cause="module", cause_name="veth", errno=2, errno_name="ENOENT"
    )
    (rule,) = taken(draft(report({"6.1-x86_64": {"old": unmet}})), tmp_path).expect
    assert (rule.outcome, rule.module, rule.errno) == ("not-applicable", "veth", ("ENOENT",))


def test_what_misbehaves_is_no_rule() -> None:
    wrong = Outcome(kind=OutcomeKind.MISBEHAVES, reason="the kernel complained", stage=Stage.TRIGGER)
    text = draft(report({"6.1-x86_64": {"old": wrong}}))
    assert "expect" not in text
    assert "# old on 6.1-x86_64: the kernel complained" in text


def test_nothing_to_accept() -> None:
    assert draft(report({"6.1-x86_64": {"old": WORKS}})).startswith("# Nothing to accept")


def test_all_together_is_a_rule_where_it_fails_by_itself(tmp_path: Path) -> None:
    text = draft(report({"6.1-x86_64": {"one": WORKS, "two": WORKS, "all-together": REFUSED}}))
    assert [rule.program for rule in taken(text, tmp_path).expect] == [("all-together",)]
