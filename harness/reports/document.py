"""The objects of report.json, a type for each: from these it is written, read, and described as a JSON Schema.

Where a type of the model has the shape of its object, it is that object's type: the keys are its fields. Only a cell is
flat in the document, with the keys of its outcome beside its own, and so is a part of a cell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from operator import itemgetter
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
    stages: Mapping[str, float] = field(default_factory=dict)


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


EVIDENCE = frozenset(
    {
        *("log", "events", "splats", "allowed_splats", "console_tail", "output", "asked", "candidates", "advice"),
        "expected",
    }
)
"""The keys of cells and parts that take most of a report, and that say nothing of what an answer is."""
UNREAD = Expectation(outcome=OutcomeKind.WORKS, reason="not read")


def report_of(document: ReportDocument, *, evidence: bool = True) -> Report:
    """Return the report that a document describes; without `evidence` it was read so (`validator`)."""
    return Report(
        run=RunInfo(**{each.name: getattr(document.run, each.name) for each in fields(RunInfo)}),
        kernels=document.kernels,
        cases=tuple((case.id, case.title) for case in document.cases),
        cells=tuple(map(_Results(evidence=evidence).cell, document.cells)),
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


_OF_OUTCOMES = tuple(each.name for each in fields(Outcome) if each.name != "kind")
"""The fields of an outcome that its document has under the same name."""
_READ = tuple(name for name in _OF_OUTCOMES if name not in EVIDENCE)
_NOTHING = vars(Outcome(kind=OutcomeKind.WORKS, reason=""))
"""The fields of an outcome of which nothing was read."""


class _Results:
    """Makes cells of documents, with their evidence or without.

    All fields of a value are set at once: its own way, one by one, takes longer than the file takes to be read.
    """

    def __init__(self, *, evidence: bool) -> None:
        self._names = _OF_OUTCOMES if evidence else _READ
        self._values = itemgetter("outcome", *self._names)

    def cell(self, cell: CellDocument) -> CellResult:
        made = object.__new__(CellResult)
        vars(made).update(
            kernel=cell.kernel,
            case=cell.case,
            title=cell.title,
            outcome=self._outcome(cell),
            expectation=vars(cell).get("expected", UNREAD),
            verdict=cell.verdict,
            verdict_reason=cell.verdict_reason,
            start=cell.start,
            isolated=cell.isolated,
            parts=tuple(map(self._part, cell.parts)),
        )
        return made

    def _part(self, part: PartDocument) -> PartResult:
        return PartResult(
            name=part.name,
            outcome=self._outcome(part),
            verdict=part.verdict,
            verdict_reason=part.verdict_reason,
            about=part.about,
        )

    def _outcome(self, document: OutcomeDocument) -> Outcome:
        made = object.__new__(Outcome)
        vars(made).update(_NOTHING)
        vars(made).update(zip(("kind", *self._names), self._values(vars(document)), strict=True))
        return made


def first_key(class_name: str) -> str:
    """Return the first key of the objects that a type stands for, by its name."""
    kinds = (
        *(*JOINED_LATER, AllowedSplat, OverBudget, Attributed, Attribution),
        *(CaseDocument, PartDocument, CellDocument, ReportDocument),
    )
    return next(fields(kind)[0].name for kind in kinds if kind.__name__ == class_name)


@cache
def validator(*, evidence: bool = True) -> SchemaValidator:
    """Return what reads a ReportDocument from JSON, strictly: nothing is converted, no float is infinite.

    Without `evidence` the keys of EVIDENCE are passed over, and are no attributes of its cells and parts.
    """
    from pydantic_core import SchemaValidator  # noqa: PLC0415  who writes a report does not need it

    schema = _core_schema()
    return SchemaValidator(schema if evidence else _without(EVIDENCE, schema))


def _without(keys: frozenset[str], node: Any) -> Any:
    """Return pydantic's schema of the types without some keys of cells and parts."""
    if isinstance(node, list):
        return [_without(keys, each) for each in node]
    if not isinstance(node, dict):
        return node
    made = {key: _without(keys, value) for key, value in node.items()}
    if made.get("type") == "dataclass" and issubclass(made["cls"], OutcomeDocument):
        made["schema"] = {**made["schema"], "fields": [f for f in made["schema"]["fields"] if f["name"] not in keys]}
    return made


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
