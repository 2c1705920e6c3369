"""The sources of kernels by the words of a matrix."""

from __future__ import annotations

from pathlib import Path

from source_worlds import no_mirrors

from harness.config.matrix import Kernel
from harness.host.cache import Cache
from harness.supply.kernels.registry import PIN_TYPES, SOURCES, make_sources
from harness.supply.kernels.source import SourceContext


def test_each_word_of_a_matrix_is_a_source_and_each_source_is_a_word_of_a_matrix() -> None:
    names = {model.model_fields["source"].annotation.__args__[0] for model in Kernel.__args__}
    assert names == SOURCES.keys()


def test_they_are_made_without_looking_for_a_mirror(tmp_path: Path) -> None:
    made = make_sources(SourceContext(cache=Cache(tmp_path), mirrors=no_mirrors))
    assert made.keys() == SOURCES.keys()
    names = {name: type(source).__name__ for name, source in made.items()}
    assert names == {
        "debian": "DebianSource",
        "apt": "AptSource",
        "path": "PathSource",
        "rpm": "RpmSource",
        "oci": "OciSource",
        "build": "BuildSource",
    }


def test_what_a_lock_can_hold_is_what_sources_pin() -> None:
    assert {name: kind.pin_type for name, kind in SOURCES.items() if name in PIN_TYPES} == PIN_TYPES
    assert [name for name, kind in SOURCES.items() if kind.pin_type is None] == [
        n for n in SOURCES if n not in PIN_TYPES
    ]
