"""What steps are made of: whose maps are shared unasked, numbered names, and where a bare name is looked for."""

from __future__ import annotations

import pytest
from unit_samples import sample_case, written_case

from harness.scenario.carriers import TARGET, TRACER, UNSEEN, Carriers, Source, numbered, variable_of

TRACE = ("trace", "trace_cursor")
BOTH = Carriers(trace_in=TARGET, trace_maps={TARGET: TRACE, TRACER: TRACE})


def test_a_program_belongs_to_the_variable_that_names_it() -> None:
    programs = {"ops": ("init", "release"), "empty": ()}
    assert [variable_of(programs, name) for name in ("ops", "release", "empty", "other")] == ["ops", "ops", None, None]


@pytest.mark.parametrize(
    ("carriers", "name", "loaded", "shared"),
    [
        (BOTH, TRACER, {TARGET}, TRACE),
        (BOTH, TRACER, set(), ()),
        (BOTH, TARGET, {TARGET}, ()),
        (BOTH, "third", {TARGET}, ()),
        (Carriers(trace_in=TARGET, trace_maps={TRACER: TRACE}), TRACER, {TARGET}, ()),
        (UNSEEN, TRACER, {TARGET}, ()),
    ],
    ids=["read-object-is-loaded", "not-yet", "its-own", "without-a-trace", "nobody-to-share-with", "unseen"],
)
def test_maps_of_the_trace_are_shared_once_the_object_that_is_read_is_loaded(
    carriers: Carriers, name: str, loaded: set[str], shared: tuple[str, ...]
) -> None:
    assert carriers.shared_by(name, loaded=loaded) == shared


def test_a_name_or_several_numbered_ones() -> None:
    assert numbered("fexit", None) == ["fexit"]
    assert numbered("fexit", 3) == ["fexit_1", "fexit_2", "fexit_3"]
    assert numbered("fexit", 2, first=39) == ["fexit_39", "fexit_40"]


def test_a_bare_name_is_the_targets_before_any_other_objects() -> None:
    written = written_case()
    source = Source(written=written, carriers=UNSEEN, files={"a": "a.bpf.c", TARGET: "target.bpf.c", "b": "b.bpf.c"})
    assert list(source.names.objects) == [TARGET, "a", "b"]


def test_only_of_some_sections_the_target_is_chosen_before_the_load() -> None:
    sections = {TARGET: {"traces": "fentry", "probes": "kprobe"}}
    source = Source(written=written_case(), carriers=Carriers(sections=sections), files={TARGET: "target.bpf.c"})
    assert source.before_load(TARGET, "traces")
    assert not any(source.before_load(*each) for each in ((TARGET, "probes"), (TARGET, "unknown"), ("other", "traces")))


def test_all_looks_of_a_case() -> None:
    source = Source(written=written_case(), carriers=UNSEEN, files=sample_case().objects)
    written = source.written
    assert source.looks() == [written.observe, written.control]
