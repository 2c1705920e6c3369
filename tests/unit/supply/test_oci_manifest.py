"""Which image an index means, and what a manifest names."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import FetchError, PackageGoneError
from harness.supply.oci.manifest import (
    MOST_BYTES,
    Blob,
    check_platform,
    choose,
    digest_of,
    named_in_layout,
    read_manifest,
)

A, B, C = (f"sha256:{digit * 64}" for digit in "abc")


def entry(digest: str = A, size: Any = 7, **more: Any) -> dict[str, Any]:
    return {"digest": digest, "size": size, **more}


def text(**keys: Any) -> bytes:
    return json.dumps({"schemaVersion": 2, **keys}).encode()


def platform(arch: str, os: str = "linux") -> dict[str, str]:
    return {"os": os, "architecture": arch}


INDEX = text(
    manifests=[
        entry(C, platform=platform("amd64", "windows")),
        entry(C, platform=platform("unknown", "unknown")),  # an attestation
        entry(A, platform=platform("amd64")),
        entry(B, platform=platform("arm64")),
        entry(C, platform={**platform("arm64"), "variant": "v9"}),
    ]
)
MANIFEST = text(config=entry(A), layers=[entry(B, 10), entry(C, 20)])


def test_an_index_has_an_image_for_each_architecture() -> None:
    assert choose(INDEX, architecture="amd64", image="x") == Blob(A, 7)
    assert choose(INDEX, architecture="arm64", image="x") == Blob(B, 7)
    with pytest.raises(PackageGoneError, match="x has no image for linux/s390x; it has amd64, arm64"):
        choose(INDEX, architecture="s390x", image="x")


def test_a_manifest_stands_for_itself() -> None:
    found = choose(MANIFEST, architecture="s390x", image="x")
    assert found == Blob(digest_of(MANIFEST), len(MANIFEST))
    manifest = read_manifest(MANIFEST, image="x")
    assert (manifest.config, manifest.layers) == (Blob(A, 7), (Blob(B, 10), Blob(C, 20)))
    assert manifest.size == 30
    assert manifest.layers[0].hex == "b" * 64


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b"", "its manifest cannot be read"),
        (b"<html>", "its manifest cannot be read"),
        (b"[" * 100_000, "its manifest cannot be read"),
        (b"[]", "is no JSON object"),
        (text(fsLayers=[], schemaVersion=1), "names no layers; images of OCI"),
        (text(config=entry(), layers=[entry("sha512:1")]), "names a piece without a sha256"),
        (text(config=entry(), layers=[entry("sha256:../../etc/passwd")]), "names a piece without a sha256"),
        (text(config=entry(), layers=[entry(size=-1)]), "names a piece without a sha256 and a size"),
        (text(config=entry(size="7"), layers=[]), "names a piece without a sha256 and a size"),
        (text(config=entry(), layers=[entry(size=MOST_BYTES + 1)]), r"has 1 layers of 8\.0 GiB; at most"),
        (text(config=entry(), layers=[entry()] * 501), "has 501 layers"),
    ],
)
def test_what_is_no_manifest_is_said(raw: bytes, complaint: str) -> None:
    for read in (read_manifest, lambda raw, image: choose(raw, architecture="amd64", image=image)):
        with pytest.raises(FetchError, match=f"^an image.*{complaint}"):
            read(raw, image="an image")


def test_an_image_of_another_architecture_is_refused() -> None:
    check_platform(text(os="linux", architecture="arm64"), architecture="arm64", image="x")
    with pytest.raises(PackageGoneError, match="x is for linux/amd64, not for linux/arm64"):
        check_platform(text(os="linux", architecture="amd64"), architecture="arm64", image="x")


def named(tag: str, digest: str) -> dict[str, Any]:
    return entry(digest, annotations={"org.opencontainers.image.ref.name": tag})


def test_an_image_of_a_layout_is_found_by_its_name() -> None:
    index = text(manifests=[named("6.12", A), named("kernels:6.13", B), entry(C)])

    def find(tag: str, digest: str = "") -> Blob:
        return named_in_layout(index, name="kernels", tag=tag, digest=digest, folder="/layout")

    assert (find("6.12").digest, find("6.13").digest, find("", C).digest) == (A, B, C)
    assert find("", f"sha256:{'d' * 64}").digest == f"sha256:{'d' * 64}", "an index below may have it"
    with pytest.raises(PackageGoneError, match=r"/layout has no image kernels:6\.14; it has .*6\.12, kernels:6\.13"):
        find("6.14")


@given(st.recursive(st.none() | st.text() | st.integers(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)))
def test_any_json_is_a_manifest_or_said_to_be_none(value: Any) -> None:
    for key in ("manifests", "layers"):
        raw = json.dumps({key: value, "config": value}).encode()
        try:
            choose(raw, architecture="amd64", image="x")
            named_in_layout(raw, name="a", tag="b", digest="", folder="x")
        except (FetchError, PackageGoneError):
            pass
