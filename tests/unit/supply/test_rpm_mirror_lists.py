"""Lists of mirrors as MirrorManager writes them, and what is none."""

from __future__ import annotations

import pytest

from harness.errors import FetchError
from harness.supply.rpm.mirror_lists import MOST_MIRRORS, Checksum, read_list

WHERE = "https://mirrors.example/list?repo=os"
URL = '<url protocol="https" type="https" location="DE" preference="{}">{}</url>'


def metalink(*urls: str, name: str = "repomd.xml", hashes: str = "", before: str = "") -> bytes:
    """A metalink as MirrorManager writes one; `before` has the hashes of repomd.xml as it was until lately."""
    hashes = hashes or f'<hash type="md5">{"0" * 32}</hash><hash type="sha256">{"A" * 64}</hash>'
    alternates = (
        f"<mm0:alternates><mm0:alternate><mm0:timestamp>1</mm0:timestamp><verification>{before}</verification>"
        "</mm0:alternate></mm0:alternates>"
        if before
        else ""
    )
    return f"""<?xml version="1.0" encoding="utf-8"?>
<metalink version="3.0" xmlns="http://www.metalinker.org/" type="dynamic" generator="mirrormanager"
  xmlns:mm0="http://fedorahosted.org/mirrormanager">
 <files>
  <file name="{name}">
   <mm0:timestamp>1762000000</mm0:timestamp><size>4249</size>
   <verification>{hashes}</verification>{alternates}
   <resources maxconnections="1">{"".join(urls)}</resources>
  </file>
 </files>
</metalink>
""".encode()


def test_a_list_is_an_address_a_line() -> None:
    text = (
        b"# repo = os arch = aarch64\nhttps://a.example/$basearch/os/\n\n  http://b.example/9/$arch/os\nrsync://c/os\n"
    )
    found = read_list(text + b"https://a.example/$basearch/os/\n", where=WHERE, architecture="aarch64")
    assert found.addresses == ("https://a.example/aarch64/os/", "http://b.example/9/aarch64/os")
    assert found.index == ()


def test_a_metalink_names_the_best_mirrors_and_what_they_may_have() -> None:
    urls = [
        URL.format(90, "http://b.example/os/repodata/repomd.xml"),
        URL.format("", "http://last.example/os/repodata/repomd.xml"),
        URL.format(100, "https://a.example/os/repodata/repomd.xml"),
        URL.format(95, "rsync://c.example/os/repodata/repomd.xml"),
        URL.format(99, "https://d.example/os/somewhere/else.xml"),
    ]
    before = f'<hash type="sha1">{"1" * 40}</hash><hash type="sha512"> {"b" * 128} </hash>'
    found = read_list(metalink(*urls, before=before), where=WHERE, architecture="x86_64")
    assert found.addresses == ("https://a.example/os/", "http://b.example/os/", "http://last.example/os/")
    assert found.index == (Checksum("sha256", "a" * 64), Checksum("sha512", "b" * 128))


def test_no_more_mirrors_are_asked_than_somebody_waits_for() -> None:
    lines = [f"https://mirror-{number}.example/os" for number in range(100)]
    found = read_list("\n".join(lines).encode(), where=WHERE, architecture="x86_64")
    assert found.addresses == tuple(lines[:MOST_MIRRORS])


def test_a_list_from_elsewhere_leads_to_no_file_of_this_machine() -> None:
    text = b"file:///etc\nhttps://a.example/os\n"
    assert read_list(text, where=WHERE, architecture="x86_64").addresses == ("https://a.example/os",)
    here = read_list(text, where="file:///srv/list", architecture="x86_64")
    assert here.addresses == ("file:///etc", "https://a.example/os")


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "names no mirror by http or https"),
        (b"<html><body>Sign in</body></html>", "names no mirror by http or https"),
        (b"ftp://a.example/os\nfile:///srv\n", "names no mirror by http or https"),
        (metalink(), "names no mirror by http or https"),
        (metalink(URL.format(1, "http://a.example/x.iso")), "names no mirror by http or https"),
        (metalink(name="x.iso"), "is a metalink of something else than a repository's repomd.xml"),
        (metalink(hashes='<hash type="md5">0</hash>'), "has no checksum of repomd.xml of the kinds sha256 or sha512"),
        (metalink()[:-20], "is not what MirrorManager writes: "),
        (b"<metalink><!DOCTYPE a>", "is not what MirrorManager writes: "),
    ],
)
def test_what_names_no_mirror_is_said(data: bytes, complaint: str) -> None:
    with pytest.raises(FetchError) as caught:
        read_list(data, where=WHERE, architecture="x86_64")
    assert str(caught.value).startswith(f"{WHERE} {complaint}")
