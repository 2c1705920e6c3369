"""The keys of a kernel that is built here: where its sources are, how it is configured, and what compiles it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field, Strict, WithJsonSchema

from harness.config.base import DistributionName
from harness.config.matrix_values import DebianVersion, FilePath, Suite
from harness.config.reading.models import CheckedModel, Expects
from harness.config.reading.yaml_source import Loc
from harness.config.steps import as_list
from harness.config.wishes import OF_BUILD

_TEXT = {"type": "string", "minLength": 1}
MakeTarget = Annotated[str, Field(pattern=r"^[a-z0-9_]+config$")]
"""A target of the kernel's Makefile that makes a configuration: defconfig, tinyconfig, x86_64_defconfig."""
ConfigOption = Annotated[str, Field(pattern=r"^CONFIG_[A-Za-z0-9_]+=\S.*$")]
ConfigItems: TypeAlias = Annotated[
    tuple[Annotated[ConfigOption | FilePath, Field(union_mode="left_to_right")], ...],
    BeforeValidator(as_list),
    Expects("options of the kernel's configuration, such as CONFIG_PREEMPT=y, or paths of files with some"),
    WithJsonSchema({"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}),
]
Compiler = Annotated[
    str,
    Field(pattern=r"^(gcc|clang)(-[0-9]+(\.[0-9]+)*)?$"),
    Expects("gcc or clang, with a version where its program has one in its name: gcc-12, clang-16"),
]
CrossCompile = Annotated[
    str,
    Field(pattern=r"^(/[^\s:]*/)?[A-Za-z0-9_.+-]+-$"),
    Expects('what the names of the compiler\'s programs begin with, such as "aarch64-linux-gnu-"'),
]
GitRef = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_@][A-Za-z0-9_@./{}~^+#=-]*$"),
    Expects('a branch, a tag or a commit, such as "v6.12"'),
]
SourcePackage = Annotated[
    str,
    Field(pattern=r"^linux-source(-[a-z0-9*?\[][a-z0-9+.~*?!\[\]-]*)?$"),
    Expects('the name of a package with the kernel\'s sources, such as "linux-source-6.12", or a pattern'),
]


class BuiltHere(CheckedModel):
    """What `source: build` has beside the keys of every kernel."""

    wishes = OF_BUILD

    tree: FilePath | None = Field(
        default=None, description="The folder with the sources, as they are now. Nothing is written there."
    )
    package: SourcePackage | None = Field(
        default=None, description="Debian's package of sources, such as linux-source-6.12, or a pattern."
    )
    suite: Suite | None = Field(default=None, description="With `package`: the suite to look in, such as bookworm.")
    version: DebianVersion | None = Field(
        default=None, description="With `package`: exactly this version; without it the suite's newest."
    )
    git: FilePath | None = Field(
        default=None, description="A git clone of this machine. Its working tree is neither read nor touched."
    )
    ref: GitRef | None = Field(default=None, description="With `git`: the branch, tag or commit to build.")
    config: ConfigItems = Field(
        default=(),
        description="Options of the configuration, such as CONFIG_PREEMPT=y, and files with some. They come after "
        "those that bpfmatrix needs, and the last one counts.",
    )
    base_config: Annotated[
        MakeTarget | FilePath,
        Field(union_mode="left_to_right"),
        WithJsonSchema(_TEXT),
    ] = Field(
        default="defconfig",
        description="What the configuration begins with: a target of the kernel's Makefile (defconfig, tinyconfig), or "
        "a file, such as the config of another kernel.",
    )
    compiler: Compiler = Field(default="gcc", description="gcc or clang, perhaps with a version: gcc-12, clang-16.")
    cross_compile: CrossCompile | None = Field(
        default=None,
        description="What the names of gcc and its like begin with, as for CROSS_COMPILE; without it what Debian calls "
        "them for the architecture, such as aarch64-linux-gnu-.",
    )
    jobs: Annotated[
        Literal["auto"] | Annotated[int, Strict(), Field(ge=1)],
        Expects('"auto" or an integer of at least 1'),
    ] = Field(default="auto", description="How many files are compiled at once; auto: one a processor.")
    distribution: DistributionName | None = Field(
        default=None,
        description="Whose kernel it is, which says which rules hold for it; without it Debian's where `package` is "
        "given, else nobody's: then the version in its Makefile counts.",
    )

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """Sources come from one place, and each place has keys of its own."""
        given = [place for place in PLACES if place in data]
        if len(given) != 1:
            yield (
                (),
                "needs one of the keys `tree` (a folder), `package` (linux-source-6.12) and `git` (a clone): where the "
                f"sources are{f'; it has {len(given)} of them' if given else ''}",
            )
        for place, (needed, others) in PLACES.items():
            if needed and given == [place] and needed not in data:
                yield (), f'needs the key "{needed}" beside "{place}"'
            for key in (needed, *others):
                if key in data and place not in data:
                    yield (key,), f'belongs to "{place}", which this entry does not have'
        if "cross-compile" in data and str(data.get("compiler", "")).startswith("clang"):
            yield ("cross-compile",), "is for gcc alone: clang compiles for every architecture"


PLACES: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {"tree": ("", ()), "package": ("suite", ("version",)), "git": ("ref", ())}
)
"""Where sources can be: the key, another that it needs, and those that it may have besides."""
