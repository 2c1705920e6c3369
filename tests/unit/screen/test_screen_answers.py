from __future__ import annotations

from answers_samples import kernel, report
from test_terminal import console

from harness.answers.compare import compare
from harness.answers.explain import explain
from harness.answers.history import answers_of, history, unlike
from harness.screen.answers import MOST_CHANGES, print_comparison, print_explanation, print_history, print_unlike

OLD, ROW = "5.10-x86_64", "6.1-x86_64"


def test_what_is_worse_is_last_but_for_what_it_comes_to() -> None:
    screen, out = console()
    before = report({OLD: {"a": "pass", "b": "fail"}, ROW: {"a": "pass", "b": "pass"}})
    now = report(
        {OLD: {"a": "fail", "b": "pass"}, ROW: {"a": "fail", "b": "pass"}},
        kernels={ROW: kernel(ROW, "6.1.180-1")},
        name="20260102T000000Z",
    )
    print_comparison(compare(before, now), console=screen)
    lines = out.getvalue().splitlines()
    assert lines[0] == f"{ROW}: package was linux-image 6.1.1-1, is linux-image 6.1.180-1"
    assert lines[-4].startswith(f"fixed: b on {OLD}: fail")
    assert lines[-3].startswith(f"new failure: a on {OLD}, {ROW}: pass: works -> fail: refused")
    assert lines[-2] == "    the verifier said no"
    assert lines[-1].startswith("new failure: 2, fixed: 1; as before: 1.")


def test_what_nobody_has_to_act_on_is_bounded_and_what_is_worse_is_not() -> None:
    cases = [f"case-{number:02}" for number in range(30)]
    before = report({ROW: dict.fromkeys(cases, "fail"), OLD: dict.fromkeys(cases, "pass")})
    now = report({ROW: dict.fromkeys(cases, "pass"), OLD: dict.fromkeys(cases, "fail")}, name="20260102T000000Z")
    screen, out = console()
    print_comparison(compare(before, now), console=screen)
    lines = out.getvalue().splitlines()
    assert sum(line.startswith("fixed: case-") for line in lines) == MOST_CHANGES
    assert "fixed: and 10 more" in lines
    assert sum(line.startswith("new failure: case-") for line in lines) == 30
    assert lines[-1].startswith("new failure: 30, fixed: 30;")


def test_each_cause_comes_with_the_command_that_shows_it_again() -> None:
    screen, out = console()
    print_explanation(explain(report({ROW: {"a": "fail"}}), program="bpfmatrix"), run="results/x", console=screen)
    lines = out.getvalue().splitlines()
    assert lines[0] == "1. the kernel's (1):"
    assert f"   again:    bpfmatrix matrix --kernel {ROW} --case a" in lines
    assert lines[-2:] == [
        "all of them again: ./run matrix --failed-of results/x",
        "the kernel's: 1 cause (1 results).",
    ]


def test_what_a_command_line_named_itself_has_no_such_command() -> None:
    screen, out = console()
    made = report({ROW: {"a": "fail"}}, command="bpfmatrix check a.o")
    print_explanation(explain(made, program="bpfmatrix"), run="results/x", console=screen)
    assert "--failed-of" not in out.getvalue()


def test_no_control_character_reaches_the_terminal() -> None:
    screen, out = console()
    made = report({ROW: {"a\x1b[2J": "fail"}})
    print_explanation(explain(made, program="bpfmatrix"), run="results/x", console=screen)
    assert "\x1b[2J" not in out.getvalue()


def test_a_defect_of_a_history_is_last() -> None:
    screen, out = console()
    rows = {ROW: kernel(ROW, inputs={"kernel": "x"})}
    one = report({ROW: {"a": "pass"}}, kernels=rows)
    two = report({ROW: {"a": "fail"}}, kernels=rows, name="20260102T000000Z")
    print_history(history([*answers_of(one), *answers_of(two)]), console=screen)
    lines = out.getvalue().splitlines()
    assert lines[0].startswith(f"by date: a on {ROW}")
    assert lines[-2].startswith(f"defect: a on {ROW}")
    assert lines[-1].startswith("2 runs")


def test_what_is_not_the_same_each_time_says_how_often() -> None:
    screen, out = console()
    runs = [report({ROW: {"a": "pass"}}), report({ROW: {"a": "fail"}}), report({ROW: {"a": "pass"}})]
    print_unlike(unlike(runs), runs=3, console=screen)
    assert out.getvalue().splitlines() == [
        f"not the same each time: a on {ROW}: pass: works (2 of 3); "
        "fail: refused at load-tracer with EINVAL (attach-target) (1 of 3)",
        "3 runs: 1 places where they do not say the same",
    ]
