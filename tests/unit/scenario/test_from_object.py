"""What is done with each program of an object: what is loaded with it, how it is attached, and what is counted."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from harness.model.listing import Listing
from harness.model.results import Expectation, OutcomeKind, Stage
from harness.scenario.case import Case, Part, units
from harness.scenario.from_object import (
    TAIL_CALLED,
    TOGETHER,
    ObjectOptions,
    Slot,
    case_of_object,
    own_target,
    programs_on,
)
from harness.scenario.sections import SECTIONS, By, section_of, target_of

PLAIN = Listing(
    programs={"on_exec": "tp/sched/sched_process_exec", "on_open": "kprobe/do_sys_open", "later": "?fentry/vfs_read"},
    functions={"on_exec": ["on_exec"], "on_open": ["on_open"], "later": ["later"]},
    maps={"counts": 1, "rb": 27, "only_user_space": 1, ".rodata": 2, "my.rodata": 2},
    uses={"on_exec": ["counts", ".rodata"], "on_open": ["rb"], "later": []},
    variables={"wanted": ".rodata"},
)


def case(listing: Listing, **options: Any) -> Case:
    return case_of_object("my", file="my.bpf.o", listing=listing, options=ObjectOptions(**options))


def part(of: Case, name: str) -> Part:
    return next(each for each in of.parts if each.name == name)


def steps(of: Part) -> list[str]:
    return [f"{step.stage} {step.op} {step.what}" for step in of.steps]


def opened(of: Part, holder: str = "object") -> dict[str, Any]:
    return dict(next(step.args for step in of.steps if step.op == "open" and step.args["object"] == holder))


def test_each_program_is_tried_by_itself_and_all_of_them_together() -> None:
    made = case(PLAIN)
    assert [each.name for each in made.parts] == ["on_exec", "on_open", TOGETHER]
    assert steps(part(made, "on_exec")) == [
        "open open object",
        "load-target load object",
        "observe measure on_exec",
        "attach-target attach on_exec",
        "trigger workload on_exec",
        "detach detach on_exec",
    ]
    assert opened(part(made, "on_exec")) == {
        "object": "object",
        "path": "my.bpf.o",
        "only": ["on_exec"],
        "maps": ["counts", ".rodata"],
    }
    assert [unit.id for unit in units(made)] == ["my/on_exec", "my/on_open", f"my/{TOGETHER}"]
    assert made.objects == {"object": "my.bpf.o"}


def test_all_together_has_every_map_and_counts_every_program() -> None:
    together = part(case(PLAIN), TOGETHER)
    assert opened(together)["only"] == ["on_exec", "on_open"]
    assert opened(together)["maps"] == ["counts", "rb", "only_user_space", ".rodata"]
    assert [step.args["programs"] for step in together.steps if step.op == "workload"] == [
        ["object.on_exec", "object.on_open"]
    ]
    assert [step.what for step in together.steps if step.op in {"attach", "detach"}] == ["on_exec", "on_open"] * 2


def test_one_program_alone_is_not_tried_twice() -> None:
    assert [each.name for each in case(PLAIN, programs=["on_exec"]).parts] == ["on_exec"]


@pytest.mark.parametrize(
    ("options", "on"),
    [
        ({}, ["on_exec", "on_open"]),
        ({"programs": ["later"]}, ["later"]),
        ({"programs": ["on_*"]}, ["on_exec", "on_open"]),
        ({"autoload": {"later": True, "on_open": False}}, ["on_exec", "later"]),
    ],
)
def test_optional_programs_are_off_unless_named(options: dict[str, Any], on: list[str]) -> None:
    assert programs_on(PLAIN, ObjectOptions(**options)) == on


def test_nothing_runs_where_nothing_shall() -> None:
    made = case(PLAIN, run=False)
    assert not [step for each in made.parts for step in each.steps if step.op == "workload"]


TAILS = Listing(
    programs={"entry": "xdp", "leaf": "xdp", "other": "xdp"},
    functions={name: [name] for name in ("entry", "leaf", "other")},
    maps={"progs": 3, "counts": 1, "more": 3},
    uses={"entry": ["progs"], "leaf": ["counts"], "other": ["more"]},
    slots={"progs": ["leaf"]},
)


def test_the_programs_of_a_program_array_are_loaded_with_it_and_not_attached() -> None:
    made = case(TAILS)
    assert opened(part(made, "entry"))["only"] == ["entry", "leaf"]
    assert opened(part(made, "entry"))["maps"] == ["progs", "counts"]
    leaf = part(made, "leaf")
    assert steps(leaf) == ["open open object", "load-target load object", "observe measure leaf"]
    assert (leaf.uncounted, part(made, "entry").uncounted) == (TAIL_CALLED, "")
    together = part(made, TOGETHER)
    assert [step.what for step in together.steps if step.op == "attach"] == ["entry", "other"]


def test_slots_that_a_loader_fills() -> None:
    made = case(TAILS, slots=[Slot(map="more", index=7, program="entry")])
    (filled,) = [step for step in part(made, "other").steps if step.op == "tail-call"]
    assert dict(filled.args) == {
        "object": "object",
        "map": "more",
        "index": 7,
        "program_object": "object",
        "program": "entry",
    }
    assert opened(part(made, "other"))["only"] == ["other", "entry", "leaf"]
    assert part(made, "entry").uncounted == TAIL_CALLED
    assert not [step for step in part(made, "leaf").steps if step.op == "tail-call"]


OPS = Listing(
    programs={"mine_init": "struct_ops/mine_init", "mine_exit": "struct_ops.s/mine_exit", "new": "struct_ops/new"},
    functions={name: [name] for name in ("mine_init", "mine_exit", "new")},
    maps={"mine": 26, "newer": 26, "state": 1},
    uses={"mine_init": ["state"], "mine_exit": [], "new": []},
    struct_ops={"newer": ["mine_init", "new"], "mine": ["mine_init", "mine_exit"]},
    optional=["newer"],
)


def test_a_struct_ops_program_comes_with_its_map_and_that_maps_programs() -> None:
    made = case(OPS)
    assert [each.name for each in made.parts] == ["mine_init", "mine_exit", TOGETHER]
    init = part(made, "mine_init")
    assert steps(init)[2:4] == ["observe measure mine_init", "attach-target attach-map mine"]
    assert steps(init)[-1] == "detach detach mine"
    assert opened(init)["only"] == ["mine_init", "mine_exit"]
    assert sorted(opened(init)["maps"]) == ["mine", "state"]
    assert [step.what for step in part(made, TOGETHER).steps if step.op == "attach-map"] == ["mine"]
    assert sorted(opened(part(made, TOGETHER))["maps"]) == ["mine", "state"]


def test_an_optional_struct_ops_map_is_made_for_a_program_that_is_named() -> None:
    (only,) = case(OPS, programs=["new"]).parts
    assert [step.args["map"] for step in only.steps if step.op == "attach-map"] == ["newer"]
    assert "newer" in opened(only)["maps"]


TRACED = Listing(
    programs={"entry": "xdp", "tracer": "fentry/helper", "new": "freplace/entry", "kernels": "fexit/vfs_read"},
    functions={"entry": ["entry", "helper"], "tracer": ["tracer"], "new": ["new"], "kernels": ["kernels"]},
    maps={"seen": 1, "own": 1},
    uses={"entry": ["own"], "tracer": ["seen"]},
)


def test_what_traces_a_program_of_the_same_object_has_that_loaded_before_it() -> None:
    tracer = part(case(TRACED), "tracer")
    assert steps(tracer) == [
        "open open target",
        "load-target load target",
        "open open object",
        "load-tracer set-attach-target tracer",
        "load-tracer load object",
        "observe measure tracer",
        "attach-tracer attach tracer",
        "attach-target attach entry",
        "trigger workload tracer",
        "detach detach tracer",
        "detach detach entry",
    ]
    assert (opened(tracer, "target")["only"], opened(tracer)["only"]) == (["entry"], ["tracer"])
    target = next(step.args for step in tracer.steps if step.op == "set-attach-target")
    assert (target["target"], target["function"]) == ("entry", "helper")
    (counted,) = [step.args["programs"] for step in tracer.steps if step.op == "workload"]
    assert counted == ["object.tracer"]


def test_all_together_loads_the_traced_before_their_tracers() -> None:
    together = part(case(TRACED), TOGETHER)
    assert opened(together, "target")["only"] == ["entry", "kernels"]
    assert opened(together)["only"] == ["tracer", "new"]
    (counted,) = [step.args["programs"] for step in together.steps if step.op == "workload"]
    assert counted == ["target.entry", "object.tracer", "target.kernels"]


def test_programs_for_one_place_are_apart_where_all_are_attached() -> None:
    sections = {"a": "xdp", "b": "tc", "c": "xdp.frags", "d": "xdp", "e": "kprobe/f", "f": "kprobe/f", "g": "action"}
    names = list(sections)
    made = case(Listing(programs=sections, functions={name: [name] for name in names}, maps={}, uses={}))
    found = {name: [step.args.get("apart") for step in part(made, name).steps if step.op == "attach"] for name in names}
    assert found == {name: [None] for name in names}, "by itself each has the place"
    together = [step for step in part(made, TOGETHER).steps if step.op == "attach"]
    assert {step.what: step.args["apart"] for step in together if "apart" in step.args} == {"c": 1, "d": 2, "g": 1}


def test_a_place_that_the_user_names_is_as_he_says() -> None:
    sections = {"a": "xdp", "b": "xdp"}
    listing = Listing(programs=sections, functions={name: [name] for name in sections}, maps={}, uses={})
    made = case(listing, attach_to={"a": "eth0", "b": "eth0"})
    assert not [step for step in part(made, TOGETHER).steps if "apart" in step.args]


def test_what_a_traced_program_is_attached_by_is_needed_for_its_tracer_too() -> None:
    listing = Listing(
        programs={"old": "tc", "new": "freplace/old"}, functions={"old": ["old"], "new": ["new"]}, maps={}, uses={}
    )
    found = case(listing)
    assert {each.name: each.attachers for each in found.parts} == dict.fromkeys(
        ("old", "new", TOGETHER), ("sch_ingress", "cls_bpf")
    )


@pytest.mark.parametrize(
    ("section", "maps"),
    [
        ("iter/bpf_map_elem", ["counts", "only_user_space"]),
        ("iter/sockmap", ["peers"]),
        ("sk_skb/stream_verdict", ["peers"]),
        ("iter.s/bpf_sk_storage_map", ["stored"]),
        ("iter/task", []),
    ],
)
def test_a_program_that_is_attached_by_a_map_has_the_maps_that_it_may_be(section: str, maps: list[str]) -> None:
    kinds = {"counts": 1, "rb": 27, "only_user_space": 1, "peers": 15, "stored": 24, ".rodata": 2, "spare": 1}
    listing = Listing(programs={"p": section}, maps=kinds, optional=["spare"], uses={"p": []}, functions={"p": ["p"]})
    assert opened(part(case(listing), "p"))["maps"] == maps


def test_the_runs_of_a_replacement_are_not_counted() -> None:
    new = part(case(TRACED), "new")
    assert "replaces" in new.uncounted
    assert not [step for step in new.steps if step.op == "workload"]
    assert part(case(TRACED, run=False), "new").uncounted == ""


def test_a_program_with_the_name_of_its_own_hook_is_no_target() -> None:
    listing = Listing(
        programs={"tcp_connect": "kprobe/tcp_connect", "f": "fentry/tcp_connect", "g": "fentry/tcp_connect"},
        functions={"tcp_connect": ["tcp_connect"], "f": ["f"], "g": ["g", "tcp_connect"]},
    )
    assert own_target(listing, "f") is None
    assert own_target(TRACED, "kernels") is None
    assert own_target(TRACED, "kernels", chosen="helper") == ("entry", "helper")


def test_targets_that_a_loader_chooses() -> None:
    listing = Listing(
        programs={"probe": "kprobe", "typed": "fentry"}, functions={"probe": ["probe"], "typed": ["typed"]}
    )
    made = case(listing, attach_to={"probe": "tcp_connect", "typed": "vfs_read"})
    (attach,) = [step for step in part(made, "probe").steps if step.op == "attach"]
    assert attach.args["to"] == "tcp_connect"
    (target,) = [step for step in part(made, "typed").steps if step.op == "set-attach-target"]
    assert dict(target.args) == {"object": "object", "program": "typed", "function": "vfs_read"}
    assert "to" not in next(step.args for step in part(made, "typed").steps if step.op == "attach")


def test_what_is_set_before_the_load_goes_to_the_maps_that_are_made() -> None:
    made = case(PLAIN, rodata={"wanted.pids[2]": 7}, sizes={"counts": 4, "rb": 4096}, pins={"rb": "/sys/fs/bpf/rb"})
    first, second = opened(part(made, "on_exec")), opened(part(made, "on_open"))
    assert (first["rodata"], first["sizes"], first.get("pins")) == ({"wanted.pids[2]": 7}, {"counts": 4}, None)
    assert (second.get("rodata"), second["sizes"], second["pins"]) == (None, {"rb": 4096}, {"rb": "/sys/fs/bpf/rb"})


def test_a_journal_keeps_it_as_it_is() -> None:
    rule = Expectation(outcome=OutcomeKind.WORKS, reason="r")
    made = case(TRACED, rodata={"x": [1, "a", True]}, expect={"new": (rule,)})
    adapter: TypeAdapter[Case] = TypeAdapter(Case)
    assert adapter.validate_json(adapter.dump_json(made)) == made


def test_a_rule_of_a_program_that_is_refused_holds_for_all_together_too() -> None:
    refused = Expectation(outcome=OutcomeKind.REFUSED, reason="new", stage=Stage.LOAD_TARGET, version="<5.15")
    works = Expectation(outcome=OutcomeKind.WORKS, reason="old", version=">=5.15")
    own = Expectation(outcome=OutcomeKind.REFUSED, reason="both", stage=Stage.ATTACH_TARGET)
    of_all = Expectation(outcome=OutcomeKind.REFUSED, reason="all", stage=Stage.OPEN)
    made = case(PLAIN, expect={"on_exec": (refused, works), TOGETHER: (own,), "": (of_all,)})
    assert part(made, "on_exec").expect == (refused, works)
    assert part(made, "on_open").expect == ()
    assert part(made, TOGETHER).expect == (own, refused)
    assert made.expect == (of_all,)


@pytest.mark.parametrize(
    ("section", "by", "before_load", "counted"),
    [
        ("xdp", By.LINK, False, True),
        ("xdp.frags/devmap", By.NOTHING, False, False),
        ("xdp/my_name", By.LINK, False, True),
        ("?lsm.s/file_open", By.LINK, True, True),
        ("syscall", By.NOTHING, False, True),
        ("struct_ops.s/x", By.MAP, False, True),
        ("freplace", By.LINK, True, False),
        ("kprobe.multi/x*", By.LINK, False, True),
        ("tc", By.LINK, False, True),
    ],
)
def test_what_sections_mean(section: str, by: By, before_load: bool, counted: bool) -> None:
    found = section_of(section)
    assert (found.by, found.before_load, not found.uncounted) == (by, before_load, counted)


def test_no_section_is_taken_for_one_whose_name_begins_alike() -> None:
    assert section_of("kprobe.multi") is SECTIONS["kprobe.multi"]
    assert section_of("tp_btf/x") is SECTIONS["tp_btf"]
    assert section_of("lsm_cgroup/x") is SECTIONS["lsm_cgroup"]
    assert (target_of("?fentry/x"), target_of("uprobe//bin/x:y"), target_of("xdp")) == ("x", "/bin/x:y", "")


def test_maps_of_records_are_made_as_kernels_want_them() -> None:
    listing = Listing(
        programs={"one": "xdp", "two": "xdp"},
        functions={"one": ["one"], "two": ["two"]},
        maps={"ring": 27, "perf": 4, "user": 31, "hash": 1, "odd": None},
        uses={"one": ["ring", "hash", "perf", "user", "odd"], "two": ["hash"]},
    )
    made = case(listing)
    assert opened(part(made, "one"))["record-maps"] == ["ring", "perf", "user"]
    assert "record-maps" not in opened(part(made, "two"))


def test_programs_whose_section_libbpf_does_not_know_are_what_its_beginning_says() -> None:
    listing = Listing(
        programs={"mine": "xdp/mine", "plain": "tc", "off": "?classifier/x", "strange": "none/x"},
        functions={name: [name] for name in ("mine", "plain", "off", "strange")},
    )
    made = case(listing)
    assert [each.name for each in made.parts] == ["mine", "plain", "strange", TOGETHER]
    assert opened(part(made, "mine"))["sections"] == {"mine": "xdp"}
    assert "sections" not in opened(part(made, "plain"))
    assert "sections" not in opened(part(made, "strange"))
    assert opened(part(made, TOGETHER))["sections"] == {"mine": "xdp"}
    assert part(made, "mine").about == "xdp/mine"
    assert part(made, "mine").attachers == part(case(PLAIN), "on_exec").attachers
