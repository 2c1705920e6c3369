"""The names in a case, looked up in its objects: what is told of each mistake, and where in the file."""

# ruff: noqa: E501  (a table is read by its columns)

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from unit_samples import ROOT

from harness.config.case import WrittenCase
from harness.config.case_folders import load_case
from harness.errors import ConfigError
from harness.model.listing import Listing
from harness.scenario.case import Case
from harness.scenario.from_yaml import compile_case
from harness.supply.names import resolve

TRACE = {"trace": 2, "trace_cursor": 2}
TARGET = Listing(
    programs={
        "main": "xdp",
        "other": "xdp",
        "k_connect": "kprobe/tcp_connect",
        "filter": "socket",
        "walk": "iter/task",
    },
    functions={"main": ["main", "stub"], "other": ["other", "helper"], "k_connect": ["k_connect"], "walk": ["walk"]},
    maps={"events": 4, "progs": 3, "rb": 27, "unknown": None, **TRACE},
)
TRACER = Listing(
    programs={
        "fentry": "fentry",
        "fexit_1": "fexit",
        "fexit_2": "fexit",
        "elements": "iter/bpf_map_elem",
        "of_main": "fentry/main",
        "of_kernel": "fentry/vfs_write",
        "plain": "kprobe",
    },
    functions={"fentry": ["fentry"]},
    maps={"events": 4, **TRACE},
)
SIMPLE: dict[str, Any] = {
    "title": "t",
    "target": {
        "object": "target.bpf.c",
        "attach": ["k_connect"],
        "tail-calls": [{"map": "progs", "index": 0, "program": "other"}],
    },
    "tracer": {
        "object": "tracer.bpf.c",
        "shared-maps": ["events", "trace", "trace_cursor"],
        "attach": [{"program": "fentry", "target": "main", "function": "stub"}],
    },
    "events": "events",
    "trigger": {"kind": "tcp-connect"},
    "observe": {"client": [{"kind": "fentry"}], "trace": []},
}
SHARED = {name: f"target.{name}" for name in TRACE}
STEPS: list[dict[str, Any]] = [
    {"do": "load", "object": "target", "only": ["main"]},
    {"do": "load", "object": "tracer", "tracing": {"fentry": "target.main:stub"}, "share": SHARED},
    {"do": "attach", "program": "tracer.fentry"},
    {"do": "trigger", "trigger": {"kind": "run", "program": "target.main"}},
    {"do": "observe", "expect": {"trace": [{"kind": "fentry"}]}},
    {"do": "info", "link": "fentry", "expect": {"target_obj_id": "target.main"}},
    {"do": "detach", "link": "fentry"},
]


def case_of(folder: Path, data: dict[str, Any]) -> WrittenCase:
    folder = folder / "case"
    folder.mkdir(exist_ok=True)
    for name in ("target.bpf.c", "tracer.bpf.c"):
        (folder / name).touch()
    (folder / "case.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    return load_case(folder)


def resolved(folder: Path, data: dict[str, Any], **listings: Listing) -> Case:
    found = {"target": TARGET, "tracer": TRACER, **listings}
    return resolve(case_of(folder, data), {f"{name}.bpf.c": listing for name, listing in found.items()})


def steps(*more: dict[str, Any], first: int = len(STEPS), **keys: Any) -> dict[str, Any]:
    objects = {"target": "target.bpf.c", "tracer": "tracer.bpf.c"}
    return {"title": "t", "objects": objects, "steps": [*STEPS[:first], *more], **keys}


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return SIMPLE with the value at a path of keys and numbers replaced, or taken out (None)."""
    data: Any = yaml.safe_load(yaml.safe_dump(SIMPLE))
    *way, last = [int(key) if key.isdigit() else key for key in path.split("/")]
    place = data
    for key in way:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return dict(data)


def complaints_of(folder: Path, data: dict[str, Any], **listings: Listing) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        resolved(folder, data, **listings)
    return [line.partition("case.yaml:")[2] for line in str(caught.value).splitlines()]


def test_a_case_whose_names_are_all_there_is_as_it_was(tmp_path: Path) -> None:
    for data in (SIMPLE, steps()):
        case = resolved(tmp_path, data)
        assert case == compile_case(case_of(tmp_path, data))


def test_tracers_may_go_where_their_section_or_the_case_says(tmp_path: Path) -> None:
    tracer = {**SIMPLE["tracer"], "attach": ["fentry", "of_kernel", "plain"]}
    tracer["attach-to"] = {"fentry": "vfs_read", "plain": "tcp_connect"}
    found = resolved(tmp_path, {**SIMPLE, "tracer": tracer})
    chosen = [step.args for step in found.steps if step.op == "set-attach-target"]
    assert chosen == [{"object": "tracer", "program": "fentry", "function": "vfs_read"}]
    attached = {step.what: step.args.get("to") for step in found.steps if step.op == "attach"}
    assert attached == {"fentry": None, "of_kernel": None, "plain": "tcp_connect", "k_connect": None}


def test_a_field_of_a_programs_info_is_no_function_and_a_text_as_it_is_no_program(tmp_path: Path) -> None:
    fields = {"attach_btf_id": "target.main:function_btf_id", "name": "=main", "id": "target.main"}
    seen = [{"kind": "fentry", "value": "target.main:jited_address"}]
    more = ({"do": "info", "program": "target.main", "expect": fields}, {"do": "observe", "expect": {"trace": seen}})
    assert resolved(tmp_path, steps(*more)) == compile_case(case_of(tmp_path, steps(*more)))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("target/attach/0", "k_conect", 'target.attach[0]: target.bpf.c has no program "k_conect"; did you mean "k_connect"?'),
        ("target/attach/0", "progs", 'target.attach[0]: target.bpf.c has no program "progs": that is a BPF_MAP_TYPE_PROG_ARRAY (there are: '),
        ("target/attach/0", "unknown", 'target.attach[0]: target.bpf.c has no program "unknown": that is a map (there are: '),
        ("target/tail-calls/0/map", "prog", 'has no map "prog"; did you mean "progs"? (there are: events, progs'),
        ("target/tail-calls/0/map", "events", "is a BPF_MAP_TYPE_PERF_EVENT_ARRAY, and a BPF_MAP_TYPE_PROG_ARRAY is needed"),
        ("target/tail-calls/0/program", "mian", 'has no program "mian"; did you mean "main"?'),
        ("tracer/attach/0/program", "fexit", 'tracer.bpf.c has no program "fexit"; did you mean "fexit_'),
        ("tracer/attach/0/target", "man", 'tracer.attach[0].function: target.bpf.c has no program "man"; did you mean "main"?'),
        ("tracer/attach/0/function", "helper", 'has no function "helper" in main (there are: main, stub)'),
        ("tracer/shared-maps/0", "progs", 'tracer.shared-maps[0]: tracer.bpf.c has no map "progs"'),
        ("target/autoload", {"mian": True}, 'target.autoload.mian: target.bpf.c has no program "mian"; did you mean "main"?'),
        ("target/map-sizes", {"prog": 2}, 'target.map-sizes.prog: target.bpf.c has no map "prog"; did you mean "progs"?'),
        ("tracer/pins", {"ebents": "/sys/fs/bpf/e"}, 'tracer.pins.ebents: tracer.bpf.c has no map "ebents"'),
        ("tracer/attach-to", {"fexit": "vfs_read"}, 'tracer.attach-to.fexit: tracer.bpf.c has no program "fexit"'),
        ("tracer/attach/0", {"program": "fentry"}, 'tracer.attach[0].program: fentry (SEC("fentry")) needs the key "target", a program of the target object'),
        ("tracer/attach/0", "of_main", 'tracer.attach[0].program: of_main (SEC("fentry/main")) needs the key "target": `target: main`'),
        ("tracer/attach/0", {"program": "plain", "function": "f"}, 'tracer.attach[0].function: needs the key "target"'),
        ("events", "event", 'events: target.bpf.c has no map "event"; did you mean "events"?'),
        ("events", "rb", 'events: the map "rb" of target.bpf.c is a BPF_MAP_TYPE_RINGBUF, and a BPF_MAP_TYPE_PERF_EVENT_ARRAY'),
        ("trigger", {"kind": "run", "program": "target.mian"}, 'trigger.program: target.bpf.c has no program "mian"'),
        ("trigger", {"kind": "run", "program": "traget.main"}, 'the case has no object "traget"; did you mean "target"?'),
        ("trigger", {"kind": "run", "program": "target.main"}, "observe.client: only the trigger tcp-connect makes"),
        ("trigger", {"kind": "call", "name": "socket-send"}, "trigger.name: no program is attached to a socket here"),
        ("trigger", {"kind": "read-iterator", "program": "target.walk"}, "walk is not attached here"),
        ("again", {"tail-calls": [{"map": "prog", "index": 0, "program": "other"}], "observe": {}},
         'again.tail-calls[0].map: target.bpf.c has no map "prog"; did you mean "progs"?'),
        ("again", {"tail-calls": [{"map": "progs", "index": 0, "program": "othr"}], "observe": {}},
         'again.tail-calls[0].program: target.bpf.c has no program "othr"; did you mean "other"?'),
    ],
)  # fmt: skip
def test_mistakes_of_the_simple_form(tmp_path: Path, path: str, value: Any, message: str) -> None:
    found = complaints_of(tmp_path, changed(path, value))
    assert any(message in line for line in found), found


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"do": "load", "object": "traget"}, 'steps[7].object: the case has no object "traget"; did you mean "target"?'),
        ({"do": "load", "object": "target", "only": ["mian"]}, 'steps[7].only[0]: target.bpf.c has no program "mian"'),
        ({"do": "load", "object": "tracer", "tracing": {"fexit": "target.main"}}, 'has no program "fexit"'),
        ({"do": "load", "object": "tracer", "tracing": {"fexit": "target.main"}, "times": 3}, 'has no program "fexit_3"'),
        ({"do": "load", "object": "tracer", "tracing": {"fentry": "target.man"}}, 'target.bpf.c has no program "man"'),
        ({"do": "load", "object": "tracer", "tracing": {"fentry": "target.main:helper"}}, 'no function "helper" in main'),
        ({"do": "load", "object": "tracer", "share": {"tracee": "target.trace"}}, 'tracer.bpf.c has no map "tracee"'),
        ({"do": "load", "object": "tracer", "share": {"trace": "target.tracee"}}, 'target.bpf.c has no map "tracee"'),
        ({"do": "load", "object": "tracer", "attach-types": {"session": "fsession"}}, 'has no program "session"'),
        ({"do": "load-raw", "object": "tracer", "program": "x", "target": "target.main", "btf-id": 1}, 'no program "x"'),
        ({"do": "load-raw", "object": "tracer", "program": "fentry", "target": "target.x", "btf-id": 1}, 'no program "x"'),
        ({"do": "attach", "program": "tracer.fentri"}, 'steps[7].program: tracer.bpf.c has no program "fentri"; did you'),
        ({"do": "attach", "program": "tracer.fentri", "refused": "EINVAL"}, 'has no program "fentri"'),
        ({"do": "attach", "program": "tracer.fexit", "times": 2, "first": 2}, 'has no program "fexit_3"'),
        ({"do": "attach", "program": "tracer.fentry", "api": "link-create", "target": "target.x"}, 'no program "x"'),
        ({"do": "attach", "program": "tracer.elements"}, 'tracer.bpf.c has no map "elements"'),
        ({"do": "detach", "link": "fentry"}, 'steps[7].link: there is no link "fentry" here (there are: none)'),
        ({"do": "tail-call", "map": "target.prog", "program": "target.main"}, 'has no map "prog"; did you mean "progs"?'),
        ({"do": "tail-call", "map": "target.events"}, "a BPF_MAP_TYPE_PROG_ARRAY is needed here"),
        ({"do": "tail-call", "map": "target.progs", "program": "target.x"}, 'has no program "x"'),
        ({"do": "trigger", "trigger": {"kind": "run", "program": "target.x"}}, 'steps[7].trigger.program: target.bpf.c has'),
        ({"do": "trigger", "trigger": {"kind": "read-iterator", "program": "target.walk"}}, "no iterator to read"),
        ({"do": "trigger", "trigger": {"kind": "call", "name": "socket-send"}}, "no program is attached to a socket"),
        ({"do": "observe", "expect": {"client": []}}, 'steps[7].expect.client: needs the key "events"'),
        ({"do": "info", "link": "fentry", "expect": {"type": 2}}, 'there is no link "fentry" here'),
        ({"do": "info", "program": "target.x", "expect": {"type": 2}}, 'has no program "x"'),
        ({"do": "info", "link": "filter", "expect": {"type": 2}}, "filter is attached to a socket; the kernel has no link"),
        ({"do": "info", "program": "target.main", "expect": {"id": "target.x"}}, 'steps[7].expect.id: target.bpf.c has no'),
        ({"do": "info", "program": "target.main", "expect": {"id": "x"}}, '"x" does not'),
        (
            {"do": "info", "program": "target.main", "expect": {"id": "target.x:btf_id"}},
            'steps[7].expect.id: target.bpf.c has no program "x"',
        ),
        (
            {"do": "observe", "expect": {"trace": [{"kind": "fentry", "value": "target.x:jited_address"}]}},
            'steps[7].expect.trace[0].value: target.bpf.c has no program "x"',
        ),
    ],
)  # fmt: skip
def test_mistakes_in_steps(tmp_path: Path, step: dict[str, Any], message: str) -> None:
    filtered = [{"do": "attach", "program": "target.filter"}] if step.get("link") == "filter" else []
    found = complaints_of(tmp_path, steps(*filtered, step))
    assert any(message in line for line in found), found


def test_what_a_step_needs_must_be_there_before_it(tmp_path: Path) -> None:
    attach = {"do": "attach", "program": "tracer.fentry"}
    observe = {"do": "observe", "expect": {"trace": []}}
    assert complaints_of(tmp_path, steps(attach, first=1)) == [
        '11: steps[1].program: the object "tracer" is not loaded at this point'
    ]
    assert complaints_of(tmp_path, steps(observe, first=0)) == [
        "8: steps[0].expect.trace: the object target, which has the trace, is not loaded here"
    ]
    refused = {**attach, "refused": "EINVAL"}
    assert "there is no link" in complaints_of(tmp_path, steps(refused, {"do": "detach", "link": "fentry"}))[0]
    connect = {"do": "trigger", "trigger": {"kind": "tcp-connect"}}
    look = {"do": "observe", "expect": {"client": []}}
    assert resolved(tmp_path, steps(connect, look, events="events"))
    assert "another" in complaints_of(tmp_path, steps(connect, look, look, events="events"))[0], (
        "each look has its own trigger"
    )


def test_each_mistake_is_told_once_and_in_the_order_of_the_file(tmp_path: Path) -> None:
    data = steps({"do": "attach", "program": "tracer.b"}, {"do": "attach", "program": "tracer.a"}, first=2)
    found = complaints_of(tmp_path, data)
    assert [line.partition(":")[2].split(":")[0].strip() for line in found] == ["steps[2].program", "steps[3].program"]


def test_what_is_missing_on_purpose_is_declared(tmp_path: Path) -> None:
    absent = {"do": "load", "object": "tracer", "tracing": {"fentry": "target.main:helper"}, "share": SHARED}
    assert resolved(tmp_path, steps(absent, first=1, missing=["target.main:helper"]))
    trigger = {"do": "trigger", "trigger": {"kind": "run", "program": "target.gone"}}
    assert resolved(tmp_path, steps(trigger, first=1, missing=["target.gone"]))


@pytest.mark.parametrize("name", ["target.main:stub", "target.main", "target.never"])
def test_what_is_declared_as_missing_must_be_missing_and_named(tmp_path: Path, name: str) -> None:
    (line,) = complaints_of(tmp_path, steps(missing=[name]))
    assert f'missing[0]: "{name}" is declared as missing, but no step misses it; remove it' in line


def test_a_map_whose_type_is_not_known_may_be_any(tmp_path: Path) -> None:
    assert resolved(tmp_path, changed("events", "unknown") | {"observe": {"trace": []}})


def test_the_events_and_the_trace_are_where_they_are(tmp_path: Path) -> None:
    foreign = Listing(programs=TARGET.programs, functions=TARGET.functions, maps={"progs": 3})
    data = changed("tracer/shared-maps", [])
    case = resolved(tmp_path, data, target=foreign)
    assert {step.args["object"] for step in case.steps if step.op in ("listen", "read-trace")} == {"tracer"}
    no_trace = Listing(programs=TRACER.programs, functions=TRACER.functions, maps={"events": 4})
    assert "no object of the case has a trace" in complaints_of(tmp_path, data, target=foreign, tracer=no_trace)[0]


@pytest.mark.parametrize("folder", sorted((ROOT / "bpf").glob("*/case.yaml")), ids=lambda path: path.parent.name)
def test_every_committed_case_declares_what_it_misses(folder: Path) -> None:
    case = load_case(folder.parent)
    assert bool(case.missing) == (case.id == "refuse-missing-function")


def test_a_trace_that_is_shared_unasked_is_seen(tmp_path: Path) -> None:
    load = {"do": "load", "object": "tracer", "tracing": {"fentry": "target.main:stub"}}
    data = {**steps(), "steps": [STEPS[0], load, *STEPS[2:]]}
    plain = resolved(tmp_path, data)
    assert plain.steps == resolved(tmp_path, steps()).steps
    simple = changed("tracer/shared-maps", ["events"])
    assert (
        resolved(tmp_path, simple).steps
        == resolved(
            tmp_path, SIMPLE | {"tracer": SIMPLE["tracer"] | {"shared-maps": ["trace", "trace_cursor", "events"]}}
        ).steps
    )


def test_a_trace_that_nobody_reads_is_reported_unless_the_case_says_so(tmp_path: Path) -> None:
    early = {"do": "load", "object": "tracer"}
    look = {"do": "observe", "expect": {"trace": []}}
    objects = {"target": "target.bpf.c", "tracer": "tracer.bpf.c"}
    data = {"title": "t", "objects": objects, "steps": [early, STEPS[0], look]}
    (line,) = complaints_of(tmp_path, data)
    assert "tracer.bpf.c has trace and trace_cursor of its own" in line
    assert "which is so by itself where tracer is loaded after it" in line
    data["steps"] = [{**early, "share": dict.fromkeys(TRACE, "own")}, STEPS[0], look]
    assert not [step for step in resolved(tmp_path, data).steps if step.op == "share-map"]


def test_a_map_that_is_kept_must_be_there(tmp_path: Path) -> None:
    load = {"do": "load", "object": "tracer", "share": {"tracy": "own"}}
    (line,) = complaints_of(tmp_path, steps(load, first=1))
    assert 'steps[1].share.tracy: tracer.bpf.c has no map "tracy"; did you mean "trace"?' in line


INSPECTED = Listing(
    programs={"main": "xdp"},
    maps={"rb": 27, "seen": 1, "events": 4, **TRACE},
    variables={"hits": ".bss", "pid": ".rodata"},
)


@pytest.mark.parametrize(
    ("observe", "message"),
    [
        ({"records": {"rbb": 1}}, 'observe.records.rbb: p.bpf.c has no map "rbb"; did you mean "rb"?'),
        ({"records": {"seen": 1}}, 'the map "seen" of p.bpf.c is a BPF_MAP_TYPE_HASH, and a BPF_MAP_TYPE_RINGBUF or a BPF_MAP_TYPE_PERF_EVENT_ARRAY is needed'),
        ({"records": {"events": 1}}, "observe.records.events: events is read as `events` already; remove one of the two"),
        ({"maps": {"sen": 1}}, 'observe.maps.sen: p.bpf.c has no map "sen"; did you mean "seen"?'),
        ({"globals": {"hit.a": 1}}, 'p.bpf.c has no variable "hit"; did you mean "hits"?'),
        ({"runs": {"mian": 1}}, 'observe.runs.mian: p.bpf.c has no program "mian"; did you mean "main"?'),
    ],
)  # fmt: skip
def test_what_is_looked_at_must_be_there(tmp_path: Path, observe: dict[str, Any], message: str) -> None:
    assert message in mistaken_look(tmp_path, observe=observe)


def test_a_variable_that_gets_a_value_must_be_there(tmp_path: Path) -> None:
    target = {"object": "p.bpf.c", "attach": ["main"], "rodata": {"my_pid": 1}}
    assert 'target.rodata.my_pid: p.bpf.c has no variable "my_pid"' in mistaken_look(tmp_path, target=target)


def mistaken_look(folder: Path, **changes: Any) -> str:
    keys = {"title": "t", "target": {"object": "p.bpf.c", "attach": ["main"]}, "events": "events", "observe": {}}
    trigger = {"kind": "call", "name": "nanosleep"}
    (folder / "case").mkdir()
    (folder / "case/p.bpf.c").touch()
    (folder / "case/case.yaml").write_text(yaml.safe_dump({**keys, "trigger": trigger, **changes}))
    with pytest.raises(ConfigError) as caught:
        resolve(load_case(folder / "case"), {"p.bpf.c": INSPECTED})
    return str(caught.value)


LOADERS = Listing(
    programs={"bare": "kprobe", "many": "kprobe.multi", "traced": "fentry", "packet": "xdp", "of_ops": "struct_ops/a"},
    maps={"ops": 26},
    struct_ops={"ops": ["of_ops"]},
)


def test_the_programs_of_a_struct_ops_variable_are_attached_at_once(tmp_path: Path) -> None:
    steps = loaders(tmp_path, {"do": "attach", "program": "target.of_ops"}).steps
    assert steps[2].args == {"object": "target", "map": "ops", "link": "of_ops"}
    attach, detach = {"do": "attach", "program": "target.ops"}, {"do": "detach", "link": "of_ops"}
    with pytest.raises(
        ConfigError, match=r"steps\[2\].program: all programs of ops are attached at once, and of_ops has"
    ):
        loaders(tmp_path / "twice", {"do": "attach", "program": "target.of_ops"}, attach)
    loaders(tmp_path / "again", {"do": "attach", "program": "target.of_ops"}, detach, attach)
    loaders(tmp_path / "busy", {"do": "attach", "program": "target.of_ops"}, {**attach, "refused": "EBUSY"})


def loaders(folder: Path, *steps: dict[str, Any], **load: Any) -> Case:
    first = {"do": "load", "object": "target", **load}
    (folder / "case").mkdir(parents=True)
    (folder / "case/p.bpf.c").touch()
    keys = {"title": "t", "objects": {"target": "p.bpf.c"}, "steps": [first, *steps]}
    (folder / "case/case.yaml").write_text(yaml.safe_dump(keys))
    return resolve(load_case(folder / "case"), {"p.bpf.c": LOADERS})


def test_targets_are_chosen_before_the_load_or_as_it_is_attached(tmp_path: Path) -> None:
    chosen = {"bare": "tcp_connect+4", "many": ["a", "b"], "traced": "tcp_connect"}
    attached = [{"do": "attach", "program": f"target.{name}"} for name in (*chosen, "ops")]
    again = {"do": "attach", "program": "target.bare", "to": "other", "link": "second"}
    steps = loaders(tmp_path, *attached, again, **{"attach-to": chosen}).steps
    assert [step.op for step in steps] == ["open", "set-attach-target", "load", *["attach"] * 3, "attach-map", "attach"]
    assert steps[1].args == {"object": "target", "program": "traced", "function": "tcp_connect"}
    assert [step.args.get("to") for step in steps[3:]] == ["tcp_connect+4", ["a", "b"], None, None, "other"]
    assert steps[6].args == {"object": "target", "map": "ops", "link": "ops"}


@pytest.mark.parametrize(
    ("name", "to", "message"),
    [
        ("packet", "eth0", '`setup` makes no device "eth0" (there are: lo)'),
        ("bare", ["a", "b"], "can be attached to several functions"),
        ("traced", "other", "the target of traced is chosen before its load: give `attach-to` there"),
        ("ops", "other", "a struct_ops variable is attached as a whole"),
    ],
)
def test_where_a_program_cannot_be_attached(tmp_path: Path, name: str, to: str | list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        loaders(tmp_path, {"do": "attach", "program": f"target.{name}", "to": to})
