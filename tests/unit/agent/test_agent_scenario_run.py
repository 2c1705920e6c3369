"""A scenario makes its steps: each is announced, reported, and judged; and its end says how it ended."""

from __future__ import annotations

from pathlib import Path

import pytest
from scenario_objects import FILE, case_of, compiled, ran, record_of

from harness.agent.scenario_run import MOST_PRINTED, Printed, plain
from harness.judge.outcome import outcome_of
from harness.model.results import OutcomeKind, Stage


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("scenario"))


OPENED = 'def scenario(guest):\n    target = guest.open("target.bpf.c")\n'


def test_each_step_is_announced_with_its_line_and_then_reported(target: Path) -> None:
    lines = ran(OPENED + '    target.globals["wanted"] = 7\n    guest.expect(True, "a   reason")\n', target)
    assert [(line["type"], line["index"], line["stage"], line["op"], line["what"]) for line in lines] == [
        (kind, index, *step)
        for index, step in enumerate(
            [
                ("open", "open", "target"),
                ("trigger", "write-global", "wanted"),
                ("observe", "expect", "a reason"),
                ("observe", "scenario", ""),
            ]
        )
        for kind in ("announced", "step")
    ]
    assert [line["line"] for line in lines if line["type"] == "announced"] == [2, 3, 4, 0]
    assert all(line["ok"] for line in lines if line["type"] == "step")


def test_a_variable_is_read_and_set_before_the_load(target: Path) -> None:
    source = (
        OPENED
        + """
    target.globals["wanted"] = 7
    target.globals["last.who"] = "me"
    guest.expect_equal(target.globals["wanted"], 7, "a constant has the value that it was given")
    guest.expect_equal(target.globals["answer"], 3, "another has its own")
    guest.expect_equal(target.globals["last"], {"length": 0, "mood": 0, "who": "me", "bytes": [0, 0]}, "a structure")
    other = guest.open("target")
    guest.expect_equal((other.name, other.globals["wanted"]), ("target-2", 64), "a second one is another")
    guest.expect_equal(target.programs, ["target"], "it has its programs")
    guest.expect(guest.release and guest.machine, "the kernel has a name")
"""
    )
    outcome = outcome_of(case_of(source), record_of(ran(source, target)))
    assert (outcome.kind, outcome.reason) == (
        OutcomeKind.WORKS,
        "the scenario came to its end, and its 6 expectations hold",
    )


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ("{}['x']", f"{FILE}:3: KeyError: 'x'"),
        ("raise SystemExit", f"{FILE}:3: SystemExit"),
        ("guest.open('targte.bpf.c')", f'{FILE}:3: the case has no object targte.bpf.c; did you mean "target.bpf.c"?'),
        (
            "target.attach('targe')",
            f'{FILE}:3: target has no program targe; did you mean "target"? (there are: target)',
        ),
        ("target.map('packet')", f'{FILE}:3: target has no map packet; did you mean "packets"?'),
        ("target.globals['wantd'] = 1", f"{FILE}:3: the object has no global variable wantd"),
        ("target.globals['wantd']", f"{FILE}:3: the object has no global variable wantd"),
        ("target.globals['wanted'] = 'x'", "wanted is a number, not 'x'"),
        ("with guest.must_refuse('EWRONG'):\n        pass", f"{FILE}:3: must_refuse() takes the names of errnos"),
        ("eval('1 +')", f"{FILE}:3: SyntaxError"),
        ("(lambda: [][0])()", f"{FILE}:3: IndexError: list index out of range"),
    ],
)
def test_an_exception_is_an_error_at_its_line(lines: str, reason: str, target: Path) -> None:
    source = f"{OPENED}    {lines}\n"
    outcome = outcome_of(case_of(source), record_of(ran(source, target)))
    assert (outcome.kind, outcome.wrong_input) == (OutcomeKind.LOST, True)
    assert reason in outcome.reason


def test_what_the_module_does_before_the_function_is_the_scenarios_too(target: Path) -> None:
    source = "import no_such_module\n" + OPENED
    outcome = outcome_of(case_of(source), record_of(ran(source, target)))
    assert (outcome.kind, outcome.wrong_input) == (OutcomeKind.LOST, True)
    assert f"{FILE}:1: ModuleNotFoundError: No module named 'no_such_module'" in outcome.reason


def test_the_api_is_imported_by_its_public_name(target: Path) -> None:
    source = "from harness.guest_api import Guest, StepRefused\n" + OPENED.replace("guest)", "guest: Guest) -> None")
    assert outcome_of(case_of(source), record_of(ran(source, target))).kind == OutcomeKind.WORKS


def test_a_refusal_that_is_not_caught_is_the_cells(target: Path) -> None:
    source = OPENED + "    guest.open('target', sizes={'packets': 4096, 'no_map': 1})\n    guest.expect(False, 'x')\n"
    outcome = outcome_of(case_of(source), record_of(ran(source, target)))
    assert (outcome.kind, outcome.stage, outcome.errno_name) == (OutcomeKind.REFUSED, Stage.OPEN, "ENOENT")
    assert outcome.refusal or outcome.origin


@pytest.mark.parametrize(
    ("errnos", "kind", "reason"),
    [
        ("'ENOENT'", OutcomeKind.WORKS, "expectation holds"),
        ("'EPERM', 'ENOENT'", OutcomeKind.WORKS, "expectation holds"),
        ("'EPERM'", OutcomeKind.MISBEHAVES, "open target-2 must be refused with EPERM, but was with ENOENT"),
    ],
)
def test_a_call_that_must_be_refused_is(errnos: str, kind: OutcomeKind, reason: str, target: Path) -> None:
    source = (
        OPENED
        + f"    with guest.must_refuse({errnos}, origin=['libbpf']):\n        guest.open('target', maps=['no_map'])\n"
        + "    guest.expect(True, 'it goes on')\n"
    )
    outcome = outcome_of(case_of(source), record_of(ran(source, target)))
    assert (outcome.kind, reason in outcome.reason) == (kind, True), outcome.reason


def test_what_is_caught_is_the_scenarios_own_affair(target: Path) -> None:
    source = (
        "from harness.guest_api import StepRefused\n"
        + OPENED
        + "    try:\n        guest.open('target', maps=['no_map'])\n    except StepRefused as refused:\n"
        + "        guest.expect_equal((refused.errno, refused.what), ('ENOENT', 'open target-2'), 'it says what')\n"
    )
    outcome = outcome_of(case_of(source), record_of(ran(source, target)))
    assert outcome.kind == OutcomeKind.WORKS, outcome.reason


def test_a_process_that_it_has_forked_reports_nothing(target: Path) -> None:
    source = (
        "import os\n"
        + OPENED
        + "    if os.fork() == 0:\n        raise ValueError\n    guest.expect_equal(os.wait()[1], 0, 'it ends')\n"
    )
    lines = ran(source, target)
    assert [line["op"] for line in lines if line["type"] == "step"] == ["open", "expect", "scenario"]


def test_neither_a_forked_process_nor_a_thread_makes_steps(target: Path) -> None:
    source = (
        "import os, threading\n"
        + OPENED
        + """
    found = []
    def other():
        try:
            guest.wait(0)
        except Exception as error:
            found.append(str(error))
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    if os.fork() == 0:
        guest.wait(0)
    guest.expect_equal(os.wait()[1], 0, "the process ends")
    guest.expect("none that it has started" in found[0], "the thread is told why")
"""
    )
    lines = ran(source, target)
    assert outcome_of(case_of(source), record_of(lines)).kind == OutcomeKind.WORKS
    assert [line["op"] for line in lines if line["type"] == "step"] == ["open", "expect", "expect", "scenario"]


def test_what_it_prints_is_the_output_of_its_cell(target: Path) -> None:
    source = "import sys\n" + OPENED + "    print('one', 2)\n    print('three', end='', file=sys.stderr)\n"
    lines = ran(source, target)
    assert [line["text"] for line in lines if line["type"] == "output"] == ["one 2\n", "three"]


def test_of_much_that_is_printed_the_beginning_is_kept() -> None:
    sent: list[tuple[str, int]] = []
    printed = Printed(lambda text, cut: sent.append((text, cut)))
    assert printed.write("x" * (MOST_PRINTED - 1) + "\n" + "more\nand more") == MOST_PRINTED + 13
    printed.end()
    assert sent == [("x" * (MOST_PRINTED - 1) + "\n", 0), ("", 13)]
    assert not printed.isatty()


@pytest.mark.parametrize("name", ["ENOTSUPP", "EOPNOTSUPP", "ERESTARTSYS", "EAGAIN"])
def test_the_errnos_of_the_kernel_are_known(name: str, target: Path) -> None:
    source = OPENED + f"    with guest.must_refuse('{name}'):\n        pass\n"
    assert outcome_of(case_of(source), record_of(ran(source, target))).kind == OutcomeKind.WORKS


def test_a_value_is_reported_as_json_can_have_it() -> None:
    assert plain({"a": b"\x01\xff", 2: [b"", "x", 3]}) == {"a": "01ff", "2": ["", "x", 3]}
