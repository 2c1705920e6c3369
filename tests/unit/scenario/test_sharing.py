"""What is loaded once for several parts of an object."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest

from harness.model.listing import Listing
from harness.scenario.case import Case, units
from harness.scenario.from_object import ObjectOptions, Slot, case_of_object
from harness.scenario.jobs import job_of
from harness.scenario.sharing import LEAST

PLAIN = Listing(
    programs={"one": "tp/sched/sched_process_exec", "two": "kprobe/do_sys_open", "three": "fentry/vfs_read"},
    functions={name: [name] for name in ("one", "two", "three")},
    maps={"counts": 1, "rb": 27, "only_user_space": 1, ".rodata": 2},
    uses={"one": ["counts", ".rodata"], "two": ["rb"], "three": []},
    variables={"wanted": ".rodata"},
)


def job(listing: Listing = PLAIN, *, share: bool = True, **options: Any) -> dict[str, Any]:
    case = case_of_object("my", file="my.o", listing=listing, options=ObjectOptions(**options))
    paths = {"my.o": PurePosixPath("/run/my.o")}
    return job_of([(unit, paths) for unit in units(case)], deadline=30.0, share=share)


def sharing(made: dict[str, Any]) -> list[str]:
    return [case["id"] for case in made["cases"] if "shares" in case]


def test_all_programs_share_one_load_with_what_each_needs() -> None:
    """But not with all of them together: an old kernel attaches what traces but once."""
    made = job(rodata={"wanted": 1}, sizes={"rb": 8192})
    assert sharing(made) == ["my/one", "my/two", "my/three"]
    (shared,) = made["shared"]
    assert (shared["id"], shared["deadline"]) == ("my", 30.0)
    opened, loaded = shared["steps"]
    assert (opened["only"], opened["path"]) == (["one", "two", "three"], "/run/my.o")
    assert set(opened["maps"]) == {"counts", ".rodata", "rb"}
    assert (opened["rodata"], opened["sizes"]) == ({"wanted": 1}, {"rb": 8192})
    assert (loaded["op"], loaded["stats"]) == ("load", True)


def test_targets_are_chosen_before_the_load_and_slots_are_filled_after_it() -> None:
    listing = Listing(
        programs={"root": "tc", "leaf": "tc", "free": "fentry"},
        functions={name: [name] for name in ("root", "leaf", "free")},
        maps={"jumps": 3},
        uses={"root": ["jumps"], "leaf": [], "free": []},
    )
    made = job(listing, attach_to={"free": "vfs_read"}, slots=[Slot(map="jumps", index=1, program="leaf")])
    assert [step["op"] for step in made["shared"][0]["steps"]] == ["open", "set-attach-target", "load", "tail-call"]


@pytest.mark.parametrize(
    "options",
    [
        {"pins": {"counts": "/sys/fs/bpf/counts"}},
        {"sysctls": {"net.core.bpf_jit_enable": 0}},
        {"modules": ("veth",)},
        {"cmdline": "lsm=bpf"},
    ],
)
def test_what_a_case_has_of_its_own_is_loaded_by_itself(options: dict[str, Any]) -> None:
    made = job(**options)
    assert (sharing(made), "shared" in made) == ([], False)


@pytest.mark.parametrize("section", ["sk_msg", "sk_skb/stream_verdict", "struct_ops/init", "fentry/one"])
def test_what_would_outlive_its_process_or_replaces_another_is_loaded_by_itself(section: str) -> None:
    listing = Listing(
        programs={**PLAIN.programs, "four": section},
        functions={**PLAIN.functions, "four": ["four"]},
        maps={**PLAIN.maps, "ops": 26},
        uses={**PLAIN.uses, "four": []},
        struct_ops={"ops": ["four"]} if section.startswith("struct_ops") else {},
    )
    made = job(listing)
    assert sharing(made) == ["my/one", "my/two", "my/three"]
    assert made["shared"][0]["steps"][0]["only"] == ["one", "two", "three"]


def test_a_few_are_not_worth_it() -> None:
    few = Listing(programs={"one": "tc"}, functions={"one": ["one"]}, maps={}, uses={"one": []})
    assert LEAST > 1
    assert "shared" not in job(few)


def test_after_a_guest_that_ended_by_it_nothing_is_shared() -> None:
    made = job(share=False)
    assert (sharing(made), "shared" in made) == ([], False)


def test_a_case_of_another_form_shares_nothing() -> None:
    assert Case(id="a", title="t").shares == ""
