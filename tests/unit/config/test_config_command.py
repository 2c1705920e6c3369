"""A case that is a command, as it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.config.case import WrittenCase
from harness.config.case_folders import load_case
from harness.errors import ConfigError
from harness.scenario.case import step_names
from harness.scenario.from_yaml import command_of, compile_case
from harness.supply.pushed import Push
from harness.supply.unbuilt import YamlCase, wanted_of

WHOLE = """\
title: my test
command: ./my-test -v 'a b'
files: [data, "other:/etc/x"]
env: {NAME: value, NUMBER: 1}
packages: [bash, libbpf-tools]
cwd: /srv
expect-exit: 3
expect-output: ^ok$
junit: out/*.xml
deadline: 5
memory: 512
cpus: 2
kconfig: {CONFIG_BPF_LSM: y}
expect:
  - outcome: misbehaves
    reason: a bug of that time
    version: "<5.11"
    source: https://example.org/1
    stage: trigger
    differences:
      - {step: command my-test, exit: SIGSEGV}
      - {step: command my-test, output: false}
"""


def written(folder: Path, text: str) -> WrittenCase:
    case = folder / "my-case"
    case.mkdir(exist_ok=True)
    (case / "case.yaml").write_text(text)
    return load_case(case)


def test_files_with_their_places_may_be_a_mapping(tmp_path: Path) -> None:
    found = written(tmp_path, "title: t\ncommand: 'true'\nfiles: {my-binary: /usr/bin/my-binary, other: /x}\n")
    assert found.brought == ("my-binary:/usr/bin/my-binary", "other:/x")
    with pytest.raises(ConfigError, match=r"case.yaml:3: files: expected a list of files, each FILE or FILE:PLACE, or"):
        written(tmp_path, "title: t\ncommand: 'true'\nfiles: {my-binary: [1]}\n")


def test_all_that_a_command_can_say(tmp_path: Path) -> None:
    found = written(tmp_path, WHOLE)
    case = compile_case(found)
    assert (case.id, case.alone, case.memory, case.cpus) == ("my-case", True, 512, 2)
    assert step_names(case.steps) == ["command my-test", "collect junit"]
    run = case.steps[0]
    assert run.args == {
        "argv": ["./my-test", "-v", "a b"],
        "env": {"NAME": "value", "NUMBER": "1"},
        "cwd": "/srv",
        "deadline": 5.0,
    }
    assert (run.exit, run.output) == (3, "^ok$")
    assert case.steps[1].args == {"pattern": "/srv/out/*.xml"}
    assert case.deadline is not None
    assert case.deadline > 5
    assert case.kconfig == {"CONFIG_BPF_LSM": ("y",)}
    (rule,) = case.expect
    assert [difference.seen for difference in rule.differences] == ["SIGSEGV", None]


def test_what_it_brings_lies_in_its_folder(tmp_path: Path) -> None:
    found = written(tmp_path, WHOLE)
    folder = tmp_path / "my-case"
    command = command_of(found)
    assert command is not None
    wanted = wanted_of(found, command)
    assert wanted.files == (Push(file="data", folder=folder), Push(file="other", folder=folder, to="/etc/x"))
    assert (wanted.folder, wanted.packages) == (folder, ("bash", "libbpf-tools"))
    assert YamlCase(found).compiled() == compile_case(found)


def test_little_is_enough(tmp_path: Path) -> None:
    case = compile_case(written(tmp_path, 'title: t\ncommand: ["true"]\n'))
    assert case.steps[0].args == {"argv": ["true"], "env": {}, "cwd": "/root", "deadline": 60.0}
    assert case.steps[0].exit == 0


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("command: a 'b", 2, "command: cannot be taken apart into words: No closing quotation"),
        ("command: []", 2, "command: "),
        ("command: 5", 2, 'command: expected a command with its arguments, such as "./my-test -v"'),
        ("command: a\nsteps: []", 3, 'steps: not allowed beside "command"'),
        ("command: a\nevents: e", 3, 'events: not allowed beside "command"'),
        ("packages: [a]", 2, 'packages: needs the key "command"'),
        ("command: a\nexpect-exit: 256", 3, "expect-exit: "),
        ("command: a\nexpect-output: '('", 3, "expect-output: not a regular expression"),
        ("command: a\npackages: [Bash]", 3, "packages[0]: expected the name of a Debian package"),
        ("command: a\nenv: {1a: b}", 3, "env"),
        ("command: a\ncwd: b", 3, "cwd: expected an absolute folder of the guest"),
        ("command: a\nmemory: 1", 3, "memory: "),
        ("comand: a", 2, 'did you mean "command"?'),
    ],
)
def test_a_mistake_names_its_line_and_what_is_expected(tmp_path: Path, text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        written(tmp_path, f"title: t\n{text}\n")
    found = [each for each in str(caught.value).splitlines() if f":{line}:" in each]
    assert any(words in each for each in found), str(caught.value)
