"""Lists of rules that cases share: taken in place, overridden, read once, and none left over."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from config_samples import CASE, EXPECTATIONS, USES, write_case, write_expectations

from harness.config import case_folders
from harness.config.case import WrittenCase
from harness.config.case_folders import load_case, load_cases
from harness.config.matrix import load_matrix
from harness.config.reading.yaml_source import load
from harness.config.rules import RELEASES, Rule, SharedRules, load_shared
from harness.errors import ConfigError
from harness.judge.expectation import choose
from harness.model.results import OutcomeKind, Stage
from harness.scenario.expected import KNOWN_BUGS, expectations_of

ROOT = Path(__file__).parents[3]
GLOBS = ("bpf/*",)


def case_with(folder: Path, *expect: str, shared: str = EXPECTATIONS) -> WrittenCase:
    """Load a case whose `expect` has these items, beside an expectations.yaml with the text `shared`."""
    write_expectations(folder / "bpf", shared)
    items = "".join(f"  - {item}\n" for item in expect)
    return load_case(write_case(folder / "bpf/a", USES.partition("expect:")[0] + f"expect:\n{items}"))


def test_a_list_is_taken_in_the_place_where_it_is_used(tmp_path: Path) -> None:
    write_expectations(tmp_path)
    rules = load_case(write_case(tmp_path / "a", USES)).expect
    assert all(isinstance(rule, Rule) for rule in rules)
    assert [rule.reason for rule in rules] == [
        "no BTF",
        "the case's own",
        "no trampolines on arm64",
        "no trampolines on powerpc",
        "the bug of riscv64",
        "the bug of riscv64",
    ]


def test_what_is_taken_is_what_is_written(tmp_path: Path) -> None:
    written = Rule.model_validate(yaml.safe_load(EXPECTATIONS)["no-trampoline"][1])
    assert case_with(tmp_path, "use: no-trampoline").expect[1] == written


@pytest.mark.parametrize(
    ("override", "field", "value"),
    [
        ("arch: [x86_64]", "arch", ("x86_64",)),
        ('version: ">=6.8"', "version", ">=6.8"),
        ("since: [6.1.9, 6.10]", "since", ("6.1.9", "6.10")),
        ("fixed: [7.2.6, 7.3]", "fixed", ("7.2.6", "7.3")),
        ("reason: another", "reason", "another"),
        ("source: a page", "source", "a page"),
        ("stage: load-target", "stage", Stage.LOAD_TARGET),
        ("errno: EPERM", "errno", ("EPERM",)),
        ("refusal: busy", "refusal", "busy"),
        ("message: BTF is missing", "message", "BTF is missing"),
    ],
)
def test_a_key_beside_use_is_said_anew_and_the_others_stay(
    tmp_path: Path, override: str, field: str, value: Any
) -> None:
    (plain,) = case_with(tmp_path, "use: no-btf").expect
    (changed,) = case_with(tmp_path, f"{{use: no-btf, {override}}}").expect
    assert getattr(plain, field) != value
    assert changed == plain.model_copy(update={field: value})


def test_a_key_is_said_anew_for_every_rule_and_for_this_case_only(tmp_path: Path) -> None:
    changed = case_with(tmp_path, "{use: no-trampoline, stage: load-tracer}", "use: no-trampoline").expect
    assert [rule.stage for rule in changed] == [Stage.LOAD_TRACER] * 2 + [Stage.ATTACH_TRACER] * 2


def test_the_first_rule_still_counts(tmp_path: Path) -> None:
    own = "{outcome: misbehaves, arch: [arm64], stage: observe, splat: WARN, reason: the case's own, source: x}"
    before = expectations_of(case_with(tmp_path / "before", own, "use: no-trampoline"))
    after = expectations_of(case_with(tmp_path / "after", "use: no-trampoline", own))
    assert choose(before, arch="arm64", version="5.10").outcome == OutcomeKind.MISBEHAVES
    assert choose(after, arch="arm64", version="5.10").outcome == OutcomeKind.REFUSED
    assert choose(after, arch="arm64", version="6.1").outcome == OutcomeKind.MISBEHAVES


def test_both_forms_of_a_case_can_use_lists(tmp_path: Path) -> None:
    text = "title: t\nobjects: {target: target.bpf.c}\nsteps: [{do: load, object: target}]\nexpect: [{use: no-btf}]\n"
    write_expectations(tmp_path)
    assert [rule.reason for rule in load_case(write_case(tmp_path / "a", text)).expect] == ["no BTF"]


def test_cases_need_no_lists(tmp_path: Path) -> None:
    assert load_shared(tmp_path).lists is None
    assert len(load_case(write_case(tmp_path / "a")).expect) == 4


def test_a_use_without_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load_case(write_case(Path("bpf/a"), USES))
    assert str(caught.value).splitlines()[0] == (
        'bpf/a/case.yaml:6: expect[0].use: there is no bpf/expectations.yaml to take "no-btf" from; '
        "write it, or write the rules here"
    )


def test_an_unknown_name_is_told_with_its_line_beside_the_other_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_expectations(Path("bpf"))
    text = USES.replace("use: no-trampoline", "use: no-trampolin").replace("target.bpf.c", "traget.bpf.c")
    with pytest.raises(ConfigError) as caught:
        load_case(write_case(Path("bpf/a"), text))
    assert str(caught.value).splitlines() == [
        'bpf/a/case.yaml:2: target.object: there is no file traget.bpf.c in bpf/a; did you mean "target.bpf.c"?',
        'bpf/a/case.yaml:10: expect[2].use: there is no list "no-trampolin" in bpf/expectations.yaml; '
        'did you mean "no-trampoline"?',
    ]


def load_one(folder: Path) -> WrittenCase:
    return load_case(folder / "bpf/a")


def load_all(folder: Path) -> tuple[WrittenCase, ...]:
    return load_cases(folder / "matrix.yaml", GLOBS)


@pytest.mark.parametrize("load_some", [load_one, load_all])
def test_lists_with_a_mistake_are_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, load_some: Callable[[Path], object]
) -> None:
    monkeypatch.chdir(tmp_path)
    write_expectations(Path("bpf"), EXPECTATIONS.replace("attach-tracer", "attach-tracr", 1))
    for name in "abc":
        write_case(Path("bpf") / name, USES)
    with pytest.raises(ConfigError) as caught:
        load_some(Path())
    (line,) = str(caught.value).splitlines()
    assert line.startswith('bpf/expectations.yaml:7: no-trampoline[0].stage: expected "open", ')
    assert line.endswith('got "attach-tracr"; did you mean "attach-tracer"?')


def test_mistakes_of_lists_and_of_cases_are_told_together(tmp_path: Path) -> None:
    write_expectations(tmp_path / "bpf", "x: []\n")
    write_case(tmp_path / "bpf/a", USES)
    write_case(tmp_path / "bpf/b", CASE.replace("title", "titel"))
    with pytest.raises(ConfigError) as caught:
        load_all(tmp_path)
    assert "bpf/expectations.yaml:1: x: expected a list of at least 1 item" in str(caught.value)
    assert "bpf/b/case.yaml:1: titel: unknown key" in str(caught.value)
    assert "bpf/a/case.yaml" not in str(caught.value)


def test_the_lists_of_a_folder_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []

    def counted(folder: Path) -> SharedRules:
        read.append(folder)
        return load_shared(folder)

    monkeypatch.setattr(case_folders, "load_shared", counted)
    for parent in ("bpf", "own"):
        write_expectations(tmp_path / parent)
        for name in "abc":
            write_case(tmp_path / parent / f"{parent}-{name}", USES)
    assert len(load_cases(tmp_path / "matrix.yaml", ("bpf/*", "own/*"))) == 6
    assert sorted(read) == [tmp_path / "bpf", tmp_path / "own"]


def test_each_folder_of_cases_has_its_own_lists(tmp_path: Path) -> None:
    write_expectations(tmp_path / "bpf")
    write_expectations(tmp_path / "own", EXPECTATIONS.replace("no trampolines on arm64", "none here"))
    for parent in ("bpf", "own"):
        write_case(tmp_path / parent / parent, USES)
    bpf, own = load_cases(tmp_path / "matrix.yaml", ("bpf/*", "own/*"))
    assert (bpf.expect[2].reason, own.expect[2].reason) == ("no trampolines on arm64", "none here")


# The repository's own.


def test_every_list_of_this_repository_is_used() -> None:
    lists = load_shared(ROOT / "bpf").lists
    assert lists
    used = {
        item["use"]
        for path in (ROOT / "bpf").glob("*/case.yaml")
        for item in yaml.safe_load(path.read_text(encoding="utf-8")).get("expect", [])
        if "use" in item
    }
    assert lists.keys() - used == set(), "no case uses these lists of bpf/expectations.yaml: remove them"


def test_no_case_of_this_repository_says_what_a_list_says() -> None:
    lists = load_shared(ROOT / "bpf").lists or {}
    shared = {
        (rule.arch, rule.version, rule.since, rule.fixed, rule.reason): name
        for name, rules in lists.items()
        for rule in rules
    }
    again = [
        f"{path.parent.name}: {shared[key]}"
        for path in (ROOT / "bpf").glob("*/case.yaml")
        for item in load(path, spelled=RELEASES)[0].get("expect", [])
        if "use" not in item
        for rule in [Rule.model_validate(item)]
        if (key := (rule.arch, rule.version, rule.since, rule.fixed, rule.reason)) in shared
    ]
    assert again == [], "these cases write out rules of bpf/expectations.yaml: take the list with `use`"


def test_the_cases_of_this_repository_are_read() -> None:
    cases = load_cases(ROOT / "matrix.yaml", load_matrix(ROOT / "matrix.yaml").cases)
    flagship = next(case for case in cases if case.id == "kprobe-fentry-fexit")
    chosen = {
        (arch, version): choose(expectations_of(flagship), arch=arch, version=version).refusal
        for arch, version in [("x86_64", "5.10"), ("arm64", "5.10"), ("ppc64le", "6.12"), ("s390x", "6.12")]
    }
    assert list(chosen.values()) == ["", "no-trampoline", "no-trampoline", "target-not-jited"]


def test_known_bugs_of_this_repository_have_no_plain_range() -> None:
    """A fix comes to stable series at numbers of their own, so a bug's range names releases that have the commit."""
    plain = [
        f"{case.id}: {rule.outcome} on {rule.version}"
        for case in load_cases(ROOT / "matrix.yaml", load_matrix(ROOT / "matrix.yaml").cases)
        for rule in case.expect
        if rule.kind in KNOWN_BUGS and rule.version is not None
    ]
    assert plain == [], "say with `since` and `fixed` which releases have the bug and its fix; look the commits up"
