"""The accelerators that a user can name."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.model.accelerators import ACCELERATORS, check_accelerator


@pytest.mark.parametrize("word", [*ACCELERATORS, None])
def test_one_of_them_or_none_is_right(word: str | None) -> None:
    check_accelerator(word)


@pytest.mark.parametrize("word", ["", "KVM", "hvf", "tcg "])
def test_any_other_word_is_refused_with_those_that_there_are(word: str) -> None:
    with pytest.raises(UsageError, match=rf'^--accel takes auto, kvm, tcg; got "{word}"$'):
        check_accelerator(word)
