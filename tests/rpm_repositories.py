"""RPM repositories for tests, made by the tools that distributions use: rpmbuild, rpmsign, createrepo_c, gpg."""

from __future__ import annotations

import contextlib
import functools
import http.server
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

TOOLS = {
    "rpmbuild": "rpm",
    "rpmsign": "rpm",
    "rpmkeys": "rpm",
    "rpm2cpio": "rpm2cpio",
    "createrepo_c": "createrepo-c",
    "gpg": "gnupg",
    "gpgv": "gpgv",
}
MISSING = sorted({package for tool, package in TOOLS.items() if shutil.which(tool) is None})
WHY = f"these packages are not installed, which `./run test` installs: {', '.join(MISSING)}"
needs_rpm = pytest.mark.skipif(bool(MISSING), reason=WHY)

_SPEC = """\
%global debug_package %{{nil}}
%global __os_install_post %{{nil}}
%global _build_id_links none
%global _binary_payload {payload}
Name: {name}
Version: {version}
Release: {release}
{epoch}
Summary: A kernel of the tests
License: GPL-2.0-only
AutoReqProv: no
%description
A kernel of the tests.
%install
cp -a "{tree}/." "%{{buildroot}}/"
%post
touch {tree}/was-run
%files
{files}
"""


def tool(*argv: str | Path, home: Path | None = None, folder: Path | None = None) -> str:
    """Run a tool and return what it says; `home` is gpg's."""
    env = {**os.environ, "LC_ALL": "C", **({"GNUPGHOME": str(home)} if home else {})}
    done = subprocess.run(
        argv, env=env, cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


class Signer:
    """A throw-away key, and who signs with it."""

    def __init__(self, home: Path) -> None:
        self._home = home
        home.chmod(0o700)
        tool("gpg", "--batch", "--passphrase", "", "--quick-gen-key", "tests@example.org", "rsa2048", home=home)

    @functools.cached_property
    def public(self) -> bytes:
        """The key as distributions publish theirs."""
        return tool("gpg", "--batch", "--armor", "--export", home=self._home).encode()

    def sign(self, path: Path) -> None:
        """Write the detached signature of a file beside it, over one that is there."""
        signature = path.with_name(f"{path.name}.asc")
        tool("gpg", "--batch", "--yes", "--armor", "--output", signature, "--detach-sign", path, home=self._home)

    def sign_rpm(self, path: Path) -> None:
        """Sign a package."""
        gpg = shutil.which("gpg")
        tool(
            "rpmsign",
            *("--define", "_gpg_name tests@example.org", "--define", f"__gpg {gpg}"),
            *("--addsign", path),
            home=self._home,
        )

    def end(self) -> None:
        """End what gpg has started."""
        tool("gpgconf", "--kill", "all", home=self._home)


@contextlib.contextmanager
def signer() -> Iterator[Signer]:
    """Hold a key of its own; the path of its folder is short, since sockets are in it (unix(7))."""
    with tempfile.TemporaryDirectory(prefix="t.") as home:
        made = Signer(Path(home))
        try:
            yield made
        finally:
            made.end()


def build_rpm(
    folder: Path,
    name: str,
    files: Mapping[str, bytes],
    *,
    version: str = "5.14.0",
    release: str = "503.el9",
    epoch: int = 0,
    arch: str = "x86_64",
    payload: str = "w3.zstdio",
) -> Path:
    """Build a package of some files, in `folder`; it has a script, which nobody may run."""
    tree, top = folder / f"{name}-tree", folder / f"{name}-top"
    for path, data in files.items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_bytes(data)
    tree.mkdir(exist_ok=True)
    spec = folder / f"{name}.spec"
    text = _SPEC.format(
        name=name,
        version=version,
        release=release,
        epoch=f"Epoch: {epoch}" if epoch else "",
        payload=payload,
        tree=tree,
        files="\n".join(f"/{path}" for path in files),
    )
    spec.write_text(text)
    tool("rpmbuild", "-bb", "--target", arch, "--define", f"_topdir {top}", spec, folder=folder)
    (built,) = top.glob("RPMS/*/*.rpm")
    kept = folder / built.name
    built.rename(kept)
    for folder_of in (tree, top):
        shutil.rmtree(folder_of)
    spec.unlink()
    return kept


def make_index(folder: Path, *, key: Signer | None = None, packed: str = "gz", options: Sequence[str] = ()) -> None:
    """Write the index of the packages in a folder again, signed by `key`."""
    shutil.rmtree(folder / "repodata", ignore_errors=True)
    # Which way it packs where nobody says it depends on its version.
    tool("createrepo_c", "--quiet", "--no-database", "--general-compress-type", packed, *options, folder)
    if key is not None:
        key.sign(folder / "repodata/repomd.xml")


@dataclass
class Server:
    """A server on loopback: files of a folder, but for the paths in `answers`; `asked` is what it was asked for."""

    folder: Path
    answers: dict[str, Callable[[http.server.BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    ending: threading.Event = field(default_factory=threading.Event)
    address: str = ""


@contextlib.contextmanager
def served(folder: Path) -> Iterator[Server]:
    """Serve a folder on loopback for the duration of the block."""
    server = Server(folder)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(f"GET {self.path}")
            answer = server.answers.get(self.path)
            if answer is not None:
                answer(self)
            else:
                super().do_GET()

        def do_HEAD(self) -> None:
            server.asked.append(f"HEAD {self.path}")
            super().do_HEAD()

        def log_message(self, *_: object) -> None:
            pass

    http_server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    server.address = f"http://127.0.0.1:{http_server.server_port}"
    thread = threading.Thread(target=http_server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ending.set()
        http_server.shutdown()
        http_server.server_close()
        thread.join()
