"""Packs of evidence: small, whole, each text once, and no markup."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from harness.reports.packing import decoded, encoded, pack, unpacked

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
DOCUMENTS = st.recursive(
    TEXTS, lambda of: st.lists(of, max_size=3) | st.dictionaries(st.sampled_from("abc"), of, max_size=3), max_leaves=9
)


@given(st.lists(st.lists(DOCUMENTS, max_size=3), max_size=3))
def test_what_is_packed_is_unpacked(documents: list[list[Any]]) -> None:
    assert unpacked(pack(documents)) == documents


def test_a_text_is_there_once_with_its_pack_or_with_the_shared_ones() -> None:
    packs = pack([["one", {"a": ["all", "all", "one"]}], ["two", ("all", "two")]])
    assert decoded(packs.shared) == ["all"]
    assert [decoded(each)["texts"] for each in packs.packs] == [["one"], ["two"]]
    assert [decoded(each)["documents"] for each in packs.packs] == [[1, {"a": [0, 0, 1]}], [1, [0, 1]]]


def test_a_pack_is_small_and_has_no_sign_of_markup() -> None:
    text = "</script><!-- a line that comes again and again\n" * 999
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", encoded([text]))
    assert len(encoded([text])) < 1000
