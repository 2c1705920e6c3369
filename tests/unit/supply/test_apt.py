from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit_samples import package_file

from harness.errors import BpfmatrixError, FetchError, MirrorError, PackageGoneError
from harness.host.cache import Cache
from harness.supply.debian import apt as apt_module
from harness.supply.debian.apt import Apt, PackageFile, debian_lines, download, parse_stanzas
from harness.supply.debian.mirrors import Mirrors

BASE = "http://mirror.example/debian"
MIRRORS = Mirrors({"debian": BASE, "debian-security": "http://mirror.example/debian-security"}, {})

STANZAS = """\
Package: linux-image-cloud-amd64
Source: linux-signed-amd64 (6.1.176+1)
Version: 6.1.176-1
Architecture: amd64
Pre-Depends: base-files (>= 12)
Depends: linux-image-6.1.0-50-cloud-amd64 (= 6.1.176-1), initramfs-tools (>= 0.120+deb8u2) | linux-initramfs-tool,
 kmod:any
Filename: pool/main/l/linux-signed-amd64/linux-image-cloud-amd64_6.1.176-1_amd64.deb
Size: 1484
SHA256: aaaa
Description: Linux for x86-64 cloud (meta-package)
 A text with a colon: Depends: nothing

Package: linux-image-cloud-amd64
Version: 6.1.99-1
Filename: pool/updates/main/l/linux-signed-amd64/linux-image-cloud-amd64_6.1.99-1_amd64.deb
Size: 1480
SHA256: bbbb

Package: virtual-only
Version: 1
Description: has no file

Package: libbpf1
Version: 1:1.5.0-1
Filename: pool/updates/main/libb/libbpf/libbpf1_1.5.0-1_amd64.deb
Size: 9
SHA256: cccc
"""


def stanza(name: str, version: str) -> str:
    return f"Package: {name}\nVersion: {version}\nFilename: pool/{name}_{version}.deb\nSize: 1\nSHA256: 0\n"


def fake(folder: Path, name: str, text: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program of our own before all others on the PATH; its words go to the file NAME.log."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >>{folder}/{name}.log\n{text}\n')
    path.chmod(0o755)
    if not os.environ["PATH"].startswith(f"{folder}:"):
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder / f"{name}.log"


# --- the index --------------------------------------------------------------------------------------------------------


def test_stanzas() -> None:
    found = parse_stanzas(STANZAS)
    assert set(found) == {"linux-image-cloud-amd64", "libbpf1"}
    assert found["linux-image-cloud-amd64"][0].package == PackageFile(
        name="linux-image-cloud-amd64",
        version="6.1.176-1",
        archive="debian",
        file="pool/main/l/linux-signed-amd64/linux-image-cloud-amd64_6.1.176-1_amd64.deb",
        sha256="aaaa",
        size=1484,
    )
    assert found["linux-image-cloud-amd64"][0].depends == (
        "base-files",
        "linux-image-6.1.0-50-cloud-amd64",
        "initramfs-tools",
        "kmod",
    )
    assert found["libbpf1"][0].package.archive == "debian-security"
    assert found["libbpf1"][0].depends == ()


@pytest.mark.parametrize(
    "versions",
    [
        ["6.16.3-1~bpo13+1", "6.16.12-1~bpo13+1"],
        ["7.3~rc7-1~exp1", "7.3-1~exp1"],
        ["6.1.99-1", "6.1.176-1"],
        ["6.12.9-1", "6.12.10-1"],
        ["9-1", "1:1-1"],
        ["6.1-1~deb11u1", "6.1-1"],
    ],
)
def test_all_versions_are_there_in_debians_order(versions: list[str]) -> None:
    for order in (versions, versions[::-1]):
        found = parse_stanzas("\n".join(stanza("linux", version) for version in order))
        assert [each.package.version for each in found["linux"]] == versions[::-1]


@given(st.permutations(["1", "1.0", "1~rc1", "1-1", "1+b1", "0:2", "1:0", "10", "9"]))
def test_the_order_of_the_index_does_not_matter(versions: list[str]) -> None:
    found = parse_stanzas("\n".join(stanza("p", version) for version in versions))
    assert len(found["p"]) == len(versions)
    assert found["p"][0].package.version == "1:0"


@pytest.mark.parametrize("text", ["", "\n\n", "N: Unable to locate package x\n"])
def test_an_index_without_an_answer(text: str) -> None:
    assert parse_stanzas(text) == {}


# --- a private apt ----------------------------------------------------------------------------------------------------


def private(tmp_path: Path, *suites: str) -> Apt:
    lines = debian_lines(MIRRORS, suites or ("trixie",))
    return Apt(cache=Cache(tmp_path / "cache"), lines=lines, architecture="amd64")


def test_the_index_is_fetched_once_from_the_archives_of_its_suites(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    update = fake(tmp_path / "bin", "apt-get", "exit 0", monkeypatch)
    asked = fake(tmp_path / "bin", "apt-cache", 'if [ "$3" = pkgnames ]; then echo "b\na"; fi', monkeypatch)
    apt = private(tmp_path, "trixie", "trixie-security")
    assert apt.names("linux-") == ["a", "b"]
    assert apt.show([]) == {}
    assert apt.show(["a", "b", "a"]) == {}
    root = tmp_path / "cache/apt/trixie+trixie-security-amd64"
    assert update.read_text() == f"-c {root}/apt.conf update\n"
    assert asked.read_text().splitlines() == [
        f"-c {root}/apt.conf pkgnames linux-",
        f"-c {root}/apt.conf show a b",
    ]
    sources = [line.split() for line in (root / "sources.list").read_text().splitlines()]
    assert [line[-3:] for line in sources] == [
        ["http://mirror.example/debian", "trixie", "main"],
        ["http://mirror.example/debian-security", "trixie-security", "main"],
    ]


def test_the_private_root_has_nothing_of_the_hosts_and_no_hooks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path / "bin", "apt-get", "exit 0", monkeypatch)
    private(tmp_path).update()
    root = tmp_path / "cache/apt/trixie-amd64"
    config = (root / "apt.conf").read_text()
    for key in ("Dir::State ", "Dir::State::Lists ", "Dir::State::status ", "Dir::Cache ", "Dir::Etc::sourcelist "):
        (line,) = [line for line in config.splitlines() if line.startswith(key)]
        assert f'"{root}/' in line
    for key in ("APT::Update::Post-Invoke-Success", "DPkg::Post-Invoke"):
        assert f"#clear {key};" in config
    assert 'APT::Architectures { "amd64"; };' in config
    assert (root / "status").read_text() == ""


@pytest.mark.parametrize("there", [True, False])
def test_signatures_are_checked_with_debians_own_keyring(
    there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keyring = tmp_path / "keyring.gpg"
    if there:
        keyring.write_bytes(b"")
    monkeypatch.setattr(apt_module, "KEYRING", keyring)
    fake(tmp_path / "bin", "apt-get", "exit 0", monkeypatch)
    private(tmp_path).update()
    text = (tmp_path / "cache/apt/trixie-amd64/sources.list").read_text()
    assert (f"[signed-by={keyring}]" in text) == there
    assert "trusted" not in text
    assert "AllowInsecure" not in (tmp_path / "cache/apt/trixie-amd64/apt.conf").read_text()


def test_a_suite_with_a_slash_has_a_folder_of_its_own(tmp_path: Path) -> None:
    private(tmp_path, "buster/updates")
    assert (tmp_path / "cache/apt/buster_updates-amd64").is_dir()


UNREACHABLE = """\
W: Failed to fetch http://mirror.example/debian/dists/trixie/InRelease  Could not connect to mirror.example:80
W: Some index files failed to download. They have been ignored, or old ones used instead.
"""
NO_RELEASE = "E: The repository 'http://mirror.example/debian trixie Release' does not have a Release file.\n"
UNSIGNED = """\
W: GPG error: http://mirror.example/debian trixie InRelease: The following signatures couldn't be verified
E: The repository 'http://mirror.example/debian trixie InRelease' is not signed.
"""
SYNCING = """\
E: Failed to fetch http://mirror.example/debian/dists/trixie/main/binary-amd64/Packages.xz  File has unexpected size
E: Some index files failed to download. They have been ignored, or old ones used instead.
"""


@pytest.mark.parametrize(
    ("code", "complaint"),
    [(0, UNREACHABLE), (100, NO_RELEASE), (100, UNSIGNED), (100, SYNCING), (100, "E: The disk is on fire\n")],
    ids=["unreachable", "no release", "unsigned", "syncing", "other"],
)
def test_an_index_that_cannot_be_had_is_told_with_apts_own_words(
    code: int, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path / "bin", "apt-get", f"cat >&2 <<'END'\n{complaint}END\nexit {code}", monkeypatch)
    with pytest.raises(MirrorError) as caught:
        private(tmp_path).update()
    assert "the index of trixie (amd64) could not be fetched" in str(caught.value)
    assert complaint.splitlines()[0] in str(caught.value)
    assert "./run doctor" in str(caught.value)


def test_of_several_suites_one_may_be_missing_and_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path / "bin", "apt-get", f"cat >&2 <<'END'\n{SYNCING}END\nexit 100", monkeypatch)
    apt = private(tmp_path, "trixie", "trixie-security")
    apt.update()
    assert apt.missing == ("trixie",)


def test_a_warning_that_only_mentions_a_suite_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    complaint = "W: http://mirror.example/debian/dists/trixie/InRelease: Policy will reject signature within a year"
    fake(tmp_path / "bin", "apt-get", f"echo '{complaint}' >&2", monkeypatch)
    apt = private(tmp_path)
    apt.update()
    assert apt.missing == ()


# --- one file ---------------------------------------------------------------------------------------------------------

DATA = b"the package"
SHA256 = hashlib.sha256(DATA).hexdigest()
PACKAGE = package_file("linux-image", "6.1.404-1", file="pool/linux-image_6.1.404-1_amd64.deb", sha256=SHA256)
ADDRESS = "http://mirror.example/debian/pool/linux-image_6.1.404-1_amd64.deb"
FETCHED = f'test "$3 $4 $6" = "download-file {ADDRESS} SHA256:{SHA256}" && printf "the package" >"$5"'

# What apt-helper 2.6 says, word for word but for the address.
WORDS: dict[str, tuple[str, type[BpfmatrixError]]] = {
    "gone": (f"E: Failed to fetch {ADDRESS}  404  Not Found [IP: 192.0.2.1 80]", PackageGoneError),
    "gone elsewhere": (f"E: Failed to fetch {ADDRESS}  404  File not found [IP: 192.0.2.1 80]", PackageGoneError),
    "gone from a folder": (
        "E: Failed to fetch file:/srv/x.deb  File not found - /srv/x.deb (2: No such file or directory)",
        PackageGoneError,
    ),
    "refused": (
        f"E: Failed to fetch {ADDRESS}  Could not connect to m:1 (127.0.0.1). - connect (111: Connection refused)",
        MirrorError,
    ),
    "no route": (
        f"E: Failed to fetch {ADDRESS}  Cannot initiate the connection to m:80 (::1). - connect (101: Network is "
        "unreachable)",
        MirrorError,
    ),
    "no name": (f"E: Failed to fetch {ADDRESS}  Temporary failure resolving 'mirror.example'", MirrorError),
    "unknown name": (f"E: Failed to fetch {ADDRESS}  Could not resolve 'mirror.example'", MirrorError),
    "timed out": (f"E: Failed to fetch {ADDRESS}  Connection timed out [IP: 192.0.2.1 80]", MirrorError),
    "wrong hash": (
        f"E: Failed to fetch {ADDRESS}  Hash Sum mismatch\n   Hashes of expected file:\n    - SHA256:aa\n"
        "   Hashes of received file:\n    - SHA256:bb\n    - Filesize:404 [weak]",
        FetchError,
    ),
    "server trouble": (f"E: Failed to fetch {ADDRESS}  503  Service Unavailable", FetchError),
    "disk full": (f"E: Failed to fetch {ADDRESS}  write - write (28: No space left on device)", FetchError),
}


def test_a_file_is_fetched_by_its_address_and_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path / "bin", "apt-helper", FETCHED, monkeypatch)
    target = tmp_path / "target"
    target.mkdir()
    path = download(PACKAGE, base=BASE, folder=target)
    assert path == target / "linux-image_6.1.404-1_amd64.deb"
    assert path.read_bytes() == DATA
    assert list(target.iterdir()) == [path]


@pytest.mark.parametrize(("complaint", "error"), WORDS.values(), ids=WORDS)
def test_failures_are_told_apart_by_apts_words(
    complaint: str, error: type[BpfmatrixError], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = f"W: Download is performed unsandboxed\n{complaint}\nE: Download Failed"
    fake(
        tmp_path / "bin", "apt-helper", f"echo half >\"$5.FAILED\"\ncat >&2 <<'END'\n{said}\nEND\nexit 100", monkeypatch
    )
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(BpfmatrixError) as caught:
        download(PACKAGE, base=BASE, folder=target)
    assert type(caught.value) is error
    assert complaint.splitlines()[0].strip() in str(caught.value)
    assert "linux-image 6.1.404-1" in str(caught.value)
    assert list(target.iterdir()) == [], "a half-fetched file was left"


def test_a_silent_failure_says_how_it_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path / "bin", "apt-helper", "kill -9 $$", monkeypatch)
    with pytest.raises(FetchError, match="apt-helper ended with -9"):
        download(PACKAGE, base=BASE, folder=tmp_path)


def test_success_without_a_file_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path / "bin", "apt-helper", "exit 0", monkeypatch)
    with pytest.raises(FetchError, match="ended with 0"):
        download(PACKAGE, base=BASE, folder=tmp_path)


@pytest.mark.parametrize("name", ["real", "gone", "hash"])
def test_the_hosts_real_apt_helper_with_a_mirror_in_a_folder(name: str, tmp_path: Path) -> None:
    """Against the words of the apt that is installed here, whichever it is; no network is needed."""
    mirror = tmp_path / "mirror/pool"
    mirror.mkdir(parents=True)
    target = tmp_path / "target"
    target.mkdir()
    if name != "gone":
        (mirror / "p.deb").write_bytes(DATA)
    sha256 = hashlib.sha256(b"other").hexdigest() if name == "hash" else SHA256
    package = package_file("p", file="pool/p.deb", sha256=sha256)
    base = f"file://{tmp_path}/mirror"
    if name == "real":
        assert download(package, base=base, folder=target).read_bytes() == DATA
        return
    with pytest.raises(PackageGoneError if name == "gone" else FetchError):
        download(package, base=base, folder=target)
    assert list(target.iterdir()) == []
