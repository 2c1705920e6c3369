"""The statement of where a bundle was made: in-toto's form, and what it says comes back."""

from __future__ import annotations

import json

import pytest
from answers_samples import kernel, report

from harness.errors import ConfigError
from harness.reports.provenance import LOCAL, Made, made_in, read, statement

REPORT = report(
    {"6.1-x86_64": {"seed": "pass"}, "mine": {"seed": "pass"}}, kernels={"mine": kernel("mine", package=None)}
)
SUBJECTS = {"report.json": "1" * 64, "junit.xml": "2" * 64}
MADE = Made(version="0.1.0", commit="c" * 40, changed=True, lock="d" * 64, badge=("seed",))
GITHUB = {
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_REPOSITORY": "who/what",
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_ATTEMPT": "2",
    "GITHUB_SHA": "e" * 40,
    "GITHUB_WORKFLOW_REF": "who/what/.github/workflows/release.yml@refs/tags/v1",
}


def test_it_is_a_statement_of_in_toto_with_the_provenance_of_slsa() -> None:
    made = json.loads(statement(REPORT, MADE, subjects=SUBJECTS))
    begin = '{\n  "_type": "https://in-toto.io/Statement/v1",'
    assert statement(REPORT, MADE, subjects=SUBJECTS).startswith(begin)
    assert made["predicateType"] == "https://slsa.dev/provenance/v1"
    assert made["subject"][0] == {"name": "report.json", "digest": {"sha256": "1" * 64}}
    definition, details = made["predicate"]["buildDefinition"], made["predicate"]["runDetails"]
    assert definition["externalParameters"]["command"] == "bpfmatrix matrix"
    assert details["builder"]["id"] == LOCAL
    assert (details["metadata"]["startedOn"], details["metadata"]["finishedOn"]) == (
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:00:01Z",
    )


def test_it_names_the_commit_the_lock_and_each_kernel() -> None:
    found = json.loads(statement(REPORT, MADE, subjects={}))["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert found[0] == {"name": "checkout", "digest": {"gitCommit": "c" * 40}, "annotations": {"changed": True}}
    assert found[1] == {"name": "matrix.lock", "digest": {"sha256": "d" * 64}}
    assert (found[2]["name"], found[2]["digest"]) == ("6.1-x86_64", {"sha256": "0" * 64})
    assert found[2]["annotations"]["version"] == "6.1.1-1"
    assert found[3]["name"] == "mine"
    assert "digest" not in found[3]


def test_what_it_says_comes_back() -> None:
    assert read(statement(REPORT, MADE, subjects=SUBJECTS), name="it") == (MADE, SUBJECTS)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        statement(REPORT, MADE, subjects=SUBJECTS).replace('"version": "0.1.0"', '"version": 5'),
        statement(REPORT, MADE, subjects=SUBJECTS).replace(
            '"changed": true,\n        "repo', '"changed": "yes",\n        "repo'
        ),
        statement(REPORT, MADE, subjects=SUBJECTS).replace("/Statement/v1", "/Statement/v2"),
        statement(REPORT, MADE, subjects=SUBJECTS).replace("/provenance/v1", "/provenance/v2"),
        statement(REPORT, MADE, subjects=SUBJECTS).replace('"sha256": "1', '"sha1": "1'),
    ],
)
def test_what_is_no_such_statement(text: str) -> None:
    with pytest.raises(ConfigError, match="it is "):
        read(text, name="it")


def test_in_a_workflow_of_github_it_says_which() -> None:
    made = made_in(GITHUB, version="1", checkout=("f" * 40, False), lock="")
    assert made.commit == "e" * 40
    assert made.repository == "https://github.com/who/what"
    assert made.builder == "https://github.com/who/what/.github/workflows/release.yml@refs/tags/v1"
    assert made.invocation == "https://github.com/who/what/actions/runs/7/attempts/2"
    assert '"uri": "git+https://github.com/who/what"' in statement(REPORT, made, subjects={})


def test_elsewhere_it_says_the_checkout() -> None:
    made = made_in({}, version="1", checkout=("f" * 40, True), lock="d")
    assert made == Made(version="1", commit="f" * 40, changed=True, lock="d")
