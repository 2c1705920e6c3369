"""What should happen on which kernels: the rules of a case, and the lists of rules that cases share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    RootModel,
    Tag,
    WithJsonSchema,
)
from pydantic.config import JsonDict

from harness.config.base import Arch, CheckedModel, ErrnoName, Expects, Model, OneOf, Text, problem
from harness.config.explain import did_you_mean, read
from harness.config.steps import KernelStage, Regex, as_list
from harness.config.versions import parse_first_releases, parse_ranges
from harness.config.yaml_source import Loc, quoted, shown
from harness.errors import ConfigError
from harness.model import KERNEL_STAGES, OutcomeKind
from harness.refusals import NAMES

SHARED_FILE = "expectations.yaml"
"""Stands beside the folders of the cases that share it."""


def _check_ranges(value: str) -> str:
    try:
        parse_ranges(value)
    except ConfigError as error:
        raise problem(str(error)) from error
    return value


def _check_first_releases(value: tuple[str, ...]) -> tuple[str, ...]:
    try:
        parse_first_releases(value)
    except ConfigError as error:
        raise problem(str(error)) from error
    return value


VersionRanges = Annotated[str, AfterValidator(_check_ranges)]
ReleasesOfCommit = Annotated[
    tuple[
        Annotated[
            str,
            Expects("a release of the kernel, such as 6.13 or 6.1.191"),
            WithJsonSchema({"type": ["string", "number"], "pattern": r"^[0-9]+\.[0-9]+(\.[0-9]+)?$"}),
        ],
        ...,
    ],
    Field(min_length=1),
    Expects("a list of releases, such as [6.1.191, 6.12.5, 6.13]"),
    AfterValidator(_check_first_releases),
]
"""The first release of each series that has a commit; that of mainline is one of them."""
RefusalClass = Annotated[str, OneOf(NAMES)]
_ERRNO_PATTERN = {"type": "string", "pattern": "^E[A-Z0-9_]+$"}
ErrnoNames = Annotated[
    tuple[ErrnoName, ...],
    BeforeValidator(as_list),
    Field(min_length=1),
    Expects('the name of an errno, such as "EINVAL", or a list of such names'),
    WithJsonSchema({"anyOf": [_ERRNO_PATTERN, {"type": "array", "minItems": 1, "items": _ERRNO_PATTERN}]}),
]
ListName = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][a-z0-9-]*$"),
    Expects('the name of a list (lower-case letters, digits and -), such as "no-trampoline"'),
]

ExpectedOutcome = Literal["works", "refused", "misbehaves", "crashed", "not-applicable"]
_ONLY_REFUSED = ("stage", "errno", "refusal", "message")
_WHICH_KERNELS = ("arch", "version", "since", "fixed")
_FORBIDDEN_UNLESS_REFUSED: JsonDict = {"not": {"anyOf": [{"required": [key]} for key in _ONLY_REFUSED]}}
_RULE_CONDITIONS: JsonDict = {
    "allOf": [
        {
            "if": {"properties": {"outcome": {"const": "refused"}}},
            "then": {"required": ["stage"]},
            "else": _FORBIDDEN_UNLESS_REFUSED,
        },
        {"if": {"not": {"properties": {"outcome": {"const": "works"}}}}, "then": {"required": ["source"]}},
    ]
}


class _RuleKeys(Model):
    """What a rule says, and what a case can say anew for the rules of a list."""

    arch: Annotated[tuple[Arch, ...], Field(min_length=1)] | None = Field(
        default=None, description="Architectures that the rule covers; without it all of them."
    )
    version: VersionRanges | None = Field(
        default=None,
        description="Kernel versions that the rule covers, such as `>=6.8 | >=6.1.75,<6.2`; without it all. "
        "A release candidate counts as its release.",
    )
    since: ReleasesOfCommit | None = Field(
        default=None,
        description="The first release of every series that has a commit, such as `[6.1.191, 6.12.5, 6.13]`: the rule "
        "covers the kernels that have it. A series without an entry follows mainline's, which has two numbers.",
    )
    fixed: ReleasesOfCommit | None = Field(
        default=None,
        description="The same of a commit that ends what the rule says: it covers the kernels that do not have it.",
    )
    reason: Text | None = Field(default=None, description="Why this should happen.")
    source: Text | None = Field(
        default=None, description="Where that is written: a commit, a file of the kernel, a page."
    )
    stage: KernelStage | None = Field(default=None, description="The stage at which the kernel refuses.")
    errno: ErrnoNames | None = Field(default=None, description="The errno of the refusal, or several.")
    refusal: RefusalClass | None = Field(
        default=None, description="The class of the refusal (harness/refusals.py), such as target-not-jited."
    )
    message: Regex | None = Field(
        default=None, description="A regular expression that the verifier's log of the refusal must match."
    )


class Rule(_RuleKeys, CheckedModel):
    """What should happen on some kernels. The first rule that covers a kernel counts."""

    model_config = ConfigDict(json_schema_extra=_RULE_CONDITIONS)

    outcome: ExpectedOutcome = Field(description="What the kernel should do.")
    reason: Text = Field(description="Why this should happen.")

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """Which keys go with which outcome."""
        outcome = data.get("outcome")
        if outcome not in list(get_args(ExpectedOutcome)):
            return
        if outcome == OutcomeKind.REFUSED:
            if "stage" not in data:
                stages = ", ".join(KERNEL_STAGES)
                yield (), f'the outcome "refused" needs the key "stage"; expected one of {stages}'
        else:
            for key in _ONLY_REFUSED:
                if key in data:
                    yield (key,), f'allowed only with the outcome "refused", and this rule says "{outcome}"'
        if outcome != OutcomeKind.WORKS and "source" not in data:
            yield (), f'the outcome "{outcome}" needs the key "source": where is it written that this happens?'

    @property
    def kind(self) -> OutcomeKind:
        """The expected outcome."""
        return OutcomeKind(self.outcome)


class Use(_RuleKeys):
    """The rules of a list of expectations.yaml, in this place; every other key is said anew for each of them."""

    use: ListName = Field(description="The name of the list in expectations.yaml, beside the case's folder.")

    def changes(self) -> dict[str, Any]:
        """Return the fields of `Rule` that are said anew, with their values."""
        return {name: getattr(self, name) for name in _RuleKeys.model_fields if name in self.model_fields_set}


def _rule_or_use(item: Any) -> str:
    return "use" if isinstance(item, Use) or (isinstance(item, Mapping) and "use" in item) else "rule"


RuleOrUse: TypeAlias = Annotated[Annotated[Rule, Tag("rule")] | Annotated[Use, Tag("use")], Discriminator(_rule_or_use)]
"""One item of a case's `expect`."""


class ExpectationsFile(RootModel[Mapping[ListName, Annotated[tuple[Rule, ...], Field(min_length=1)]]]):
    """Lists of rules by name. A case takes the rules of one with `use`."""

    model_config = ConfigDict(frozen=True, json_schema_extra={"additionalProperties": False})


@dataclass(frozen=True, kw_only=True)
class SharedRules:
    """The lists of rules that the cases of one folder share; `lists` is None where there is no `file`."""

    file: Path
    lists: Mapping[str, tuple[Rule, ...]] | None


def load_shared(folder: Path) -> SharedRules:
    """Read the lists that the cases in the folders under `folder` share.

    Raises ConfigError with one line per error.
    """
    path = folder / SHARED_FILE
    return SharedRules(file=path, lists=read(path, ExpectationsFile)[0].root if path.exists() else None)


def expand(items: Iterable[Rule | Use], *, shared: SharedRules) -> tuple[tuple[Rule, ...], tuple[tuple[Loc, str], ...]]:
    """Put the rules of the lists in the place of each `use`.

    Returns the rules, and what is wrong: (place in the case's file, message).
    """
    rules: list[Rule] = []
    problems: list[tuple[Loc, str]] = []
    for index, item in enumerate(items):
        if isinstance(item, Rule):
            rules.append(item)
            continue
        found = (shared.lists or {}).get(item.use)
        if found is None:
            problems.append((("expect", index, "use"), f"expect[{index}].use: {_unknown(item.use, shared)}"))
            continue
        changes = item.changes()
        wrong = [(key, text) for key in changes if (text := _unfit(key, item.use, found))]
        problems += [(("expect", index, key), f"expect[{index}].{key}: {text}") for key, text in wrong]
        rules += [rule.model_copy(update=changes) for rule in found]
    return tuple(rules), tuple(problems)


def _unknown(name: str, shared: SharedRules) -> str:
    if shared.lists is None:
        return f"there is no {shown(shared.file)} to take {quoted(name)} from; write it, or write the rules here"
    return f"there is no list {quoted(name)} in {shown(shared.file)}{did_you_mean(name, shared.lists)}"


def _unfit(key: str, name: str, rules: tuple[Rule, ...]) -> str:
    """Say why `key` cannot be said anew for all of `rules`; "" where it can."""
    others = [rule.outcome for rule in rules if rule.kind != OutcomeKind.REFUSED]
    if key in _ONLY_REFUSED and others:
        return f'allowed only where all rules say "refused", and one in {quoted(name)} says "{others[0]}"'
    # Else a rule for arm64 before 6.0 and one for ppc64le before 6.13 would both cover the same architecture.
    if key in _WHICH_KERNELS and len({getattr(rule, key) for rule in rules}) > 1:
        return f"the rules in {quoted(name)} differ in it, and would not any more; split the list, or write them here"
    return ""
