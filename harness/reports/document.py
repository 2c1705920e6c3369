"""The objects of report.json, a type for each: from these it is written, read, and described as a JSON Schema.

Where a type of the model has the shape of its object, it is that object's type: the keys are its fields. Only a cell is
flat in the document, with the keys of its outcome beside its own, and so is a part of a cell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from typing import TYPE_CHECKING, Any

from harness.model.results import (
    AllowedSplat,
    Attributed,
    Attribution,
    CellResult,
    Difference,
    Expectation,
    ExpectedDifference,
    Fault,
    KernelResult,
    Mark,
    Origin,
    Outcome,
    OutcomeKind,
    OverBudget,
    PackageInfo,
    PartResult,
    Report,
    RunInfo,
    Stage,
    Start,
    Verdict,
)
from harness.model.shards import Shard

if TYPE_CHECKING:
    from pydantic_core import SchemaValidator

SCHEMA = 1
REPORT_SCHEMA_FILE = "report.schema.json"


@dataclass(frozen=True, kw_only=True)
class RunDocument(RunInfo):
    """The run as a whole; `verdicts` says how many cells have each verdict."""

    verdicts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CaseDocument:
    """A case: its id, and its title."""

    id: str
    title: str


@dataclass(frozen=True, kw_only=True)
class OutcomeDocument:
    """The keys of an outcome and of its verdict, which a cell and its parts have. Defaults are for old reports."""

    outcome: OutcomeKind
    verdict: Verdict
    verdict_reason: str
    stage: Stage | None
    errno: int | None
    errno_name: str | None
    origin: Origin | None = None
    refusal: str
    advice: str
    asked: dict[str, Any] = field(default_factory=dict)
    candidates: tuple[str, ...] = ()
    reason: str
    log: str
    events: tuple[dict[str, Any], ...]
    splats: tuple[str, ...]
    allowed_splats: tuple[AllowedSplat, ...] = ()
    counted_splats: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    step: str = ""
    crash: str = ""
    reset: str = ""
    cause: str = ""
    cause_name: str = ""
    ours: bool = False
    console_tail: tuple[str, ...]
    seconds: float | None
    wrong_input: bool = False
    fault: Fault | None = None
    mark: Mark | None = None
    mark_reason: str = ""
    measured: Mapping[str, int] = field(default_factory=dict)
    output: str = ""
    xdp: Mapping[str, str] = field(default_factory=dict)
    programs: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    over_budget: tuple[OverBudget, ...] = ()


@dataclass(frozen=True, kw_only=True)
class PartDocument(OutcomeDocument):
    """A sub-result of a cell."""

    name: str
    about: str = ""


@dataclass(frozen=True, kw_only=True)
class CellDocument(OutcomeDocument):
    """A cell: one kernel x one case."""

    kernel: str
    case: str
    title: str
    expected: Expectation
    start: Start | None = None
    isolated: bool = False
    parts: tuple[PartDocument, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReportDocument:
    """The whole of report.json."""

    schema: int
    run: RunDocument
    kernels: tuple[KernelResult, ...]
    cases: tuple[CaseDocument, ...]
    cells: tuple[CellDocument, ...]
    attributions: tuple[Attribution, ...] = ()


JOINED_LATER: Mapping[type, frozenset[str]] = {
    RunDocument: frozenset({"verdicts", "shard"}),
    Shard: frozenset(),
    KernelResult: frozenset({"userland", "compiler", "clang_version", "memory", "run", "distribution", "inputs"}),
    PackageInfo: frozenset({"distribution"}),
    Expectation: frozenset(
        {
            *("origin", "arch", "version", "since", "fixed", "step", "splats", "differences", "panic", "reset"),
            *("cause", "cause_name", "kernel", "config", "distribution", "unruled"),
        }
    ),
    Difference: frozenset(),
    ExpectedDifference: frozenset(),
}
"""The keys of the model's types that older reports of this schema may not have, and that have a default when one is
read. Every other key is needed, whatever its field's default is: in a report that misses it, something is lost."""

_PLACES = {
    **dict.fromkeys(("name", "about", "kernel", "case", "title"), "outcome"),
    "expected": "log",
    **dict.fromkeys(("start", "isolated"), "wrong_input"),
}
"""Before which key of its outcome a key of a cell or part is written, as it has always been; one that is not here is
last."""


def document_of(report: Report, *, verdicts: Mapping[str, int]) -> ReportDocument:
    """Return the document that describes a report."""
    return ReportDocument(
        schema=SCHEMA,
        run=RunDocument(**_values(report.run), verdicts=verdicts),
        kernels=report.kernels,
        cases=tuple(CaseDocument(id=case, title=title) for case, title in report.cases),
        cells=tuple(_cell_document(cell) for cell in report.cells),
        attributions=report.attributions,
    )


def keys_of(value: Any) -> dict[str, Any]:
    """Return an object of the document as JSON has it: for json.dumps, which calls this for each."""
    keys = _values(value)
    if not isinstance(value, OutcomeDocument):
        return keys
    found: dict[str, Any] = {}
    for each in fields(OutcomeDocument):
        found |= {own: keys[own] for own, place in _PLACES.items() if place == each.name and own in keys}
        found[each.name] = keys[each.name]
    return found | keys


def report_of(document: ReportDocument) -> Report:
    """Return the report that a document describes."""
    return Report(
        run=RunInfo(**{each.name: getattr(document.run, each.name) for each in fields(RunInfo)}),
        kernels=document.kernels,
        cases=tuple((case.id, case.title) for case in document.cases),
        cells=tuple(_cell_result(cell) for cell in document.cells),
        attributions=document.attributions,
    )


def _values(of: Any) -> dict[str, Any]:
    """Return the fields of a dataclass with their values, by name."""
    return {each.name: getattr(of, each.name) for each in fields(of)}


def _cell_document(cell: CellResult) -> CellDocument:
    return CellDocument(
        **_outcome_keys(cell),
        kernel=cell.kernel,
        case=cell.case,
        title=cell.title,
        expected=cell.expectation,
        start=cell.start,
        isolated=cell.isolated,
        parts=tuple(PartDocument(**_outcome_keys(part), name=part.name, about=part.about) for part in cell.parts),
    )


def _outcome_keys(judged: CellResult | PartResult) -> dict[str, Any]:
    keys = _values(judged.outcome)
    return {
        **{key: value for key, value in keys.items() if key != "kind"},
        "outcome": judged.outcome.kind,
        "verdict": judged.verdict,
        "verdict_reason": judged.verdict_reason,
    }


def _cell_result(cell: CellDocument) -> CellResult:
    return CellResult(
        kernel=cell.kernel,
        case=cell.case,
        title=cell.title,
        outcome=_outcome(cell),
        expectation=cell.expected,
        verdict=cell.verdict,
        verdict_reason=cell.verdict_reason,
        start=cell.start,
        isolated=cell.isolated,
        parts=tuple(
            PartResult(
                name=part.name,
                outcome=_outcome(part),
                verdict=part.verdict,
                verdict_reason=part.verdict_reason,
                about=part.about,
            )
            for part in cell.parts
        ),
    )


_OF_OUTCOMES = tuple(each.name for each in fields(Outcome) if each.name != "kind")
"""The fields of an outcome that its document has under the same name; looked up once, since reports have many cells."""


def _outcome(document: OutcomeDocument) -> Outcome:
    values = vars(document)
    return Outcome(kind=document.outcome, **{name: values[name] for name in _OF_OUTCOMES})


def first_key(class_name: str) -> str:
    """Return the first key of the objects that a type stands for, by its name."""
    kinds = (
        *(*JOINED_LATER, AllowedSplat, OverBudget, Attributed, Attribution),
        *(CaseDocument, PartDocument, CellDocument, ReportDocument),
    )
    return next(fields(kind)[0].name for kind in kinds if kind.__name__ == class_name)


@cache
def validator() -> SchemaValidator:
    """Return what reads a ReportDocument from JSON, strictly: nothing is converted, no float is infinite."""
    from pydantic_core import SchemaValidator  # noqa: PLC0415  who writes a report does not need it

    return SchemaValidator(_core_schema())


def _core_schema() -> Any:
    from pydantic import TypeAdapter  # noqa: PLC0415  as above

    return _strict(TypeAdapter(ReportDocument).core_schema)


def _strict(node: Any) -> Any:
    """Return pydantic's schema of the types with the document's rules: nothing converted, defaults where they count."""
    if isinstance(node, list):
        return [_strict(each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: _strict(value) for key, value in node.items()}
    if made.get("type") == "dataclass":
        made["config"] = {"strict": True, "allow_inf_nan": False}
        if made["cls"] in JOINED_LATER:
            for each in made["schema"]["fields"]:
                if each["schema"]["type"] == "default" and each["name"] not in JOINED_LATER[made["cls"]]:
                    each["schema"] = each["schema"]["schema"]
    return made


def report_schema() -> str:
    """Return the JSON Schema of report.json as text that ends with a newline."""
    from pydantic.json_schema import GenerateJsonSchema  # noqa: PLC0415  as above

    class Generator(GenerateJsonSchema):
        """pydantic's generator without a title for every field: it only repeats the key."""

        def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
            return False

    found = Generator().generate(_core_schema())
    found["properties"]["schema"]["const"] = SCHEMA
    head = {"$schema": Generator.schema_dialect, "title": "report.json of bpfmatrix"}
    return json.dumps({**head, **{key: value for key, value in found.items() if key not in head}}, indent=2) + "\n"
