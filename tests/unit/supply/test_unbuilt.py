"""A case of a plan before and after its objects are known."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit_samples import ROOT, X86, compiled, written_case

from harness.config.case_folders import load_case
from harness.errors import ConfigError
from harness.host.cache import Cache
from harness.scenario.from_yaml import compile_case
from harness.supply.dependencies import Sight
from harness.supply.objects import ObjectBuilder
from harness.supply.unbuilt import YamlCase, yaml_cases

SEED = load_case(ROOT / "bpf/kprobe-fentry-fexit")


@pytest.fixture
def builder(tmp_path: Path) -> ObjectBuilder:
    return ObjectBuilder(cache=Cache(tmp_path), include=[ROOT / "bpf/include"])


def test_a_plan_has_of_a_written_case_what_it_says_of_itself() -> None:
    one, other = yaml_cases([written_case(modules=["veth"]), written_case(id="other", title="another")])
    assert (one.id, one.title, one.modules) == (written_case().id, written_case().title, ("veth",))
    assert (other.id, other.title, other.modules) == ("other", "another", ())
    assert compiled([one]) == {one.id: compile_case(written_case(modules=["veth"]))}


def test_a_built_case_has_the_files_by_the_names_that_it_gives_them(builder: ObjectBuilder) -> None:
    built = YamlCase(SEED).build(builder, X86, sight=Sight())
    assert built.files.keys() == set(SEED.files.values())
    assert all(path.read_bytes()[:4] == b"\x7fELF" for path in built.files.values())
    assert (built.case.id, built.case.expect) == (SEED.id, YamlCase(SEED).compiled().expect)


def test_a_name_that_the_objects_do_not_have_is_the_users_mistake(builder: ObjectBuilder) -> None:
    assert SEED.target is not None
    wrong = SEED.target.model_copy(update={"attach": ("no_such_program",)})
    with pytest.raises(ConfigError, match="no_such_program"):
        YamlCase(SEED.model_copy(update={"target": wrong})).build(builder, X86, sight=Sight())
