"""Signatures, checked by the tools that distributions use, with the keys of a file alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from rpm_repositories import needs_rpm
from rpm_samples import key, keyring, other_key, sample

from harness.errors import FetchError, KernelFileError
from harness.supply.rpm.openpgp import binary
from harness.supply.rpm.verify import Keys, check_index, check_packages, complaint, read_keys


def keys_of(*public: bytes) -> Keys:
    return Keys(binary(b"".join(public)))


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@needs_rpm
def test_keys_are_read_armored_or_not(tmp_path: Path) -> None:
    keys = read_keys(keyring(tmp_path), kernel="el9")
    (tmp_path / "keyring.gpg").write_bytes(keys.packets)
    assert read_keys(tmp_path / "keyring.gpg", kernel="el9") == keys
    assert len(keys.digest) == 64


@pytest.mark.parametrize(
    ("data", "text"),
    [(None, "the keyring .* cannot be read: No such file"), (b"a text", "is no keyring with public keys")],
)
def test_a_keyring_that_is_none_names_the_kernel(tmp_path: Path, data: bytes | None, text: str) -> None:
    if data is not None:
        (tmp_path / "keyring").write_bytes(data)
    with pytest.raises(KernelFileError, match=f"kernel el9: .*{text}"):
        read_keys(tmp_path / "keyring", kernel="el9")


@needs_rpm
def test_an_index_is_signed_by_one_of_the_keys(tmp_path: Path, scratch: Path) -> None:
    index = tmp_path / "repomd.xml"
    index.write_text("<repomd/>")
    key().sign(index)
    signature = tmp_path / "repomd.xml.asc"
    check_index(index, signature, keys=keys_of(other_key().public, key().public), scratch=scratch)
    with pytest.raises(FetchError, match=r"the signature of repomd\.xml is not one of the keyring: .*No public key"):
        check_index(index, signature, keys=keys_of(other_key().public), scratch=scratch)
    index.write_text("<repomd></repomd>")
    with pytest.raises(FetchError, match=r"not one of the keyring: .*BAD signature"):
        check_index(index, signature, keys=keys_of(key().public), scratch=scratch)
    signature.write_text("a page of a proxy")
    with pytest.raises(FetchError, match="not one of the keyring"):
        check_index(index, signature, keys=keys_of(key().public), scratch=scratch)


@needs_rpm
def test_packages_are_signed_by_one_of_the_keys(tmp_path: Path, scratch: Path) -> None:
    rpms = [sample(tmp_path), sample(tmp_path, "kernel-modules")]
    check_packages(rpms, keys=keys_of(other_key().public, key().public), scratch=scratch)


@needs_rpm
@pytest.mark.parametrize(("signed_by", "text"), [("other", "[Ss]ignature, key .*: NOKEY"), ("", "it is not signed")])
def test_a_package_of_somebody_else_or_of_nobody_is_refused(
    tmp_path: Path, scratch: Path, signed_by: str, text: str
) -> None:
    rpms = [sample(tmp_path, "kernel-modules"), sample(tmp_path, signed_by=signed_by)]
    with pytest.raises(FetchError, match=rf"kernel-core-.*\.rpm is not one of the keyring: .*{text}"):
        check_packages(rpms, keys=keys_of(key().public), scratch=scratch)


@needs_rpm
@pytest.mark.parametrize("part", ["header", "payload", "end"])
def test_a_package_that_was_changed_is_refused(tmp_path: Path, scratch: Path, part: str) -> None:
    rpm = sample(tmp_path)
    data = bytearray(rpm.read_bytes())
    where = {"header": data.index(b"A kernel of the tests"), "payload": len(data) - 20, "end": len(data) - 20}[part]
    data[where] ^= 1
    rpm.write_bytes(data if part != "end" else data[:where])
    with pytest.raises(FetchError, match=r"kernel-core-.*\.rpm is not one of the keyring"):
        check_packages([rpm], keys=keys_of(key().public), scratch=scratch)


@needs_rpm
def test_a_keyring_that_rpm_does_not_take_is_said(tmp_path: Path, scratch: Path) -> None:
    with pytest.raises(FetchError, match=r"rpmkeys does not take the keyring: ."):
        check_packages([sample(tmp_path)], keys=Keys(b"\x98\x03abc"), scratch=scratch)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a.rpm:\n    Header SHA256 digest: OK\n    MD5 digest: OK\n", "it is not signed"),
        (
            "a.rpm:\n    Header V4 RSA/SHA256 Signature, key ID 1234: OK\n    Payload SHA256 digest: BAD (a != b)\n",
            "Payload SHA256 digest: BAD (a != b)",
        ),
        (
            "a.rpm:\n    Header OpenPGP V4 RSA/SHA256 signature, key fingerprint: 12: NOTTRUSTED\n",
            "Header OpenPGP V4 RSA/SHA256 signature, key fingerprint: 12: NOTTRUSTED",
        ),
        ("", "it is not signed"),
    ],
)
def test_what_rpmkeys_says_is_cut_to_what_is_wrong(text: str, said: str) -> None:
    assert complaint(text) == said
