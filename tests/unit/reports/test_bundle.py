"""The files of a release: the same each time, and each change of one is seen."""

from __future__ import annotations

import base64
import json
import subprocess
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from answers_samples import report
from reports_sample import nasty_report

from harness.errors import EXIT_OK, EXIT_UNEXPECTED, EXIT_USAGE
from harness.reports.bundle import (
    FILES,
    PROVENANCE,
    REPORT,
    SUMS,
    bundle,
    exit_code,
    problems,
    sha256,
    sums_of,
    without_packs,
)
from harness.reports.provenance import Made, statement

MADE = Made(version="0.1.0", commit="c" * 40)
GRID = report({"6.1-x86_64": {"seed": "pass", "late": "fail"}, "6.12-x86_64": {"seed": "pass"}})
FOLLOW = [name for name in FILES if name not in (REPORT, PROVENANCE, SUMS)]

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def whole() -> Files:
    return bundle(GRID, MADE)


def signed_again(files: Files, made: Made = MADE) -> Files:
    """What somebody does who changes a file and hides it: the checksums and the statement are right again."""
    from harness.reports.json_report import parse

    digests = {name: sha256(content) for name, content in files.items() if name not in (PROVENANCE, SUMS)}
    try:
        of = parse(files[REPORT].decode())
    except Exception:
        of = GRID
    proven = statement(of, made, subjects=digests).encode()
    sums = sums_of({**digests, PROVENANCE: sha256(proven)}).encode()
    return {**files, PROVENANCE: proven, SUMS: sums}


def named(found: tuple[object, ...]) -> set[str]:
    return {str(each).partition(":")[0] for each in found}


def test_it_has_all_files_and_is_the_same_each_time(whole: Files) -> None:
    assert tuple(whole) == FILES
    assert bundle(GRID, MADE) == whole


@pytest.mark.parametrize("of", [GRID, nasty_report()], ids=["small", "everything"])
def test_a_whole_one_has_no_problem(of: object) -> None:
    files = bundle(of, MADE)  # type: ignore[arg-type]  # both are reports
    assert problems(files, "0.1.0") == ()
    assert exit_code(()) == EXIT_OK


def test_sha256sum_reads_its_sums(whole: Files, tmp_path: Path) -> None:
    for name, content in whole.items():
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(
        ["sha256sum", "--check", SUMS], cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(FILES) - 1


@pytest.mark.parametrize("name", [name for name in FILES if name != SUMS])
def test_a_changed_file_is_named(whole: Files, name: str) -> None:
    (problem,) = problems({**whole, name: whole[name] + b" "}, "0.1.0")
    assert str(problem).startswith(f"{name}: its sha256 is ")
    assert "download it again" in str(problem)
    assert exit_code((problem,)) == EXIT_UNEXPECTED


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(whole: Files, name: str) -> None:
    (problem,) = problems({other: content for other, content in whole.items() if other != name}, "0.1.0")
    assert str(problem).startswith(f"{name}: it is missing")
    assert exit_code((problem,)) == (EXIT_USAGE if name == SUMS else EXIT_UNEXPECTED)


def test_a_file_that_is_too_many_is_named(whole: Files) -> None:
    assert named(problems({**whole, "run.sh": b""}, "0.1.0")) == {"run.sh"}


def test_a_file_that_is_listed_but_belongs_to_no_bundle_is_named(whole: Files) -> None:
    found = problems(signed_again({**whole, "run.sh": b""}), "0.1.0")
    assert "run.sh" in named(found)
    assert exit_code(found) == EXIT_UNEXPECTED


@pytest.mark.parametrize("name", FOLLOW)
def test_a_change_with_right_checksums_is_seen_since_nothing_else_follows(whole: Files, name: str) -> None:
    found = problems(signed_again({**whole, name: whole[name].replace(b"6.1", b"6.2", 1) + b"\n"}), "0.2.0")
    assert named(found) == {name}
    (problem,) = found
    assert "not what follows from report.json" in str(problem)
    assert "bpfmatrix 0.1.0; this is 0.2.0" in str(problem)


def test_a_better_verdict_in_the_report_is_seen_in_all_that_does_not_have_it(whole: Files) -> None:
    better = (
        whole[REPORT]
        .replace(b'"verdict": "fail"', b'"verdict": "pass"')
        .replace(b'"outcome": "refused"', b'"outcome": "works"')
    )
    assert better != whole[REPORT]
    found = named(problems(signed_again({**whole, REPORT: better}), "0.1.0"))
    assert {"junit.xml", "report.md", "report.html", "matrix.svg", "support.md", "support.json", "notes.md"} <= found


def test_a_report_in_another_form_is_seen(whole: Files) -> None:
    compact = json.dumps(json.loads(whole[REPORT])).encode()
    found = problems(signed_again({**whole, REPORT: compact}), "0.1.0")
    assert REPORT in named(found)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda text: text.replace(b'"schema": 1', b'"schema": 9', 1), "schema 9 was found"),
        (lambda text: text[:-20], "this is not JSON"),
        (lambda _: b"[]", "expected an object"),
    ],
)
def test_a_report_that_cannot_be_read_is_a_wrong_input(
    whole: Files, change: Callable[[bytes], bytes], why: str
) -> None:
    found = problems(signed_again({**whole, REPORT: change(whole[REPORT])}), "0.1.0")
    assert [each.file for each in found] == [REPORT]
    assert why in str(found[0])
    assert exit_code(found) == EXIT_USAGE


def test_a_statement_of_other_files_is_seen(whole: Files) -> None:
    other = bundle(report({"6.1-x86_64": {"seed": "pass"}}), MADE)[PROVENANCE]
    sums = whole[SUMS].replace(sha256(whole[PROVENANCE]).encode(), sha256(other).encode())
    (problem,) = problems({**whole, PROVENANCE: other, SUMS: sums}, "0.1.0")
    assert problem.file == PROVENANCE
    assert "does not speak of this" in str(problem)


def test_a_statement_that_claims_another_kernel_is_seen(whole: Files) -> None:
    other = whole[PROVENANCE].replace(b"6.12.1-1", b"6.12.9-1")
    assert other != whole[PROVENANCE]
    sums = whole[SUMS].replace(sha256(whole[PROVENANCE]).encode(), sha256(other).encode())
    found = problems({**whole, PROVENANCE: other, SUMS: sums}, "0.1.0")
    assert [each.file for each in found] == [PROVENANCE, SUMS]
    assert "not what follows" in str(found[0])


def test_no_statement_at_all_is_a_wrong_input(whole: Files) -> None:
    sums = whole[SUMS].replace(sha256(whole[PROVENANCE]).encode(), sha256(b"{}").encode())
    found = problems({**whole, PROVENANCE: b"{}", SUMS: sums}, "0.1.0")
    assert [(each.file, each.code) for each in found] == [(PROVENANCE, EXIT_USAGE)]


@pytest.mark.parametrize("sums", [b"nothing\n", b"\xff\xfe", b"0" * 64 + b"  a\n" + b"0" * 64 + b"  a\n"])
def test_sums_that_are_none_are_a_wrong_input(whole: Files, sums: bytes) -> None:
    found = problems({**whole, SUMS: sums}, "0.1.0")
    assert [(each.file, each.code) for each in found] == [(SUMS, EXIT_USAGE)]


def test_the_badge_speaks_of_the_cases_that_were_chosen() -> None:
    chosen = bundle(GRID, Made(version="0.1.0", badge=("seed",)))
    assert json.loads(chosen["badge.json"])["message"] == "2 of 2 kernels seen, 6.1.1 to 6.12.1"
    assert json.loads(bundle(GRID, MADE)["badge.json"])["message"] != json.loads(chosen["badge.json"])["message"]
    assert problems(chosen, "0.1.0") == ()


def packed_by(text: bytes, level: int) -> bytes:
    made = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return base64.b64encode(made.compress(text) + made.flush())


def test_what_another_zlib_packed_is_the_same_and_another_text_is_not() -> None:
    text = b"the log of a cell, the log of a cell, the log of another cell" * 9
    one, other = packed_by(text, 1), packed_by(text, 9)
    assert one != other
    assert without_packs(b"<i>" + one + b"</i>") == without_packs(b"<i>" + other + b"</i>")
    assert without_packs(one) != without_packs(packed_by(text + b"!", 9))
    assert without_packs(one[:-8]) == one[:-8], "it is no whole pack"
    assert without_packs(b"AAAAAAAAAAAAAAAAAAAAAAAA and words") == b"AAAAAAAAAAAAAAAAAAAAAAAA and words"
