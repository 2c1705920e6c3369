"""Signatures: of an index by gpgv, of packages by rpmkeys, each with the keys of the user's file and no others."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from harness.errors import FetchError, KernelFileError
from harness.host.process import find_tool, run
from harness.supply.rpm.openpgp import NoKeysError, armored, binary

_GOOD = re.compile(r"\bsignature\b.*: OK\s*$", re.IGNORECASE | re.MULTILINE)
"""What `rpmkeys --checksig --verbose` says of a good signature ("Header V4 RSA/SHA256 Signature, key ID ...: OK")."""
_BAD = re.compile(r"^\s+(.*: (?:NOKEY|BAD|NOTTRUSTED|MISSING|UNKNOWN).*?)\s*$", re.MULTILINE)


@dataclass(frozen=True)
class Keys:
    """The public keys of a file, as binary packets."""

    packets: bytes

    @property
    def digest(self) -> str:
        """What tells these keys from others: the sha256 of their packets."""
        return sha256(self.packets).hexdigest()


def read_keys(path: Path, *, kernel: str) -> Keys:
    """Return the keys of a file, armored or not; raise KernelFileError, which names the kernel that wants them."""
    try:
        return Keys(binary(path.read_bytes()))
    except OSError as error:
        raise KernelFileError(f"kernel {kernel}: the keyring {path} cannot be read: {error.strerror}") from error
    except NoKeysError as error:
        raise KernelFileError(
            f"kernel {kernel}: {path} is no keyring with public keys: {error}. "
            f"`gpg --export` writes one, and distributions publish theirs as RPM-GPG-KEY files"
        ) from error


def check_index(index: Path, signature: Path, *, keys: Keys, scratch: Path) -> None:
    """Check the detached signature of an index; raise FetchError where it is not one of `keys` of exactly this file.

    `scratch` is a folder for what gpgv is given.
    """
    gpgv = find_tool("gpgv", package="gpgv", purpose="check the signatures of RPM repositories")
    keyring = scratch / "keyring.gpg"
    keyring.write_bytes(keys.packets)
    done = run([gpgv, "--homedir", scratch, "--keyring", keyring, signature, index], env=_plain_language())
    if done.returncode != 0:
        said = [line.removeprefix("gpgv: ").strip() for line in done.stderr.splitlines() if line.strip()]
        raise FetchError(f"the signature of {index.name} is not one of the keyring: {'; '.join(said)}")


def check_packages(rpms: Iterable[Path], *, keys: Keys, scratch: Path) -> None:
    """Check signature and checksums of packages; raise FetchError where one has none, or not one of `keys`.

    `scratch` is a folder for a database of rpm's own that has these keys alone; the host's is neither read nor written.
    """
    rpmkeys = find_tool("rpmkeys", package="rpm", purpose="check the signatures of RPM packages")
    database, text = scratch / "rpmdb", scratch / "keys.asc"
    database.mkdir()
    text.write_text(armored(keys.packets))
    own: list[str | Path] = [rpmkeys, "--dbpath", database]
    done = run([*own, "--import", text], env=_plain_language())
    if done.returncode != 0:
        raise FetchError(f"rpmkeys does not take the keyring: {_in_one_line(done.stderr)}")
    for rpm in rpms:
        # Without this level, a package that has no signature at all is as good as any. An rpm that does not know the
        # level must name a good signature all the same.
        done = run([*own, "--define", "_pkgverify_level all", "--checksig", "--verbose", rpm], env=_plain_language())
        if done.returncode != 0 or not _GOOD.search(done.stdout):
            raise FetchError(f"the signature of {rpm.name} is not one of the keyring: {complaint(done.stdout)}")


def complaint(text: str) -> str:
    """Return what is wrong with a package in the words of `rpmkeys --checksig --verbose`."""
    return "; ".join(_BAD.findall(text)) or ("it is damaged" if _GOOD.search(text) else "it is not signed")


def _in_one_line(text: str) -> str:
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())


def _plain_language() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C"}
