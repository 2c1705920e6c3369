"""SSH keys that live for one run: the guest's host key and the client's key, both Ed25519.

cryptography and paramiko are imported where they are used: by then there is something to wait for.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import paramiko
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True)
class RunKeys:
    """Both key pairs of a run. Only `host_key_file` and `authorized_key` go into the guest."""

    client_key: Ed25519PrivateKey
    host_key: Ed25519PrivateKey
    host_key_file: bytes
    authorized_key: str

    @cached_property
    def client(self) -> paramiko.PKey:
        """The client's key as paramiko has it."""
        return _paramiko_key(self.client_key)

    @cached_property
    def host(self) -> paramiko.PKey:
        """The guest's host key as paramiko has it."""
        return _paramiko_key(self.host_key)


def make_keys() -> RunKeys:
    """Make fresh keys; nothing is written to disk."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    host, client = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    public = client.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return RunKeys(
        client_key=client,
        host_key=host,
        host_key_file=dropbear_private_key(host),
        authorized_key=f"{public.decode()} bpfmatrix",
    )


def dropbear_private_key(key: Ed25519PrivateKey) -> bytes:
    """Return a key in dropbear's own file format.

    Two length-prefixed strings: the type's name, then seed and public key (dropbear, src/ed25519.c,
    buf_put_ed25519_priv_key).
    """
    from cryptography.hazmat.primitives import serialization

    raw = serialization.Encoding.Raw
    seed = key.private_bytes(raw, serialization.PrivateFormat.Raw, serialization.NoEncryption())
    public = key.public_key().public_bytes(raw, serialization.PublicFormat.Raw)
    name = b"ssh-ed25519"
    return struct.pack(">I", len(name)) + name + struct.pack(">I", len(seed + public)) + seed + public


def _paramiko_key(key: Ed25519PrivateKey) -> paramiko.PKey:
    import paramiko
    from cryptography.hazmat.primitives import serialization

    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    ).decode()
    return paramiko.Ed25519Key.from_private_key(io.StringIO(text))
