from __future__ import annotations

import base64
import os
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from unit_samples import check_golden

from harness.supply.image.keys import dropbear_private_key, make_keys

SEED = bytes(range(32))


def test_dropbears_format_of_a_known_key() -> None:
    key = Ed25519PrivateKey.from_private_bytes(SEED)
    data = dropbear_private_key(key)
    assert data[:4] == (11).to_bytes(4, "big")
    assert data[4:15] == b"ssh-ed25519"
    assert data[15:19] == (64).to_bytes(4, "big")
    assert data[19:51] == SEED
    assert data[51:] == key.public_key().public_bytes_raw()
    check_golden("dropbear-key.txt", f"{data.hex()}\n")


def test_a_runs_keys_belong_together() -> None:
    keys = make_keys()
    signature = keys.client.sign_ssh_data(b"data")
    public = paramiko.Ed25519Key(data=base64.b64decode(keys.authorized_key.split()[1]))
    assert keys.authorized_key.split()[::2] == ["ssh-ed25519", "bpfmatrix"]
    assert public.verify_ssh_sig(b"data", paramiko.Message(signature.asbytes()))
    assert not public.verify_ssh_sig(b"other", paramiko.Message(signature.asbytes()))
    assert keys.host_key_file[51:] in keys.host.asbytes()
    assert keys.host != keys.client


def test_only_the_public_half_of_the_client_goes_into_the_guest() -> None:
    keys = make_keys()
    assert keys.client.can_sign()
    private = dropbear_private_key(Ed25519PrivateKey.from_private_bytes(SEED))[19:51]
    assert private not in keys.host_key_file
    assert len(base64.b64decode(keys.authorized_key.split()[1])) == 4 + 11 + 4 + 32


def test_every_run_has_keys_of_its_own() -> None:
    made = [make_keys() for _ in range(4)]
    assert len({keys.host_key_file for keys in made}) == 4
    assert len({keys.authorized_key for keys in made}) == 4


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for variable in ("HOME", "TMPDIR"):
        monkeypatch.setenv(variable, str(tmp_path))
    opened: list[str] = []
    real = os.open

    def watched(path: str, flags: int, *anything: int, **keys: int) -> int:
        opened.append(path)
        return real(path, flags, *anything, **keys)

    monkeypatch.setattr(os, "open", watched)
    make_keys()
    assert opened == []
    assert list(tmp_path.iterdir()) == []
