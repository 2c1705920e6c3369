"""A private apt: package files with apt's own checks of signatures and hashes, away from the host's state.

Proxies and other transport settings of the host's apt.conf hold here too; its hooks, sources, package
state and caches do not.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import FetchError, MirrorError, PackageGoneError
from harness.host.cache import Cache
from harness.host.called_as import command
from harness.host.process import find_tool, run
from harness.supply.debian.mirrors import Mirrors, archive_of

# What apt's transports say where no connection comes about (methods/connect.cc of apt).
_UNREACHABLE = re.compile(
    r"Could not (?:connect|resolve)|Cannot initiate the connection|Temporary failure|timed out|Unable to connect"
    r"|Something wicked happened|Connection failed"
)

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
Acquire::Retries "2";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
"""


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


class Apt:
    """One private apt root for one architecture and some suites, with their indexes."""

    def __init__(self, *, cache: Cache, mirrors: Mirrors, suites: Sequence[str], architecture: str) -> None:
        self.suites = tuple(suites)
        self.architecture = architecture
        self._mirrors = mirrors
        self._root = cache.folder("apt", f"{'+'.join(suites)}-{architecture}".replace("/", "_"))
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
        done = self._apt("apt-get", "update")
        self.missing = tuple(suite for suite in self.suites if _not_fetched(suite, done.stderr))
        if len(self.missing) == len(self.suites) or (done.returncode != 0 and not self.missing):
            raise MirrorError(
                f"the index of {', '.join(self.suites)} ({self.architecture}) could not be fetched:\n"
                f"{_apt_errors(done.stderr)}\n"
                f"Is the mirror reachable, and does it carry this suite? `{command('doctor')}` shows which mirror "
                f"is used and where it was found."
            )
        self._fresh = True

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
        signed = f" [signed-by={KEYRING}]" if KEYRING.exists() else ""
        lines = [f"deb{signed} {self._mirrors.base(archive_of(suite))} {suite} main" for suite in self.suites]
        (self._root / "sources.list").write_text("\n".join(lines) + "\n")
        config = _CONFIG.format(root=self._root, architecture=self.architecture)
        (self._root / "apt.conf").write_text(config)

    def _apt(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        tool = find_tool(program, package="apt", purpose="fetch Debian's packages")
        return run([tool, "-c", self._root / "apt.conf", *arguments])


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


def download(package: PackageFile, *, mirrors: Mirrors, folder: Path) -> Path:
    """Fetch one package file into `folder` through apt's transports, checked against its sha256.

    Raises PackageGoneError where the mirror no longer has it, MirrorError where the mirror cannot be reached,
    FetchError for anything else (a wrong hash, a full disk), each with apt's own message.
    """
    helper = find_tool("apt-helper", package="apt", purpose="fetch Debian's packages")
    target = folder / Path(package.file).name
    config = folder / ".apt-helper.conf"
    config.write_text(
        'APT::Sandbox::User "root";\nAcquire::Retries "2";\n'
        'Acquire::http::Timeout "30";\nAcquire::https::Timeout "30";\n'
    )
    address = f"{mirrors.base(package.archive)}/{package.file}"
    done = run([helper, "-c", config, "download-file", address, target, f"SHA256:{package.sha256}"])
    config.unlink()
    if done.returncode == 0 and target.is_file():
        return target
    complaint = _apt_errors(done.stderr) or done.stderr.strip() or f"apt-helper ended with {done.returncode}"
    for leftover in folder.glob(f"{target.name}*"):
        leftover.unlink()
    what = f"{package.name} {package.version}"
    if re.search(r"\s404\s|File not found|No such file", complaint):
        raise PackageGoneError(f"the mirror no longer has {what} ({package.file}):\n{complaint}")
    if _UNREACHABLE.search(complaint):
        raise MirrorError(
            f"the mirror of the {package.archive} archive cannot be reached, so {what} was not fetched:\n{complaint}\n"
            f"Check the network, or choose another mirror; `{command('doctor')}` shows which one is used."
        )
    raise FetchError(f"{what} could not be fetched:\n{complaint}")


def _not_fetched(suite: str, text: str) -> bool:
    """Say whether `apt-get update` could not have a suite; an unreachable mirror is but a warning to it."""
    name = re.escape(suite)
    return bool(
        re.search(rf"^(?:E: |W: Failed to fetch ).*(?:/dists/{name}/| {name} (?:In)?Release')", text, re.MULTILINE)
    )


def _apt_errors(text: str) -> str:
    lines = (line for line in text.splitlines() if line.startswith(("E:", "W:", "  ")))
    useful = [line.strip() for line in lines if "Download Failed" not in line]
    return "\n".join(f"  {line}" for line in useful[:12])
