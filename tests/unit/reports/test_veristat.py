"""The files for veristat, which reads a header and then as many values a line, apart at commas."""

from __future__ import annotations

from dataclasses import replace

from answers_samples import WORKS, cell, report
from reports_sample import NASTY, nasty_report

from harness.model.results import Outcome, OutcomeKind, PartResult, Stage, Verdict
from harness.reports.veristat import COLUMNS, files_of

MEASURED = {
    "verified-instructions": 127, "total-states": 9, "peak-states": 8, "jited-bytes": 300, "instruction-limit": 1000000,
}  # fmt: skip


def test_each_row_has_a_file_with_veristats_columns_and_numbers() -> None:
    refused = Outcome(kind=OutcomeKind.REFUSED, reason="no", stage=Stage.LOAD_TARGET)
    parts = tuple(
        PartResult(name=name, outcome=outcome, verdict=Verdict.PASS, verdict_reason="", about="xdp")
        for name, outcome in (
            ("handle", replace(WORKS, measured=MEASURED)),
            ("some", replace(WORKS, measured={"verified-instructions": 5})),
            ("old", refused),
        )
    )
    rows = ("6.1-x86_64+libbpf-1.5", "7.3-x86_64")
    found = files_of(report({rows[0]: {"my": cell(rows[0], "my", "pass", parts=parts)}, rows[1]: {"my": "pass"}}))
    assert found == {
        "veristat/6.1-x86_64+libbpf-1.5.csv": (
            "file_name,prog_name,verdict,total_insns,total_states,peak_states,prog_size_jited\n"
            "my,handle,success,127,9,8,300\n"
            "my,some,success,5,-1,-1,-1\n"
            "my,old,failure,-1,-1,-1,-1\n"
        )
    }


def test_no_name_breaks_a_line_or_leaves_the_folder() -> None:
    for row in (NASTY, "../../etc/passwd", ".hidden", "a,b\nc"):
        programs = {f"t.{NASTY}": MEASURED, "": MEASURED}
        own = cell(row, NASTY, "pass", outcome=replace(WORKS, programs=programs))
        ((path, text),) = files_of(report({row: {NASTY: own}})).items()
        assert path.count("/") == 1
        assert not path.startswith("veristat/.")
        assert all(sign.isprintable() for sign in path)
        lines = text.splitlines()
        assert len(lines) == 3
        # strtok_r() passes over what is empty between two commas.
        assert all(len([each for each in line.split(",") if each]) == len(COLUMNS) for line in lines)


def test_the_sample_has_a_file() -> None:
    assert files_of(nasty_report())
