"""The seed's case on real kernels of the committed matrix: oldest, middle, newest, and one without modules."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from projects import ROOT

from harness.cli import releasing
from harness.model.results import OutcomeKind, Report, Verdict
from harness.reports.json_report import parse
from harness.run.matrix import run_matrix
from harness.run.options import Options
from harness.supply.lock import read_lock
from harness.supply.project import Project

pytestmark = pytest.mark.vm

CASE = "kprobe-fentry-fexit"
TRANSPORTS = {
    "5.10-x86_64": "network",
    "6.12-x86_64": "network",
    "7.3-x86_64": "network",
    "7.1-x86_64": "serial",  # comes without its modules, so without a network card
}
kernels = pytest.mark.parametrize("kernel", TRANSPORTS)


@dataclass(frozen=True)
class Run:
    """One run of all kernels of this module: its report, and the folder that it left."""

    report: Report
    folder: Path


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    options = Options(
        project=Project(matrix_file=ROOT / "matrix.yaml"),
        kernels=list(TRANSPORTS),
        cases=[CASE],
        results=tmp_path_factory.mktemp("flagship"),
        jobs=min(2, len(os.sched_getaffinity(0))),
    )
    finished = run_matrix(options)
    yield Run(finished.report, finished.folder)


def events_of(run: Run, kernel: str, *, phase: str, side: str) -> list[dict[str, Any]]:
    events = run.report.cell(kernel, CASE).outcome.events
    return [event for event in events if (event["phase"], event["side"]) == (phase, side)]


@kernels
def test_works(run: Run, kernel: str) -> None:
    cell = run.report.cell(kernel, CASE)
    assert (cell.outcome.kind, cell.verdict) == (OutcomeKind.WORKS, Verdict.PASS), cell.outcome
    result = next(each for each in run.report.kernels if each.name == kernel)
    assert (result.boots, result.problems) == (1, ())
    assert result.transport == TRANSPORTS[kernel]


@kernels
def test_the_connecting_side_shows_fentry_then_kprobe_then_fexit(run: Run, kernel: str) -> None:
    events = events_of(run, kernel, phase="observe", side="client")
    assert [event["kind"] for event in events] == ["fentry", "kprobe", "fexit"]
    assert [event["retval"] for event in events] == [None, None, 0]
    times = [event["time_ns"] for event in events]
    assert times == sorted(times)


@kernels
def test_events_carry_the_very_connection_that_the_trigger_made(run: Run, kernel: str) -> None:
    lines = (run.folder / kernel / "agent.jsonl").read_text().splitlines()
    triggers = [line for line in map(json.loads, lines) if line.get("op") == "trigger"]
    for trigger in triggers:
        (client, client_port), (server, server_port) = trigger["ends"]["client"], trigger["ends"]["server"]
        assert (client, server) == ("127.0.0.1", "127.0.0.1")
        assert client_port != server_port
        for event in events_of(run, kernel, phase=trigger["phase"], side="client"):
            ends = (event["saddr"], event["sport"], event["daddr"], event["dport"])
            assert ends == (client, client_port, server, server_port)
        for event in events_of(run, kernel, phase=trigger["phase"], side="listener"):
            assert (event["saddr"], event["sport"], event["dport"]) == (server, server_port, 0)
    assert [trigger["phase"] for trigger in triggers] == ["observe", "again", "control"]
    assert len({json.dumps(trigger["ends"]) for trigger in triggers}) == len(triggers)


@kernels
def test_the_accepting_side_shows_one_kprobe_event(run: Run, kernel: str) -> None:
    assert [event["kind"] for event in events_of(run, kernel, phase="observe", side="listener")] == ["kprobe"]


@kernels
def test_with_another_handler_in_the_slot_the_fexit_sees_another_return_value(run: Run, kernel: str) -> None:
    events = events_of(run, kernel, phase="again", side="client")
    assert [(event["kind"], event["retval"]) for event in events] == [("fentry", None), ("callee", None), ("fexit", 5)]
    assert [event["kind"] for event in events_of(run, kernel, phase="again", side="listener")] == ["callee"]


@kernels
def test_with_the_tracers_detached_only_the_kprobes_are_seen(run: Run, kernel: str) -> None:
    for side in ("client", "listener"):
        assert [event["kind"] for event in events_of(run, kernel, phase="control", side=side)] == ["callee"]


@kernels
def test_no_event_of_the_report_is_of_another_connection(run: Run, kernel: str) -> None:
    """SSH's own connections run through the same kernel functions."""
    assert {event["side"] for event in run.report.cell(kernel, CASE).outcome.events} == {"client", "listener"}


@kernels
def test_the_guest_runs_the_package_of_the_lock(run: Run, kernel: str) -> None:
    locked = read_lock(ROOT / "matrix.lock").kernels[kernel].pin
    result = next(each for each in run.report.kernels if each.name == kernel)
    assert result.package is not None
    if result.package.notice:
        pytest.skip(f"not the locked package: {result.package.notice}")
    packages = {package.name: package for package in locked.packages}
    carrier = packages[result.package.name]
    assert (result.package.version, result.package.sha256) == (carrier.version, carrier.sha256)
    # Debian names the packages linux-image-RELEASE or linux-binary-RELEASE, and signs the version into `uname -v`.
    assert carrier.name.removeprefix("linux-image-").removeprefix("linux-binary-") == result.release
    assert result.environment["release"] == result.release
    assert result.environment["version"].split("Debian ")[1].split(" ")[0] == locked.version
    assert result.version == locked.version


@kernels
def test_what_the_run_left_says_the_same(run: Run, kernel: str) -> None:
    read = parse((run.folder / "report.json").read_text())
    assert read.cell(kernel, CASE) == run.report.cell(kernel, CASE)
    suites = ET.parse(run.folder / "junit.xml").getroot()
    suite = next(each for each in suites if each.get("name") == kernel)
    case, row = suite.findall("testcase")
    assert row.get("name") == "(kernel)"
    assert (case.get("name"), [child.tag for child in case]) == (CASE, ["system-out"])
    properties = {each.get("name"): each.get("value") for each in suite.iter("property")}
    result = next(each for each in run.report.kernels if each.name == kernel)
    assert properties["release"] == result.release
    assert properties["package.sha256"] == (result.package.sha256 if result.package else "")
    assert properties["accel"] in ("kvm", "tcg")
    assert (run.folder / kernel / "console.log").stat().st_size > 0


def test_the_run_as_a_whole(run: Run) -> None:
    assert (run.report.run.complete, run.report.run.exit_code) == (True, 0)
    assert [cell.kernel for cell in run.report.cells] == [kernel.name for kernel in run.report.kernels]
    assert {cell.kernel for cell in run.report.cells} == set(TRANSPORTS)
    assert (run.folder.parent / "latest").resolve() == run.folder.resolve()
    markdown = (run.folder / "report.md").read_text()
    assert "new tcp connection: 127.0.0.1:" in markdown
    assert "(fentry)" in markdown


def test_a_release_can_carry_it_and_it_verifies(run: Run, tmp_path: Path) -> None:
    output, lock = tmp_path / "bundle", ROOT / "matrix.lock"
    assert releasing.release_report([run.folder], output=output, last_wins=False, cases=[CASE], lock=lock) == 0
    for bundle in (output, tmp_path / "bundle.tar.gz"):
        assert releasing.verify(bundle) == 0
    assert json.loads((output / "badge.json").read_text())["message"].startswith("4 of 4 kernels seen, 5.10.")
    made = json.loads((output / "provenance.json").read_text())["predicate"]["buildDefinition"]["resolvedDependencies"]
    pinned = {each["name"]: each["digest"]["sha256"] for each in made if each["name"] in TRANSPORTS}
    assert pinned == {each.name: each.package.sha256 for each in run.report.kernels if each.package}
    (output / "report.json").write_text((output / "report.json").read_text().replace('"pass"', '"fail"', 1))
    assert releasing.verify(output) == 1
