"""matrix.yaml: which kernels, which cases, and with what settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import Field, PrivateAttr, Strict

from harness.config.axes import ClangAxis, ClangChoice, LibbpfAxis, LibbpfChoice
from harness.config.base import (
    OTHER_DISTRIBUTION_NAMES,
    Arch,
    Cpus,
    DistributionName,
    KernelParameters,
    Line,
    MemoryMib,
    Seconds,
)
from harness.config.budget import BUDGET, BudgetKeys
from harness.config.built import BuiltHere
from harness.config.known_splats import KnownSplatEntry
from harness.config.matrix_values import (
    RPM_DISTRIBUTIONS,
    Component,
    DebianVersion,
    FilePath,
    ImageName,
    KernelName,
    MirrorName,
    MirrorUrl,
    MirrorUrls,
    PackagePattern,
    PathInImage,
    RegistryName,
    Release,
    RpmName,
    RpmVersion,
    SnapshotDate,
    Suite,
    Uris,
)
from harness.config.reading.explain import read
from harness.config.reading.models import CheckedModel, Expects, Model, OneOf
from harness.config.reading.yaml_source import Loc
from harness.errors import ConfigError
from harness.host.called_as import command
from harness.model.distributions import siblings
from harness.model.known_splats import KnownSplat
from harness.model.settings import Deadlines, Settings


class DeadlineDefaults(Model):
    """Seconds that a guest may take for each phase. Each deadline names itself when it passes."""

    boot: Seconds = Field(default=60.0, description="From the start of QEMU until the guest answers.")
    case: Seconds = Field(default=30.0, description="For one case in a booted guest.")
    shutdown: Seconds = Field(default=10.0, description="For the guest's power-off.")


class DeadlineOverrides(Model):
    """The deadlines that differ for one kernel; those that are not named stay as in the defaults."""

    boot: Seconds | None = Field(default=None, description="From the start of QEMU until the guest answers.")
    case: Seconds | None = Field(default=None, description="For one case in a booted guest.")
    shutdown: Seconds | None = Field(default=None, description="For the guest's power-off.")


class Defaults(Model):
    """What holds for every kernel that does not say otherwise, and for the run as a whole."""

    memory: MemoryMib = Field(default=256, description="Memory of a guest in MiB.")
    cpus: Cpus = Field(default=1, description="Processors of a guest.")
    deadlines: DeadlineDefaults = Field(default=DeadlineDefaults(), description="Seconds that a guest may take.")
    jobs: Annotated[
        Literal["auto"] | Annotated[int, Strict(), Field(ge=1)],
        Expects('"auto" or an integer of at least 1'),
    ] = Field(default="auto", description="How many guests run at once; auto: as cores and memory allow.")
    accel: Literal["auto", "kvm", "tcg"] = Field(
        default="auto", description="QEMU's accelerator; auto: KVM where a short boot proves that it works."
    )


class Mirrors(Model):
    """Where packages and images come from. The environment variable BPFMATRIX_DEBIAN_MIRROR overrides `debian`."""

    debian: MirrorUrl | None = Field(
        default=None, description="Mirror of the main archive; without it that of the host's apt sources."
    )
    debian_security: MirrorUrl | None = Field(default=None, description="Mirror of the security archive.")
    debian_ports: MirrorUrl | None = Field(default=None, description="Mirror of the ports archive.")
    registry: RegistryName | None = Field(
        default=None,
        description="Where images are whose names have no host: HOST or HOST/PREFIX. The environment variable "
        "BPFMATRIX_REGISTRY overrides it.",
    )
    others: Mapping[MirrorName, MirrorUrls] = Field(
        default={},
        description="Other repositories: a name for `uris` -> an address, or several, of which the next is tried where "
        "one fails. The environment variable BPFMATRIX_NAME_MIRROR overrides that of NAME.",
        json_schema_extra={"additionalProperties": False},
    )

    def __hash__(self) -> int:
        return hash((self.debian, self.debian_security, self.debian_ports, self.registry, *self.others.items()))


class Sweep(Model):
    """One entry that stands for several builds of a kernel: each is a row, and matrix.lock lists them."""

    builds: Annotated[
        Literal["all"] | Annotated[int, Strict(), Field(ge=1)], Expects('"all" or an integer of at least 1')
    ] = Field(description="all builds that there are, or how many of the newest.")
    snapshots: Annotated[bool, Strict()] = Field(
        default=False, description="Keep a snapshot of each build, which makes the next runs faster and takes space."
    )


class SuitesSweep(Sweep):
    """Several builds out of one suite or several."""

    suites: tuple[Suite, ...] = Field(
        default=(), description="More suites to look in, such as bookworm-security; a build in two of them is one row."
    )


class _KernelBase(Model):
    name: KernelName = Field(description="The kernel's name in the grid, in filters and in file names.")
    arch: Arch = Field(description="The kernel's architecture.")
    memory: MemoryMib | None = Field(default=None, description="Memory of this kernel's guest in MiB.")
    cpus: Cpus | None = Field(default=None, description="Processors of this kernel's guest.")
    deadlines: DeadlineOverrides | None = Field(default=None, description="Deadlines that differ for this kernel.")
    cmdline: KernelParameters = Field(default="", description="More kernel parameters, added to the harness's own.")
    libbpf: LibbpfAxis | None = Field(default=None, description="This kernel's userlands, in place of the matrix's.")
    clang: ClangAxis | None = Field(default=None, description="This kernel's compilers, in place of the matrix's.")
    _entry: str = PrivateAttr(default="")

    @property
    def entry(self) -> str:
        """The name of its entry in the matrix file: its own, but for a row of a sweep."""
        return self._entry or self.name

    def row(self, name: str, *, suite: str = "") -> Self:
        """Return a row of a sweep, which this entry is: one kernel with a name, and with the suite that has it."""
        made = self.model_copy(update={"name": name, **({"suite": suite} if suite else {})})
        made._entry = self.entry
        return made

    @property
    def sweeping(self) -> Sweep | None:
        """Which builds the entry stands for, None where it is one kernel. A row of a sweep has that of its entry."""
        found: Sweep | None = getattr(self, "sweep", None)
        return found

    @property
    def more_suites(self) -> tuple[str, ...]:
        """Other suites that have builds of the same kernel: those that its sweep names."""
        return tuple(getattr(self.sweeping, "suites", ()))

    def all_builds(self) -> Self | None:
        """Return the entry as a sweep over all builds that its source lists; None where a source has one build only."""
        if "sweep" not in type(self).model_fields:
            return None
        sweep = SuitesSweep(builds="all", suites=self.more_suites) if hasattr(self, "suite") else Sweep(builds="all")
        return self.model_copy(update={"sweep": sweep, "version": None})

    def settings(self, defaults: Defaults) -> Settings:
        """Return what this kernel's guest gets: its own settings, and `defaults` where it has none."""
        own = self.deadlines.model_dump(exclude_none=True) if self.deadlines else {}
        return Settings(
            memory=defaults.memory if self.memory is None else self.memory,
            cpus=defaults.cpus if self.cpus is None else self.cpus,
            deadlines=Deadlines(**{**defaults.deadlines.model_dump(), **own}),
        )


_SWEEP = "The entry stands for several builds, each of which is a row of its own."


def _one_or_several(data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
    if "sweep" in data and "version" in data:
        yield ("version",), 'not allowed beside "sweep", which stands for all versions'


class DebianKernel(_KernelBase, CheckedModel):
    """A kernel out of a Debian package."""

    source: Literal["debian"] = Field(description="The kernel comes from a Debian package.")
    suite: Suite = Field(description="The suite to look in, such as trixie or trixie-backports.")
    package: PackagePattern = Field(
        description="Name of the image package, or a pattern with * and ?; the newest match is taken."
    )
    version: DebianVersion | None = Field(
        default=None, description="Exactly this version of the package; without it the suite's newest."
    )
    sweep: SuitesSweep | None = Field(default=None, description=_SWEEP)

    @property
    def more_suites(self) -> tuple[str, ...]:
        """Those that its sweep names; without a sweep those of the same release: its updates and security archive."""
        return siblings(self.suite) if self.sweep is None else self.sweep.suites

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """One build, or several."""
        yield from _one_or_several(data)


class AptKernel(_KernelBase, CheckedModel):
    """A kernel out of any apt repository: Ubuntu's, Debian's, or one's own."""

    source: Literal["apt"] = Field(description="The kernel comes from an apt repository.")
    uris: Uris = Field(
        description="Where the repository is: addresses that have `dists` below them, or names of `mirrors`; the next "
        "is tried where one fails. An address may have {date} in it."
    )
    suite: Suite = Field(description="The suite to look in, such as jammy-updates.")
    components: Annotated[tuple[Component, ...], Field(min_length=1)] = Field(
        default=("main",), description="The components to look in."
    )
    keyring: FilePath | None = Field(
        default=None,
        description="The file with the keys that sign the repository; a relative path starts at the matrix file.",
    )
    unsigned: Annotated[bool, Strict()] = Field(
        default=False, description="Take what nobody has signed. Every report says so."
    )
    package: PackagePattern = Field(
        description="Name of the image package, or a pattern with * and ?; the newest match is taken."
    )
    version: DebianVersion | None = Field(
        default=None, description="Exactly this version of the package; without it the suite's newest."
    )
    date: SnapshotDate | None = Field(
        default=None, description="The day of a snapshot archive, which takes the place of {date} in its address."
    )
    distribution: DistributionName | None = Field(
        default=None, description="Whose kernels they are; without it the repository itself says so (Origin)."
    )
    sweep: SuitesSweep | None = Field(default=None, description=_SWEEP)

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """Who signs, and which day."""
        if data.get("unsigned") is True and "keyring" in data:
            yield ("unsigned",), 'not allowed beside "keyring": with keys its signature is checked'
        elif data.get("unsigned") is not True and "keyring" not in data:
            yield (
                (),
                'needs the key "keyring": the file with the keys that sign the repository, such as '
                "/usr/share/keyrings/ubuntu-archive-keyring.gpg (or `unsigned: true`, and every report says so)",
            )
        words = data.get("uris")
        dated = any("{date}" in str(each) for each in (words if isinstance(words, list) else [words]))
        if dated and "date" not in data:
            yield ("uris",), 'has {date} in it, so the entry needs the key "date"'
        yield from _one_or_several(data)


class PathKernel(_KernelBase):
    """A kernel of the user's own: a file, and its modules if there are any."""

    source: Literal["path"] = Field(description="The kernel is a file of this machine.")
    image: FilePath = Field(
        description="The vmlinuz, bzImage, Image (plain, gzip or EFI zboot) or vmlinux; a relative path starts at the "
        "matrix file, ~ is your home."
    )
    modules: FilePath | None = Field(
        default=None,
        description="The folder with the kernel's modules, or their modules.builtin alone (as lib/modules/RELEASE).",
    )
    release: Release | None = Field(
        default=None, description="What `uname -r` must print in the guest; without it any release will do."
    )


class RpmKernel(_KernelBase, CheckedModel):
    """A kernel out of RPM packages: of a RHEL-like distribution, Fedora, Amazon Linux or SUSE."""

    source: Literal["rpm"] = Field(description="The kernel comes from a repository of RPM packages.")
    distribution: Annotated[str, OneOf(RPM_DISTRIBUTIONS, OTHER_DISTRIBUTION_NAMES)] = Field(
        description="Whose kernel it is: rhel-like (and Oracle's UEK), fedora, amazon or suse. It says how a kernel is "
        "split into packages, and which rules hold for it."
    )
    baseurl: MirrorUrls = Field(
        default=(),
        description="Where the repository is (the folder that has repodata/), as in a .repo file of yum; of several "
        "addresses of the same repository the next is asked where one fails.",
    )
    mirrorlist: MirrorUrl | None = Field(
        default=None,
        description="Where a list of the repository's mirrors is, in place of `baseurl`; the next is asked where one "
        "fails.",
    )
    metalink: MirrorUrl | None = Field(
        default=None,
        description="Where a metalink of the repository's repomd.xml is, in place of `baseurl`: a list of its mirrors "
        "that says which repomd.xml they may have.",
    )
    keyring: FilePath | None = Field(
        default=None,
        description="The public keys that the packages and the index (repomd.xml.asc) must be signed by: an "
        "RPM-GPG-KEY file, or what `gpg --export` writes.",
    )
    unsigned: Annotated[Literal[False, True, "index"], Expects("true, false or index")] = Field(
        default=False,
        description="index: the repository has no repomd.xml.asc, and packages must be signed all the same. true: "
        "nothing need be signed; the reports say so.",
    )
    package: RpmName | None = Field(
        default=None,
        description="Name of the package with the image; without it kernel-core, of Amazon kernel, of SUSE "
        "kernel-default. Packages of its modules are found beside it.",
    )
    version: RpmVersion | None = Field(
        default=None,
        description="Exactly this VERSION-RELEASE or VERSION, or a pattern; without it the newest.",
    )
    sweep: Sweep | None = Field(default=None, description=_SWEEP)

    @property
    def list_of_mirrors(self) -> str | None:
        """Where the list of the repository's mirrors is, None where the entry names its addresses."""
        return self.mirrorlist or self.metalink

    @property
    def addresses(self) -> tuple[str, ...]:
        """All that says where the repository is: its addresses, or that of a list of them."""
        return self.baseurl if self.list_of_mirrors is None else (self.list_of_mirrors,)

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """Where it is, and whether signatures are checked, is said in one way."""
        places = [key for key in ("baseurl", "mirrorlist", "metalink") if key in data]
        if not places:
            yield (), 'needs the key "baseurl", "mirrorlist" or "metalink": where the repository is, or its mirrors are'
        for key in places[1:]:
            yield (key,), f'not allowed beside "{places[0]}": one of them says where the repository is'
        unsigned = data.get("unsigned", False)
        if "keyring" not in data and unsigned is not True:
            yield (), 'needs the key "keyring", whose keys the packages must be signed by, or `unsigned: true`'
        if "keyring" in data and unsigned is True:
            yield ("unsigned",), "nothing is signed by the keyring then: leave out one of the two, or say `index`"


class OciKernel(_KernelBase):
    """A kernel out of an image of containers."""

    source: Literal["oci"] = Field(description="The kernel comes from an image of containers.")
    image: ImageName = Field(
        description="HOST/NAME:TAG, or HOST/NAME@sha256:...; without a host, one of `mirrors: {registry: ...}`."
    )
    layout: FilePath | None = Field(
        default=None, description="A folder with an OCI layout that has the image; then no registry is asked."
    )
    path_in_image: PathInImage | Literal[""] = Field(
        default="", description="The kernel's path in the image, where it is not found, or another is wanted."
    )


class BuildKernel(_KernelBase, BuiltHere):
    """A kernel that is built here: of a source tree, of Debian's package of sources, or of a commit of a git clone."""

    source: Literal["build"] = Field(description="The kernel is built here.")


Kernel: TypeAlias = DebianKernel | AptKernel | PathKernel | RpmKernel | OciKernel | BuildKernel
"""One entry of the matrix."""


class Matrix(CheckedModel):
    """Which kernels to boot, which cases to try on each of them, and how."""

    defaults: Defaults = Field(default=Defaults(), description="Settings of every guest and of the run.")
    mirrors: Mirrors = Field(default=Mirrors(), description="Where packages and images come from.")
    cases: Annotated[tuple[Line, ...], Field(min_length=1)] = Field(
        default=("bpf/*",), description="Globs of case folders; relative ones start at the matrix file."
    )
    kernels: Annotated[tuple[Annotated[Kernel, Field(discriminator="source")], ...], Field(min_length=1)] = Field(
        description="The kernels, in the order of the grid."
    )
    libbpf: LibbpfAxis | None = Field(
        default=None, description="The userlands of the guests: each kernel is a row with each of them."
    )
    clang: ClangAxis | None = Field(
        default=None, description="The compilers of the objects: each kernel is a row with each of them."
    )
    budget: BudgetKeys = Field(default=BudgetKeys(), description=f"{BUDGET} A case may say otherwise.")
    known_splats: tuple[KnownSplatEntry, ...] = Field(
        default=(),
        description="Complaints in the kernels' logs that do not make a case misbehave; the reports show them all the "
        "same. The first entry that matches and has not expired counts.",
    )

    def with_guests(self, *, memory: int | None, cpus: int | None) -> Matrix:
        """Return the matrix with these for every guest, where they are not None: memory in MiB, processors."""
        changes = {name: value for name, value in (("memory", memory), ("cpus", cpus)) if value is not None}
        if not changes:
            return self
        kernels = tuple(kernel.model_copy(update=changes) for kernel in self.kernels)
        return self.model_copy(update={"kernels": kernels})

    def with_axes(self, *, libbpf: Sequence[LibbpfChoice], clang: Sequence[ClangChoice]) -> Matrix:
        """Return the matrix with these userlands and compilers for every kernel, where there are any."""
        changes = {name: tuple(given) for name, given in (("libbpf", libbpf), ("clang", clang)) if given}
        if not changes:
            return self
        kernels = tuple(kernel.model_copy(update=dict.fromkeys(changes)) for kernel in self.kernels)
        return self.model_copy(update={**changes, "kernels": kernels})

    def allowed_splats(self) -> tuple[KnownSplat, ...]:
        """Return `known_splats` as the judge has them."""
        return tuple(entry.value() for entry in self.known_splats)

    @classmethod
    def problems(cls, data: Mapping[str, Any]) -> Iterator[tuple[Loc, str]]:
        """Names are unique."""
        kernels = data.get("kernels")
        first: dict[str, int] = {}
        for index, kernel in enumerate(kernels if isinstance(kernels, list) else []):
            name = kernel.get("name") if isinstance(kernel, Mapping) else None
            if not isinstance(name, str):
                continue
            if name in first:
                text = f'the name "{name}" is already taken by kernels[{first[name]}]; every kernel needs its own'
                yield ("kernels", index, "name"), text
            first.setdefault(name, index)


def load_matrix(path: Path) -> Matrix:
    """Read and validate the matrix file `path`; paths in it become absolute.

    Raises ConfigError with one line per error (file, line, key, what was expected).
    """
    try:
        return read(path, Matrix, context={"folder": path.parent})[0]
    except ConfigError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            raise ConfigError(f"{error}, or write one: `{command('init')}`") from error.__cause__
        raise
