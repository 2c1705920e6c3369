"""A private apt: package files with apt's own checks of signatures and hashes, away from the host's state.

Proxies and other transport settings of the host's apt.conf hold here too; its hooks, sources, package
state and caches do not.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import FetchError, MirrorError, PackageGoneError
from harness.host.cache import Cache, digest, sha256_file
from harness.host.called_as import command
from harness.host.process import find_tool, run
from harness.supply.debian.complaints import GONE, OTHER_FILE, UNREACHABLE, errors_of, explained, in_trouble
from harness.supply.debian.mirrors import ENVIRONMENT, Mirrors, archive_of
from harness.supply.debian.repository import Line, Release, parse_release

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
KEYRING_PACKAGE = "debian-archive-keyring"
"""What brings the keyring, which only Debian itself always has."""

_CONFIG = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
#clear Acquire::IndexTargets::deb::DEP-11;
Dir::State "{root}/state";
Dir::State::Lists "{root}/lists";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
Dir::Etc::sourcelist "{root}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::AllowReleaseInfoChange "true";
"""
_ARMOUR = b"-----BEGIN PGP"


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long apt waits: `seconds` for each answer, `retries` times more, and `whole` seconds for all of an index."""

    seconds: int = 30
    retries: int = 2
    whole: float = 600.0

    def config(self) -> str:
        """Return the lines of apt's configuration for it."""
        return (
            f'Acquire::Retries "{self.retries}";\n'
            f'Acquire::http::Timeout "{self.seconds}";\nAcquire::https::Timeout "{self.seconds}";\n'
        )


USUAL = Patience()


@dataclass(frozen=True, kw_only=True, order=True)
class PackageFile:
    """One .deb as an index names it. `file` is its path below the archive's base; `size` is in bytes."""

    name: str
    version: str
    archive: str
    file: str
    sha256: str
    size: int


@dataclass(frozen=True, kw_only=True)
class Stanza:
    """One package of an index: its file, and the names that it depends on (first alternatives only)."""

    package: PackageFile
    depends: tuple[str, ...]


def debian_lines(mirrors: Mirrors, suites: Iterable[str]) -> list[Line]:
    """Return the lines of Debian's own suites, whose keys are Debian's where this machine has them."""
    keyring = KEYRING if KEYRING.exists() else None
    return [Line(address=mirrors.base(archive_of(suite)), suite=suite, keyring=keyring) for suite in suites]


class Apt:
    """One private apt root for one architecture and some suites, with their indexes.

    Its folder in the cache is named after the suites and `kind`, so that roots that differ in their lines do not meet.
    """

    def __init__(
        self, *, cache: Cache, lines: Sequence[Line], architecture: str, kind: str = "", patience: Patience = USUAL
    ) -> None:
        self.suites = tuple(line.suite for line in lines)
        self.architecture = architecture
        self._lines = tuple(lines)
        self._patience = patience
        name = "-".join(part for part in ("+".join(self.suites), architecture, kind) if part)
        self._root = cache.folder("apt", name.replace("/", "_"))
        self._fresh = False
        self.missing: tuple[str, ...] = ()

    def update(self) -> None:
        """Fetch the indexes of all suites, once per object.

        A mirror in the middle of an update may miss one of several suites; those that could be had are used,
        and `missing` names the others. Raises MirrorError, with apt's own message, where none could be had.
        """
        if self._fresh:
            return
        self._configure()
        done = self._apt("apt-get", "update", timeout=self._patience.whole)
        self.missing = tuple(suite for suite in self.suites if _not_fetched(suite, done.stderr))
        if len(self.missing) == len(self.suites) or (done.returncode != 0 and not self.missing):
            raise MirrorError(
                f"the index of {', '.join(self.suites)} ({self.architecture}) could not be fetched:\n"
                f"{errors_of(done.stderr)}\n"
                f"Is the mirror reachable, and does it carry this suite? `{command('doctor')}` shows which mirror "
                f"is used and where it was found."
            )
        self._fresh = True

    def update_whole(self) -> None:
        """Fetch the index of the one suite, whole and now, or raise MirrorError with a sentence that says why not.

        An index of before is no answer, though apt would keep to it. Raises PackageGoneError where the repository has
        nothing for the architecture, or not the components.
        """
        self._configure()
        done = self._apt("apt-get", "update", timeout=self._patience.whole)
        if done.returncode != 0 or in_trouble(done.stderr):
            raise MirrorError(explained(done.stderr, what="its index could not be fetched"))
        about = self.release()
        if about.architectures and not {self.architecture, "all"} & {*about.architectures}:
            raise PackageGoneError(
                f"it has nothing for {self.architecture}, only for {', '.join(about.architectures)}:\n"
                f"  Some architectures lie at an address of their own; say that one in `uris`, or another `arch`."
            )
        absent = {each for line in self._lines for each in line.components} - {*about.components}
        if about.components and absent:
            raise PackageGoneError(
                f"it has no {', '.join(sorted(absent))}, only {', '.join(about.components)}:\n"
                f"  Say others in `components`."
            )
        self._fresh = True

    def release(self) -> Release:
        """Return what the Release file of the first suite says, as far as it is here."""
        files = sorted((self._root / "lists").glob("*Release"))
        return parse_release(files[0].read_text(errors="replace")) if files else Release()

    @property
    def origin(self) -> str:
        """Who says that the packages are theirs, "" where nobody does."""
        return self.release().origin

    def names(self, prefix: str) -> list[str]:
        """Return the names of all packages in the index that begin with `prefix`."""
        self.update()
        return sorted(self._apt("apt-cache", "pkgnames", prefix).stdout.split())

    def show(self, names: Iterable[str]) -> dict[str, tuple[Stanza, ...]]:
        """Return all stanzas of each of these packages that the index has, the newest first; others are absent."""
        self.update()
        wanted = list(dict.fromkeys(names))
        text = self._apt("apt-cache", "show", *wanted).stdout if wanted else ""
        return parse_stanzas(text)

    def simulate(self, names: Sequence[str]) -> tuple[str, str]:
        """Return what apt-get would install for these packages on a system that has none, and its errors."""
        self.update()
        done = self._apt("apt-get", "install", "--simulate", "--no-install-recommends", "-qq", "--", *names)
        return done.stdout, done.stderr

    def _configure(self) -> None:
        for part in ("state", "lists/partial", "cache/archives/partial"):
            (self._root / part).mkdir(parents=True, exist_ok=True)
        (self._root / "status").touch()
        lines = [line.text(self._keys(line.keyring)) for line in self._lines]
        (self._root / "sources.list").write_text("\n".join(lines) + "\n")
        config = _CONFIG.format(root=self._root, architecture=self.architecture) + self._patience.config()
        (self._root / "apt.conf").write_text(config + "".join({line.checks(): None for line in self._lines}))

    def _keys(self, keyring: Path | None) -> Path | None:
        """Return a keyring as apt takes it: by its ending apt tells text from packets, and no path may have a space."""
        if keyring is None or keyring == KEYRING:
            return keyring
        with keyring.open("rb") as file:
            text = file.read(len(_ARMOUR)) == _ARMOUR
        return Path(shutil.copyfile(keyring, self._root / ("keyring.asc" if text else "keyring.gpg")))

    def _apt(self, program: str, *arguments: str, timeout: float = 600.0) -> subprocess.CompletedProcess[str]:
        tool = find_tool(program, package="apt", purpose="fetch Debian's packages")
        return run([tool, "-c", self._root / "apt.conf", *arguments], timeout=timeout)


def kind_of(line: Line) -> str:
    """Return what tells the root of a line from those of others with the same suite; keys that change are others."""
    keys = sha256_file(line.keyring) if line.keyring is not None else ""
    return digest(line.address, line.components, keys, line.unsigned, line.dated)[:16]


def parse_stanzas(text: str) -> dict[str, tuple[Stanza, ...]]:
    """Read the output of `apt-cache show`: name -> its stanzas, the newest first."""
    # Expensive, and most runs find everything in the cache.
    from debian.deb822 import Packages  # noqa: PLC0415
    from debian.debian_support import Version  # noqa: PLC0415

    found: dict[str, list[Stanza]] = {}
    for paragraph in Packages.iter_paragraphs(text.splitlines(keepends=True), use_apt_pkg=False):
        if "Filename" not in paragraph or "SHA256" not in paragraph:
            continue
        file = paragraph["Filename"]
        package = PackageFile(
            name=paragraph["Package"],
            version=paragraph["Version"],
            # Security archives keep their pool under pool/updates.
            archive="debian-security" if file.startswith("pool/updates/") else "debian",
            file=file,
            sha256=paragraph["SHA256"],
            size=int(paragraph["Size"]),
        )
        depends = tuple(
            re.split(r"[\s(:]", group.split("|")[0].strip())[0]
            for key in ("Pre-Depends", "Depends")
            for group in paragraph.get(key, "").split(",")
            if group.strip()
        )
        found.setdefault(package.name, []).append(Stanza(package=package, depends=depends))
    return {
        name: tuple(sorted(stanzas, key=lambda each: Version(each.package.version), reverse=True))
        for name, stanzas in found.items()
    }


def download(package: PackageFile, *, base: str, folder: Path, patience: Patience = USUAL) -> Path:
    """Fetch one package file, which is below the address `base`, into `folder`, checked against its sha256.

    Raises PackageGoneError where the mirror no longer has it, MirrorError where the mirror cannot be reached,
    FetchError for anything else (a wrong hash, a full disk), each with apt's own message.
    """
    helper = find_tool("apt-helper", package="apt", purpose="fetch Debian's packages")
    target = folder / Path(package.file).name
    config = folder / ".apt-helper.conf"
    config.write_text(f'APT::Sandbox::User "root";\n{patience.config()}')
    address = f"{base}/{package.file}"
    done = run([helper, "-c", config, "download-file", address, target, f"SHA256:{package.sha256}"])
    config.unlink()
    if done.returncode == 0 and target.is_file():
        return target
    complaint = errors_of(done.stderr) or done.stderr.strip() or f"apt-helper ended with {done.returncode}"
    for leftover in folder.glob(f"{target.name}*"):
        leftover.unlink()
    what = f"{package.name} {package.version}"
    if GONE.search(complaint):
        raise PackageGoneError(f"the mirror no longer has {what} ({package.file}):\n{complaint}")
    if UNREACHABLE.search(complaint):
        of_debian = package.archive in ENVIRONMENT
        who = f"the mirror of the {package.archive} archive" if of_debian else base
        choose = (
            f"choose another mirror; `{command('doctor')}` shows which one is used" if of_debian else "name another"
        )
        raise MirrorError(
            f"{who} cannot be reached, so {what} was not fetched:\n{complaint}\n  Check the network, or {choose}."
        )
    if OTHER_FILE.search(complaint):
        raise FetchError(
            f"{what} could not be fetched: {package.file} is not the file that the index or matrix.lock names:\n"
            f"{complaint}\n  It is damaged, cut short or replaced: use another mirror, or run `{command('lock')}`."
        )
    raise FetchError(f"{what} could not be fetched:\n{complaint}")


def _not_fetched(suite: str, text: str) -> bool:
    """Say whether `apt-get update` could not have a suite; an unreachable mirror is but a warning to it."""
    name = re.escape(suite)
    return bool(
        re.search(rf"^(?:E: |W: Failed to fetch ).*(?:/dists/{name}/| {name} (?:In)?Release')", text, re.MULTILINE)
    )
