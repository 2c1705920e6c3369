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

from harness.config.base import (
    Arch,
    DistributionName,
    ErrnoName,
    KernelGlob,
    KernelOption,
    ModuleName,
    OptionWithValue,
    Sysctl,
    Text,
)
from harness.config.reading.explain import did_you_mean, read
from harness.config.reading.models import CheckedModel, Expects, Model, OneOf, problem
from harness.config.reading.yaml_source import Loc, quoted
from harness.config.signature import DifferenceRule, StepName
from harness.config.steps import KernelStage, Origins, Regex, as_list
from harness.config.wishes import OF_RULE
from harness.errors import ConfigError
from harness.host.paths import shown
from harness.model.distributions import DISTRIBUTIONS
from harness.model.refusals import NAMES
from harness.model.results import KERNEL_STAGES, OutcomeKind
from harness.model.versions import parse_first_releases, parse_ranges

RELEASES = frozenset({"since", "fixed"})
"""The keys whose lists are of releases: 6.10 is another than 6.1."""
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
_TEXTS: JsonDict = {"type": "array", "minItems": 1, "items": {"type": "string"}}
_ERRNO_PATTERN = {"type": "string", "pattern": "^E[A-Z0-9_]+$"}
ErrnoNames = Annotated[
    tuple[ErrnoName, ...],
    BeforeValidator(as_list),
    Field(min_length=1),
    Expects('the name of an errno, such as "EINVAL", or a list of such names'),
    WithJsonSchema({"anyOf": [_ERRNO_PATTERN, {"type": "array", "minItems": 1, "items": _ERRNO_PATTERN}]}),
]
Patterns = Annotated[
    tuple[Regex, ...],
    BeforeValidator(as_list),
    Field(min_length=1),
    Expects("a regular expression, or a list of them"),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "minItems": 1, "items": {"type": "string"}}]}),
]
ListName = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][a-z0-9-]*$"),
    Expects('the name of a list (lower-case letters, digits and -), such as "no-trampoline"'),
]

ExpectedOutcome = Literal["works", "refused", "misbehaves", "crashed", "not-applicable"]
_WHICH_KERNELS = ("kernel", "config", "distribution", "arch", "version", "since", "fixed")
KEYS_OF: Mapping[OutcomeKind, tuple[str, ...]] = {
    OutcomeKind.WORKS: (),
    OutcomeKind.REFUSED: ("stage", "errno", "origin", "refusal", "message", "differences"),
    OutcomeKind.MISBEHAVES: ("stage", "splat", "differences"),
    OutcomeKind.CRASHED: ("stage", "step", "panic", "reset", "splat", "differences"),
    OutcomeKind.NOT_APPLICABLE: ("sysctl", "module", "kconfig", "errno"),
}
"""The keys, by outcome, that say how it looks; no other outcome has them."""
ONLY_SOME = tuple(dict.fromkeys(key for keys in KEYS_OF.values() for key in keys))
NEEDED: Mapping[OutcomeKind, tuple[tuple[str, ...], ...]] = {
    OutcomeKind.REFUSED: (("stage",),),
    OutcomeKind.MISBEHAVES: (("stage",), ("splat", "differences")),
    OutcomeKind.CRASHED: (("stage",), ("step",), ("panic", "reset")),
    OutcomeKind.NOT_APPLICABLE: (("sysctl", "module", "kconfig"), ("errno",)),
}
"""What an outcome needs: of each of these groups one key or more."""
_WHY = {
    "stage": "where does it happen?",
    "step": "in which step does the kernel die?",
    "splat": "a known bug needs a signature, or any other misbehaviour would pass for it",
    "panic": "a known bug needs a signature, or any other death would pass for it",
    "sysctl": "what is missing on these kernels?",
    "errno": "with which errno?",
}


def _conditions() -> JsonDict:
    """Return what the JSON Schema says of the keys that go with each outcome."""
    conditions: list[Any] = []
    for outcome, keys in KEYS_OF.items():
        forbidden = [{"required": [key]} for key in ONLY_SOME if key not in keys]
        wanted = [{"anyOf": [{"required": [key]} for key in group]} for group in NEEDED.get(outcome, ())]
        then = {"allOf": [*wanted, {"not": {"anyOf": forbidden}}]}
        conditions.append({"if": {"properties": {"outcome": {"const": outcome.value}}}, "then": then})
    works = {"not": {"properties": {"outcome": {"const": "works"}}}}
    conditions.append({"if": works, "then": {"required": ["source"]}})
    return {"allOf": conditions}


class _RuleKeys(Model):
    """What a rule says, and what a case can override for the rules of a list."""

    wishes = OF_RULE

    kernel: (
        Annotated[
            tuple[KernelGlob, ...],
            BeforeValidator(as_list),
            Field(min_length=1),
            Expects("the name of a kernel or a pattern, or a list of them"),
            WithJsonSchema({"anyOf": [{"type": "string"}, _TEXTS]}),
        ]
        | None
    ) = Field(
        default=None,
        description="Kernels that the rule covers, by their names in the matrix or patterns of them, such as `6.1-*`.",
    )
    config: (
        Annotated[
            tuple[OptionWithValue, ...],
            BeforeValidator(as_list),
            Field(min_length=1),
            Expects('an option with its value, such as "CONFIG_BPF_LSM=y", or a list of them'),
            WithJsonSchema({"anyOf": [{"type": "string"}, _TEXTS]}),
        ]
        | None
    ) = Field(
        default=None,
        description="What the configuration of the kernels that the rule covers says: options with their values, such "
        "as `CONFIG_BPF_LSM=y` (`n`: not set), all of them. No rule with this covers a kernel without a configuration.",
    )
    distribution: (
        Annotated[
            tuple[DistributionName, ...],
            BeforeValidator(as_list),
            Field(min_length=1),
            Expects("the name of a distribution, or a list of them"),
            WithJsonSchema(
                {
                    "anyOf": [
                        {"enum": list(DISTRIBUTIONS)},
                        {"type": "array", "minItems": 1, "items": {"enum": list(DISTRIBUTIONS)}},
                    ]
                }
            ),
        ]
        | None
    ) = Field(
        default=None,
        description="Whose kernels the rule covers; without it anybody's. No rule by version covers those of rhel-like "
        "and suse, whose numbers do not say what they have.",
    )
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
    stage: KernelStage | None = Field(
        default=None, description="The stage at which the kernel refuses, misbehaves first, or dies."
    )
    errno: ErrnoNames | None = Field(
        default=None, description="The errno of the refusal (or of what is not applicable), or several."
    )
    origin: Origins | None = Field(
        default=None,
        description="Who refuses, or several: system-call (the kernel), libbpf-kernel (libbpf, after it has read this "
        "kernel), libbpf (as on any kernel), unknown; without it one of the first two.",
    )
    refusal: RefusalClass | None = Field(
        default=None, description="The class of the refusal (harness/model/refusals.py), such as target-not-jited."
    )
    message: Regex | None = Field(
        default=None, description="A regular expression that the verifier's log of the refusal must match."
    )
    step: StepName | None = Field(
        default=None, description='The step in which the kernel dies, such as "trigger run" (see `differences`).'
    )
    splat: Patterns | None = Field(
        default=None,
        description="A regular expression, or several, for the kernel's complaints in its log: each complaint must "
        "match one of them, and each of them some complaint. It is searched in the first line and its trace.",
    )
    panic: Patterns | None = Field(
        default=None,
        description="A regular expression for the kernel's last complaint with its trace, or several where memory "
        "corruption ends in different ways: one must match.",
    )
    reset: Literal[True] | None = Field(
        default=None,
        description="The machine may be reset without any text on its console, as by a triple fault.",
    )
    differences: Annotated[tuple[DifferenceRule, ...], Field(min_length=1)] | None = Field(
        default=None,
        description="What the steps show otherwise than the case says: all of it, and nothing else. Of a refusal: what "
        "they show otherwise before the step that is refused.",
    )
    sysctl: Sysctl | None = Field(
        default=None, description="The sysctl of the case that this kernel does not have, or does not let be set."
    )
    module: ModuleName | None = Field(
        default=None, description="The module of the case that this kernel has neither as a file nor built in."
    )
    kconfig: KernelOption | None = Field(
        default=None,
        description="The option of the case's `kconfig` that is otherwise in this kernel's configuration: with `errno` "
        "ENOENT where it is not set, EINVAL where it has another value, ENODATA where the guest has no configuration.",
    )


class Rule(_RuleKeys, CheckedModel):
    """What should happen on some kernels. The first rule that covers a kernel counts."""

    model_config = ConfigDict(json_schema_extra=_conditions())

    outcome: ExpectedOutcome = Field(description="What the kernel should do.")
    reason: Text = Field(description="Why this should happen.")

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """Which keys go with which outcome."""
        outcome = data.get("outcome")
        if outcome not in list(get_args(ExpectedOutcome)):
            return
        kind = OutcomeKind(str(outcome))
        for group in NEEDED.get(kind, ()):
            if not any(key in data for key in group):
                keys = " or ".join(f'"{key}"' for key in group)
                yield (), f'the outcome "{outcome}" needs the key {keys}: {_WHY[group[0]]}{_choices(group[0])}'
        for key in ONLY_SOME:
            if key in data and key not in KEYS_OF[kind]:
                others = " or ".join(f'"{other}"' for other, keys in KEYS_OF.items() if key in keys)
                yield (key,), f'allowed only with the outcome {others}, and this rule says "{outcome}"'
        if outcome != OutcomeKind.WORKS and "source" not in data:
            yield (), f'the outcome "{outcome}" needs the key "source": where is it written that this happens?'

    @property
    def kind(self) -> OutcomeKind:
        """The expected outcome."""
        return OutcomeKind(self.outcome)


def _choices(key: str) -> str:
    return f" Expected one of {', '.join(KERNEL_STAGES)}" if key == "stage" else ""


class Use(_RuleKeys):
    """The rules of a list of expectations.yaml, in this place; every other key is overridden for each of them."""

    use: ListName = Field(description="The name of the list in expectations.yaml, beside the case's folder.")

    def changes(self) -> dict[str, Any]:
        """Return the fields of `Rule` that are overridden, with their values."""
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
    return SharedRules(
        file=path, lists=read(path, ExpectationsFile, spelled=RELEASES)[0].root if path.exists() else None
    )


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
    """Say why `key` cannot be overridden for all of `rules`; "" where it can."""
    others = [rule.outcome for rule in rules if key in ONLY_SOME and key not in KEYS_OF[rule.kind]]
    if others:
        fitting = " or ".join(f'"{kind}"' for kind, keys in KEYS_OF.items() if key in keys)
        return f'allowed only where all rules say {fitting}, and one in {quoted(name)} says "{others[0]}"'
    # Else a rule for arm64 before 6.0 and one for ppc64le before 6.13 would both cover the same architecture.
    if key in _WHICH_KERNELS and len({getattr(rule, key) for rule in rules}) > 1:
        return f"the rules in {quoted(name)} differ in it, and would not any more; split the list, or write them here"
    return ""
