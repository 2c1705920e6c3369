"""Apt repositories for tests: made in a folder, signed with a key of their own, served on loopback."""

from __future__ import annotations

import hashlib
import http.server
import itertools
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, ClassVar

NEEDED = ("gpg", "dpkg-deb", "apt-get")
MISSING = [name for name in NEEDED if shutil.which(name) is None]
"""The programs that a repository is made and read with, and that are not here; `./run test` installs them."""


@dataclass(frozen=True)
class Key:
    """A key to sign with: GnuPG's folder, and the public part as a keyring."""

    home: Path
    keyring: Path

    @classmethod
    def make(cls, folder: Path, name: str) -> Key:
        """Make a key without a passphrase. GnuPG's folder has a short path of its own, for its agent's socket."""
        home = Path(tempfile.mkdtemp(prefix="gpg."))
        home.chmod(0o700)
        made = cls(home, folder / f"{name}.gpg")
        made.gpg("--passphrase", "", "--quick-generate-key", f"{name} <{name}@example.org>", "ed25519", "sign", "never")
        made.keyring.write_bytes(made.gpg("--export"))
        return made

    def gpg(self, *words: str, data: bytes = b"") -> bytes:
        """Run gpg with this key's folder."""
        command = ["gpg", "--homedir", str(self.home), "--batch", "--yes", "--quiet", *words]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout

    def armoured(self, path: Path) -> Path:
        """Write the public part as text."""
        path.write_bytes(self.gpg("--armor", "--export"))
        return path

    def remove(self) -> None:
        """End GnuPG's agent and remove its folder."""
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=False)
        shutil.rmtree(self.home, ignore_errors=True)


def make_deb(
    folder: Path,
    name: str,
    version: str,
    files: Mapping[str, bytes | Path],
    *depends: str,
    architecture: str = "amd64",
    compression: str = "zstd",
) -> Path:
    """Make a package with dpkg-deb, compressed as Ubuntu compresses its own, and return its file."""
    tree = folder / f"tree-{name}-{version}"
    for path, data in files.items():
        target = tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(data, Path):
            shutil.copyfile(data, target)
        else:
            target.write_bytes(data)
    control = tree / "DEBIAN/control"
    control.parent.mkdir(parents=True)
    lines = [f"Package: {name}", f"Version: {version}", f"Architecture: {architecture}", "Maintainer: nobody"]
    lines += [f"Depends: {', '.join(depends)}"] if depends else []
    control.write_text("\n".join([*lines, "Description: for a test", ""]))
    deb = folder / f"{name}_{version}_{architecture}.deb"
    command = ["dpkg-deb", "--root-owner-group", f"-Z{compression}", "-z1", "--build", str(tree), str(deb)]
    subprocess.run(command, capture_output=True, check=True)
    shutil.rmtree(tree)
    return deb


@dataclass
class AptRepository:
    """One suite of packages in a folder: dists/ and pool/."""

    root: Path
    key: Key | None
    suite: str = "jammy"
    component: str = "main"
    architectures: Sequence[str] = ("amd64",)
    origin: str = "Ubuntu"
    valid_until: timedelta | None = None
    stanzas: list[tuple[str, str]] = field(default_factory=list)
    """Architecture and text of each package."""

    def add(self, deb: Path, *, shown: Mapping[str, str] | None = None) -> str:
        """Take a package into the pool and list it; `shown` replaces fields. Returns its file's name in the pool."""
        control = subprocess.run(["dpkg-deb", "-f", deb], capture_output=True, check=True, text=True).stdout
        file = f"pool/{deb.name}"
        (self.root / file).parent.mkdir(parents=True, exist_ok=True)
        data = deb.read_bytes()
        (self.root / file).write_bytes(data)
        fields = {"Filename": file, "Size": str(len(data)), "SHA256": hashlib.sha256(data).hexdigest(), **(shown or {})}
        architecture = deb.stem.rpartition("_")[2]
        text = control.strip() + "\n" + "".join(f"{name}: {value}\n" for name, value in fields.items())
        self.stanzas.append((architecture, text))
        return file

    def publish(self) -> None:
        """Write the index and the signed Release file; call it again after a change."""
        dist = self.root / "dists" / self.suite
        sums: list[tuple[str, int, str]] = []
        for architecture in self.architectures:
            name = f"{self.component}/binary-{architecture}/Packages"
            data = "\n".join(text for of, text in self.stanzas if of == architecture).encode()
            (dist / name).parent.mkdir(parents=True, exist_ok=True)
            (dist / name).write_bytes(data)
            sums.append((hashlib.sha256(data).hexdigest(), len(data), name))
        now = datetime.now(UTC)
        lines = [f"Origin: {self.origin}", f"Suite: {self.suite}", f"Codename: {self.suite}"]
        lines += [f"Date: {_rfc(now - timedelta(days=9))}"]
        lines += [f"Valid-Until: {_rfc(now + self.valid_until)}"] if self.valid_until is not None else []
        lines += [f"Architectures: {' '.join(self.architectures)}", f"Components: {self.component}", "SHA256:"]
        lines += [f" {sha256} {size} {name}" for sha256, size, name in sums]
        text = "\n".join(lines).encode() + b"\n"
        (dist / "Release").write_bytes(text)
        (dist / "InRelease").unlink(missing_ok=True)
        if self.key is not None:
            (dist / "InRelease").write_bytes(self.key.gpg("--clearsign", "--digest-algo", "SHA256", data=text))
            newer(dist / "InRelease")


_moments = itertools.count(1)


def newer(path: Path) -> None:
    """Let a file look newer than any before: HTTP compares whole seconds."""
    moment = time.time() + next(_moments) * 2
    os.utime(path, (moment, moment))


def _rfc(moment: datetime) -> str:
    return format_datetime(moment.replace(microsecond=0)).replace("+0000", "UTC")


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.0"
    silent: ClassVar[float] = 0.0

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        if self.server.silent(self.path):  # type: ignore[attr-defined]
            while not self.server.over:  # type: ignore[attr-defined]
                time.sleep(0.05)
            return
        super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@dataclass
class Served:
    """A repository on loopback: its address, and the paths that were asked for."""

    address: str
    asked: list[str]


@contextmanager
def served(folder: Path, *, silent: Callable[[str], bool] = lambda _: False) -> Iterator[Served]:
    """Serve a folder; paths for which `silent` says so are never answered."""

    def handler(*args: Any) -> _Handler:
        return _Handler(*args, directory=str(folder))

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.asked, server.silent, server.over = [], silent, False  # type: ignore[attr-defined]
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield Served(f"http://127.0.0.1:{server.server_port}", server.asked)  # type: ignore[attr-defined]
        finally:
            server.over = True  # type: ignore[attr-defined]
            server.shutdown()
            thread.join()
