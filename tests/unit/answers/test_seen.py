from __future__ import annotations

from dataclasses import replace

from answers_samples import LOST, REFUSED, WORKS, cell, part, report

from harness.answers.seen import Place, seen_in, signature_of, without_numbers
from harness.model.results import Difference, DifferenceKind, OutcomeKind, Verdict

ROW, CASE = "6.1-x86_64", "seed"


def test_cells_and_their_parts_are_places() -> None:
    made = cell(ROW, CASE, "fail", parts=(part("one", "pass"), part("two", "fail")))
    found = seen_in(report({ROW: {CASE: made}}))
    assert [place.what for place in found] == ["seed", "seed: one", "seed: two"]
    assert found[Place(kernel=ROW, case=CASE)].has_parts
    assert not found[Place(kernel=ROW, case=CASE, part="one")].is_wrong
    assert found[Place(kernel=ROW, case=CASE, part="two")].is_wrong


def test_what_is_lost_is_no_answer() -> None:
    found = seen_in(report({ROW: {"a": "lost", "b": "not-run", "c": "nothing", "d": "answered"}}))
    assert [seen.has_answer for seen in found.values()] == [False, False, True, True]


def test_a_signature_has_what_decides_and_no_more() -> None:
    assert signature_of(REFUSED) == signature_of(replace(REFUSED, seconds=3.0, log="other", reason="other words"))
    assert signature_of(REFUSED) != signature_of(replace(REFUSED, errno_name="EPERM"))
    assert signature_of(REFUSED) != signature_of(replace(REFUSED, refusal="other"))
    assert signature_of(WORKS) != signature_of(LOST)


def test_differences_count_by_what_was_seen_where_that_is_one_value() -> None:
    def wrong(seen: object) -> object:
        found = Difference(step="run", kind=DifferenceKind.RETVAL, text=str(seen), seen=seen)
        return signature_of(replace(WORKS, kind=OutcomeKind.MISBEHAVES, differences=(found,)))

    assert wrong(1) != wrong(2)
    assert wrong(({"pid": 1},)) == wrong(({"pid": 2},))


def test_numbers_and_addresses_are_left_out() -> None:
    assert without_numbers("RIP: 0010:bpf_prog_6deef7357e7b4530+0x1b/0x40 pid 17") == (
        "RIP: N:bpf_prog_6deef7357e7b4530+N/N pid N"
    )


def test_of_two_in_one_place_the_worse_one_counts() -> None:
    one = report({ROW: {CASE: "pass"}})
    for words in (("pass", "fail"), ("fail", "pass")):
        twice = replace(one, cells=tuple(cell(ROW, CASE, word) for word in words))
        assert [seen.verdict for seen in seen_in(twice).values()] == [Verdict.FAIL]
