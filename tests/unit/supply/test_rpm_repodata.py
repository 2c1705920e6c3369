"""The index of an RPM repository: what is read of it, and what is refused."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from harness.errors import FetchError
from harness.supply.rpm import repodata
from harness.supply.rpm.pin import RpmFile
from harness.supply.rpm.repodata import IndexFile, Listing, parse_repomd, scan_primary

SHA = "f670114e13e035694a37a923207af33d32bb5218ec7b9a722c2d98da17cf87a5"
REPOMD = f"""<?xml version="1.0" encoding="UTF-8"?>
<repomd xmlns="http://linux.duke.edu/metadata/repo" xmlns:rpm="http://linux.duke.edu/metadata/rpm">
  <revision>1796012287</revision>
  <data type="filelists">
    <checksum type="sha256">{"0" * 64}</checksum>
    <location href="repodata/filelists.xml.gz"/>
  </data>
  <data type="primary">
    <checksum type="sha256">{SHA}</checksum>
    <open-checksum type="sha256">{"1" * 64}</open-checksum>
    <location href="repodata/{SHA}-primary.xml.gz"/>
    <size>561</size>
    <open-size>1126</open-size>
  </data>
  <data type="other">
    <checksum type="sha256">{"2" * 64}</checksum>
    <location href="repodata/other.xml.gz"/>
  </data>
</repomd>
"""


def entry(
    name: str = "kernel-core",
    *,
    epoch: str = "0",
    arch: str = "x86_64",
    file: str = "Packages/k/kernel-core.rpm",
    kind: str = "sha256",
    more: str = "",
) -> str:
    """A package as createrepo_c writes it, with what it provides."""
    return f"""<package type="rpm">
  <name>{name}</name>
  <arch>{arch}</arch>
  <version epoch="{epoch}" ver="5.14.0" rel="503.el9"/>
  <checksum type="{kind}" pkgid="YES">{SHA}</checksum>
  <summary>The Linux kernel &amp; more</summary>
  <description>&lt;package&gt; is a word of {name}</description>
  <size package="6611" installed="13" archive="864"/>
  <location href="{file}"{more}/>
  <format>
    <rpm:provides><rpm:entry name="kernel-core" flags="EQ" epoch="0" ver="5.14.0" rel="503.el9"/></rpm:provides>
  </format>
</package>
"""


def primary(*entries: str, begin: str = "") -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
{begin}<metadata xmlns="http://linux.duke.edu/metadata/common" packages="{len(entries)}">
{"".join(entries)}</metadata>
"""


def scan(text: str, *wanted: str, piece: int = 1 << 20) -> Listing:
    data = text.encode()
    pieces: Iterable[bytes] = (data[at : at + piece] for at in range(0, len(data), piece))
    return scan_primary(pieces, wanted or ("kernel-core",))


def test_repomd_says_where_primary_is() -> None:
    assert parse_repomd(REPOMD.encode()) == IndexFile(
        file=f"repodata/{SHA}-primary.xml.gz", algorithm="sha256", checksum=SHA, size=561
    )


BOMB = '<!DOCTYPE repomd [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>\n'


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (REPOMD.replace("<repomd", f"{BOMB}<repomd"), "it has a document type, so entities"),
        (REPOMD.replace('"primary"', '"primary_zck"'), "names no primary.xml"),
        (REPOMD[:500], "repomd.xml is not what createrepo_c writes: (?:unclosed token|no element found)"),
        ("", "repomd.xml is not what createrepo_c writes: no element found"),
        ("<html><body>Sign in<br></body></html>", "repomd.xml is not what createrepo_c writes: mismatched tag"),
        (REPOMD.replace('"sha256"', '"sha"'), "a checksum of the kind sha; it must be sha256 or sha512"),
        (REPOMD.replace("location", "place"), "does not say where primary.xml is"),
        (REPOMD.replace("repodata/f", "https://other.example/f"), "names a file outside of the repository"),
        (REPOMD.replace("repodata/f", "/etc/f"), "names a file outside of the repository"),
        (REPOMD.replace("repodata/f", "//other.example/f"), "names a file outside of the repository"),
    ],
)
def test_a_repomd_that_cannot_be_used_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(FetchError, match=complaint):
        parse_repomd(text.encode())


@pytest.mark.parametrize("piece", [1, 7, 100, 1 << 20])
def test_the_wanted_packages_are_found_wherever_the_pieces_end(piece: int) -> None:
    text = primary(entry("bash"), entry(), entry("kernel-devel"), entry("kernel-modules", arch="aarch64", epoch="2"))
    found = scan(text, "kernel-core", "kernel-modules", piece=piece)
    core = RpmFile(
        name="kernel-core",
        version="5.14.0-503.el9",
        arch="x86_64",
        file="Packages/k/kernel-core.rpm",
        checksum=SHA,
        size=6611,
    )
    assert found.packages[0] == core
    assert core.file_name == "kernel-core.rpm"
    other = found.packages[1]
    assert (other.name, other.version, other.arch) == ("kernel-modules", "2:5.14.0-503.el9", "aarch64")
    assert len(found.packages) == 2
    assert found.names == {"kernel-core", "kernel-devel", "kernel-modules"}


def test_what_nobody_wants_is_not_even_parsed() -> None:
    assert scan(primary(entry("bash").replace("</summary>", "</sum>"), entry())).packages[0].name == "kernel-core"


def test_an_address_may_lead_upwards() -> None:
    """Those of Amazon Linux do: all its repositories share one store of packages."""
    found = scan(primary(entry(file="../../../../blobstore/0a/kernel.rpm")))
    assert found.packages[0].file == "../../../../blobstore/0a/kernel.rpm"


def test_a_stronger_checksum_is_taken_as_it_is() -> None:
    assert scan(primary(entry(kind="sha512"))).packages[0].algorithm == "sha512"


def test_a_repository_without_packages_is_one() -> None:
    assert scan(primary()) == Listing()
    assert scan('<metadata xmlns="x" packages="0"/>') == Listing()


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (primary(entry(), begin=BOMB), "it has a document type, so entities"),
        (primary(entry().replace("The", "<!DOCTYPE a>")), "primary.xml is not what createrepo_c writes"),
        (primary(entry().replace("&amp;", "&bomb;")), "undefined entity"),
        ("<html></html>", "it does not begin with `metadata`"),
        (f"<html>{entry()}</html>", "it does not begin with `metadata`"),
        (primary(entry())[:-20], "primary.xml ends before its last line"),
        (primary(entry())[:700], "primary.xml ends before its last line"),
        (primary(entry(kind="md5")), r"primary.xml \(kernel-core\) has a checksum of the kind md5"),
        (primary(entry(file="file:///etc/passwd")), "names a file outside of the repository"),
        (primary(entry(more=' xml:base="https://other.example/"')), "names a file outside of the repository"),
        (primary(entry(file="a&#10;b")), "names a file outside of the repository"),
        (
            primary(entry().replace("<arch>", "<a>").replace("</arch>", "</a>")),
            "the entry of a package cannot be used: 'arch'",
        ),
        (primary(entry().replace('package="6611"', 'package="many"')), "the entry of a package cannot be used"),
        (primary(entry(epoch="x")), "the entry of a package cannot be used"),
    ],
)
def test_a_primary_that_cannot_be_used_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(FetchError, match=complaint):
        scan(text)


def test_how_much_there_may_be_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repodata, "MOST_OPEN", 2000)
    with pytest.raises(FetchError, match="has more than 0 MiB"):
        scan(primary(*[entry()] * 10), piece=500)


def test_how_large_one_package_may_be_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repodata, "MOST_OF_ONE", 2000)
    with pytest.raises(FetchError, match="a package has no end"):
        scan(primary(entry(), entry().replace("</summary>", "x" * 5000 + "</summary>")), piece=500)
