"""report.json: stable keys, read back as it was written, described in full."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given
from reports_golden import check
from reports_sample import LOG, nasty_report, quiet_report
from reports_strategies import CARRIED, HOSTILE, UNHURRIED, reports

from harness.errors import ConfigError
from harness.model.results import (
    CellResult,
    Difference,
    DifferenceKind,
    Outcome,
    OutcomeKind,
    PartResult,
    Report,
    Verdict,
)
from harness.reports.document import EVIDENCE, UNREAD, CellDocument
from harness.reports.json_report import LONGEST_TEXT, limited, parse, render

DOCUMENT = Path(__file__).parents[3] / "docs" / "report-json.md"

# Schema 1. Keys may join these; that one of them goes or is renamed is what this list must catch.
PROMISED: dict[str, set[str]] = {
    "": {"schema", "run", "kernels", "cases", "cells", "attributions"},
    "run": {
        "id",
        "started",
        "seconds",
        "version",
        "command",
        "host",
        "accel",
        "accel_reason",
        "jobs",
        "complete",
        "exit_code",
        "notices",
        "verdicts",
        "shard",
    },
    "shard": {"index", "count", "plan", "lock", "rows", "cases"},
    "kernels": {
        "name",
        "userland",
        "compiler",
        "arch",
        "release",
        "version",
        "distribution",
        "accel",
        "transport",
        "qemu_version",
        "libbpf_version",
        "clang_version",
        "seconds",
        "package",
        "environment",
        "boots",
        "memory",
        "run",
        "inputs",
        "problems",
        "console_tail",
    },
    "package": {"source", "name", "version", "sha256", "suite", "notice", "distribution"},
    "cases": {"id", "title"},
    "cells": {
        "kernel",
        "case",
        "title",
        "outcome",
        "verdict",
        "verdict_reason",
        "stage",
        "errno",
        "errno_name",
        "origin",
        "refusal",
        "advice",
        "asked",
        "candidates",
        "reason",
        "expected",
        "log",
        "events",
        "splats",
        "counted_splats",
        "differences",
        "step",
        "crash",
        "reset",
        "cause",
        "cause_name",
        "ours",
        "allowed_splats",
        "console_tail",
        "seconds",
        "isolated",
        "wrong_input",
        "fault",
        "mark",
        "mark_reason",
        "measured",
        "xdp",
        "programs",
        "over_budget",
        "stages",
        "output",
        "start",
        "parts",
    },
    "over_budget": {"program", "measure", "value", "most", "text"},
    "allowed_splats": {"line", "count", "pattern", "reason", "link", "expires"},
    "expected": {
        "outcome",
        "reason",
        "source",
        "stage",
        "errno",
        "origin",
        "kernel",
        "config",
        "distribution",
        "unruled",
        "refusal",
        "message",
        "known_bug",
        "arch",
        "version",
        "since",
        "fixed",
        "step",
        "splats",
        "differences",
        "panic",
        "reset",
        "cause",
        "cause_name",
    },
}
PROMISED["parts"] = {"name", "about"} | PROMISED["cells"] - {
    *("kernel", "case", "title", "expected", "start", "isolated", "parts"),
}


def objects(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return one object of each kind that `PROMISED` names, and that the document has."""
    kernel, cell = document["kernels"][0], document["cells"][0]
    allowed = [splat for cell in document["cells"] for splat in cell["allowed_splats"]]
    parts = [part for cell in document["cells"] for part in cell["parts"]]
    over = [each for own in (*document["cells"], *parts) for each in own["over_budget"]]
    return {
        "": document,
        "run": document["run"],
        **({"shard": shard} if (shard := document["run"]["shard"]) else {}),
        "kernels": kernel,
        "package": kernel["package"],
        "cases": document["cases"][0],
        "cells": cell,
        "expected": cell["expected"],
        **({"allowed_splats": allowed[0]} if allowed else {}),
        **({"parts": parts[0]} if parts else {}),
        **({"over_budget": over[0]} if over else {}),
    }


def test_golden() -> None:
    check("report.json", render(nasty_report()))


def test_the_promised_keys_are_there_and_no_others_without_being_promised() -> None:
    found = objects(json.loads(render(nasty_report())))
    assert {kind: set(keys) for kind, keys in found.items()} == PROMISED


def test_values_are_the_words_of_the_model() -> None:
    document = json.loads(render(nasty_report()))
    refused = document["cells"][1]
    assert (refused["outcome"], refused["verdict"], refused["stage"]) == ("refused", "xfail", "load-tracer")
    assert (refused["errno"], refused["errno_name"]) == (13, "EACCES")
    assert document["cells"][0]["errno"] is None
    assert document["cells"][0]["events"][2] == {
        "kind": "fexit", "saddr": "127.0.0.1", "sport": 40296, "daddr": "127.0.0.1", "dport": 443,
        "retval": 0, "side": "client", "phase": "observe",
    }  # fmt: skip
    assert document["run"]["verdicts"] == {
        "pass": 2, "xfail": 1, "known-bug": 1, "fail": 1, "xpass": 1, "answered": 1, "error": 1, "not-run": 1,
        "not-applicable": 1,
    }  # fmt: skip
    assert document["kernels"][3]["package"] is None


def test_it_is_ascii_and_without_raw_control_characters() -> None:
    text = render(nasty_report())
    assert text.isascii()
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text)


def test_a_long_log_is_cut_in_the_middle() -> None:
    log = json.loads(render(nasty_report()))["cells"][1]["log"]
    assert len(LOG) > 900_000
    assert len(log) <= LONGEST_TEXT
    assert log.startswith("func#0 @0")
    assert log.endswith("processed 28000 insns\n")
    assert re.search(r"\[\.\.\. \d+ characters cut \.\.\.\]", log)


@UNHURRIED
@given(reports(CARRIED))
def test_parse_is_the_inverse_of_render(report: Report) -> None:
    assert parse(render(report)) == report


@UNHURRIED
@given(reports(HOSTILE))
def test_any_text_becomes_json_that_parses_to_the_limited_report(report: Report) -> None:
    text = render(report)
    text.encode()
    assert parse(text) == limited(report)
    assert render(parse(text)) == text


def test_the_nasty_report_comes_back() -> None:
    assert parse(render(nasty_report())) == limited(nasty_report())
    assert parse(render(quiet_report())) == quiet_report()


def test_parts_whose_names_become_alike_stay_apart() -> None:
    cell = quiet_report().cells[0]
    parts = [
        PartResult(name=name, outcome=cell.outcome, verdict=Verdict.PASS, verdict_reason="works")
        for name in ("a\ud800", "a\ufffd")
    ]
    found = limited(replace(quiet_report(), cells=(replace(cell, parts=tuple(parts)),)))
    assert [part.name for part in found.cells[0].parts] == ["a\ufffd", "a\ufffd.2"]


def test_a_missing_cell_is_written_as_lost() -> None:
    document = json.loads(render(replace(quiet_report(), cells=())))
    assert [(cell["outcome"], cell["verdict"]) for cell in document["cells"]] == [("lost", "error")]
    assert document["run"]["verdicts"]["error"] == 1


def test_unknown_keys_are_passed_over() -> None:
    document = json.loads(render(nasty_report()))
    for found in objects(document).values():
        found["added later"] = {"any": 1}
    assert parse(json.dumps(document)) == limited(nasty_report())


@pytest.mark.parametrize("schema", [0, 2, 99])
def test_another_schema_is_refused(schema: int) -> None:
    document = json.loads(render(quiet_report())) | {"schema": schema}
    with pytest.raises(ConfigError, match=rf"old\.json: schema {schema} .* reads schema 1 only"):
        parse(json.dumps(document), name="old.json")


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"schema": ' + "1" * 5000 + "}", "<xml/>"])
def test_no_json_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"report\.json: this is not JSON"):
        parse(text)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (["schema"], True, "schema: expected an integer, found true"),
        (["run"], [], "run: expected an object with the key id"),
        (["run", "jobs"], "2", 'run.jobs: expected an integer, found "2"'),
        (["run", "complete"], 1, "run.complete: expected true or false, found 1"),
        (["run", "seconds"], float("inf"), "run.seconds: expected a finite number"),
        (["run", "host", "cores"], 2, "run.host.cores: expected a string, found 2"),
        (["kernels"], {}, "kernels: expected a list"),
        (["kernels", 0, "seconds", "boot"], False, "kernels[0].seconds.boot: expected a number, found false"),
        (["kernels", 0, "package"], "x", "kernels[0].package: expected an object with the key source"),
        (["kernels", 0, "environment"], None, "kernels[0].environment: expected an object, found null"),
        (["cells", 0, "verdict"], "green", "cells[0].verdict: expected one of pass, xfail, known-bug, fail"),
        (["cells", 0, "outcome"], [], "cells[0].outcome: expected one of works, refused"),
        (["cells", 0, "events", 1], "x", 'cells[0].events[1]: expected an object, found "x"'),
        (["cells", 0, "expected", "errno"], "EINVAL", "cells[0].expected.errno: expected a list"),
        (["cells", 0, "start"], "hot", 'cells[0].start: expected one of cold, warm, found "hot"'),
        (["kernels", 0, "memory"], "1", 'kernels[0].memory: expected a number, found "1"'),
        (["cells", 0, "log"], None, "cells[0].log: expected a string, found null"),
        (["run", "jobs"], 2.5, "run.jobs: expected an integer, found 2.5"),
        (["run", "seconds"], None, "run.seconds: expected a number, found null"),
        (["cells", 0, "errno"], True, "cells[0].errno: expected an integer, found true"),
        (["kernels", 0], {"arch": "x"}, "kernels[0]: expected an object with the key name, found {"),
        (["cells", 0, "parts"], ["x"], 'cells[0].parts[0]: expected an object with the key outcome, found "x"'),
        (["cells", 0, "expected", "splats"], [1], "cells[0].expected.splats[0]: expected a string, found 1"),
        (
            ["cells", 0, "expected", "differences"],
            [{"step": "end", "kind": "retval", "of": "", "seen": {}}],
            "cells[0].expected.differences[0].seen: expected a list or an integer or a string, found {}",
        ),
    ],
)
def test_malformed_values_are_named_with_their_place(path: list[Any], value: object, message: str) -> None:
    document = json.loads(render(quiet_report()))
    place = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(ConfigError, match=re.escape(f"report.json: {message}")):
        parse(json.dumps(document))


def paths(kind: str) -> list[Any]:
    steps: dict[str, list[Any]] = {
        "": [],
        "run": ["run"],
        "shard": ["run", "shard"],
        "kernels": ["kernels", 0],
        "package": ["kernels", 0, "package"],
        "cases": ["cases", 0],
        "cells": ["cells", 0],
        "allowed_splats": ["cells", -1, "allowed_splats", 0],
        "expected": ["cells", 0, "expected"],
        "parts": ["cells", 3, "parts", 0],
        "over_budget": ["cells", 3, "parts", -1, "over_budget", 0],
    }
    return steps[kind]


def promised() -> Iterator[tuple[str, str]]:
    for kind, keys in PROMISED.items():
        for key in sorted(keys - {"verdicts"}):
            yield kind, key


_COVERS = ("kernel", "config", "distribution", "arch", "version", "since", "fixed")
_SIGNATURE = ("step", "splats", "differences", "panic", "reset", "cause", "cause_name")
_REFUSED = ("origin", "asked", "candidates")
_MARK = ("mark", "mark_reason", "measured", "output", "xdp", "programs", "over_budget", "stages")
_EVIDENCE = ("counted_splats", "differences", "step", "crash", "reset", "cause", "cause_name", "ours")
LATER = {
    *(("kernels", key) for key in ("memory", "run", "inputs", "userland", "compiler", "clang_version", "distribution")),
    ("", "attributions"),
    ("run", "shard"),
    ("package", "distribution"),
    ("expected", "unruled"),
    *(("cells", key) for key in ("start", "isolated", "parts")),
    *(
        (kind, key)
        for kind in ("cells", "parts")
        for key in ("allowed_splats", "wrong_input", "fault", *_MARK, *_EVIDENCE, *_REFUSED)
    ),
    ("parts", "about"),
    *(("expected", key) for key in ("origin", *_COVERS, *_SIGNATURE)),
}
"""Keys that joined the schema after its first reports were written."""


@pytest.mark.parametrize(("kind", "key"), [each for each in promised() if each not in LATER])
def test_every_key_is_needed(kind: str, key: str) -> None:
    document = json.loads(render(nasty_report()))
    place = document
    for step in paths(kind):
        place = place[step]
    del place[key]
    with pytest.raises(ConfigError, match=f"expected an object with the key {key}"):
        parse(json.dumps(document))


def test_reports_from_before_a_key_joined_the_schema_are_read() -> None:
    document = json.loads(render(quiet_report()))
    assert (document["kernels"][0]["memory"], document["cells"][0]["start"]) == (171.5, "warm")
    del document["kernels"][0]["memory"]
    del document["kernels"][0]["run"]
    del document["run"]["shard"]
    del document["kernels"][0]["userland"]
    del document["kernels"][0]["compiler"]
    del document["cells"][0]["start"]
    del document["cells"][0]["parts"]
    for key in ("arch", "version", "since", "fixed"):
        del document["cells"][0]["expected"][key]
    del document["cells"][0]["wrong_input"]
    old = parse(json.dumps(document))
    assert (old.kernels[0].memory, old.cells[0].start) == (0.0, None)
    assert replace(old.kernels[0], memory=171.5) == quiet_report().kernels[0], "nothing else is lost"


@pytest.mark.parametrize(
    "seen", [None, 0, True, 2.5, "EBUSY", ({"kind": "fexit", "retval": 0},), (), [1, "x"], {"a": [1]}]
)
def test_what_a_difference_shows_comes_back_as_it_was(seen: Any) -> None:
    cell = quiet_report().cells[0]
    difference = Difference(step="end", kind=DifferenceKind.LEFT, text="t", seen=seen)
    report = replace(quiet_report(), cells=(replace(cell, outcome=replace(cell.outcome, differences=(difference,))),))
    found = parse(render(report)).cells[0].outcome.differences[0]
    assert (found, type(found.seen)) == (difference, type(seen))


def test_a_flat_cell_has_the_types_of_the_model() -> None:
    cell, outcome = get_type_hints(CellDocument), get_type_hints(Outcome)
    assert {name: cell[name] for name in outcome if name != "kind"} == {k: v for k, v in outcome.items() if k != "kind"}
    own = {name: kind for name, kind in get_type_hints(CellResult).items() if name not in {"outcome", "parts"}}
    assert own.pop("expectation") == cell["expected"]
    assert {name: cell[name] for name in own} == own


@UNHURRIED
@given(HOSTILE)
def test_parse_of_any_text_ends_in_one_error(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)


def test_the_document_describes_every_key_and_its_example_is_real() -> None:
    document = DOCUMENT.read_text(encoding="utf-8")
    described = set(re.findall(r"^\| `([a-z0-9_]+)` \|", document, re.MULTILINE))
    assert set().union(*PROMISED.values()) <= described
    example = re.search(r"```json\n(.*?)```", document, re.DOTALL)
    assert example
    assert parse(example[1]) == quiet_report()
    assert example[1] == render(quiet_report())
    for verdict in Verdict:
        assert f"`{verdict}`" in document


@UNHURRIED
@given(reports(CARRIED))
def test_without_evidence_all_else_is_read(report: Report) -> None:
    bare = Outcome(kind=OutcomeKind.WORKS, reason="")

    def without(outcome: Outcome) -> Outcome:
        return replace(outcome, **{name: getattr(bare, name) for name in EVIDENCE - {"expected"}})

    cells = tuple(
        replace(
            cell,
            outcome=without(cell.outcome),
            expectation=UNREAD,
            parts=tuple(replace(part, outcome=without(part.outcome)) for part in cell.parts),
        )
        for cell in report.cells
    )
    assert parse(render(report), evidence=False) == replace(report, cells=cells)


def test_what_is_read_without_evidence_is_still_checked() -> None:
    document = json.loads(render(nasty_report()))
    del document["cells"][0]["log"]
    assert parse(json.dumps(document), evidence=False).cells[0].outcome.log == ""
    del document["cells"][0]["stage"]
    with pytest.raises(ConfigError, match="expected an object with the key stage"):
        parse(json.dumps(document).encode(), evidence=False)
    with pytest.raises(ConfigError, match="this is not JSON"):
        parse(b"\xff", evidence=False)
