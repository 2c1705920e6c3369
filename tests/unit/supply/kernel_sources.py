"""Sources of a kernel for tests: a Makefile that does what the kernel's does, in no time, and what is beside it.

Its `olddefconfig` knows the options that are in its Kconfig, and turns off those that are in `refused`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from unit_samples import RELEASE, x86_image

from harness.config.matrix import BuildKernel
from harness.host.package_data import kconfig_folder
from harness.supply.build.kconfig import parse_options

MAKE = shutil.which("make")
WHY = "make is not installed"
_MAKEFILE = """\
# SPDX-License-Identifier: GPL-2.0
VERSION = 6
PATCHLEVEL = 1
SUBLEVEL = 0
EXTRAVERSION = {extra}
NAME = Curry Ramen
SRC := $(CURDIR)

tinyconfig defconfig:
	echo "CONFIG_$(subst config,,$@)=y" > $(O)/.config
	echo "CONFIG_KEPT=y" >> $(O)/.config

olddefconfig:
	sh $(SRC)/scripts/kconfig/conf $(SRC) $(O)

bzImage:
	@echo "  CC      kernel/fork.o"
	@cat $(SRC)/broken 2>/dev/null && exit 1 || true
	@echo "  LD [M]  net/veth.ko"
	mkdir -p $(O)/arch/x86/boot $(O)/include/config
	cp $(SRC)/image $(O)/arch/x86/boot/bzImage
	echo "$(ARCH) $(CC) $(LOCALVERSION)$(INSTALL_MOD_PATH)" > $(O)/arguments
	echo {release} > $(O)/include/config/kernel.release
	echo symbols > $(O)/System.map

modules:
	@echo "  CC [M]  net/veth.o"

modules_install:
	mkdir -p $(INSTALL_MOD_PATH)/lib/modules
	cp -r $(SRC)/made $(INSTALL_MOD_PATH)/lib/modules/{release}
	ln -s $(SRC) $(INSTALL_MOD_PATH)/lib/modules/{release}/source
"""
_CONF = """\
# What the tree does not know, or has among `refused`, is dropped.
awk '
	FILENAME == ARGV[1] { if ($1 == "config") known[$2]; next }
	FILENAME == ARGV[2] { refused[$1]; next }
	{ name = $0; sub(/^# /, "", name); sub(/^CONFIG_/, "", name); sub(/[= ].*/, "", name) }
	name in known && !(name in refused)
' "$1/Kconfig" "$1/refused" "$2/.config" > "$2/.config.new"
mv "$2/.config.new" "$2/.config"
"""


def options() -> tuple[str, ...]:
    """All options that bpfmatrix wants of a kernel for x86_64."""
    files = (kconfig_folder() / name for name in ("all.config", "x86_64.config"))
    return tuple(name for file in files for name in parse_options(file.read_text()))


def make_tree(
    folder: Path,
    *,
    unknown: Iterable[str] = (),
    refused: Iterable[str] = (),
    more: Iterable[str] = ("KEPT", "OWN"),
    modules: Iterable[str] = ("virtio_net", "virtio_pci"),
    extra: str = "",
) -> Path:
    """Make a source tree whose kernel is x86_image(); `unknown` are options that it does not have."""
    (folder / "scripts/kconfig").mkdir(parents=True)
    (folder / "lib").mkdir()
    (folder / "Makefile").write_text(_MAKEFILE.format(release=RELEASE, extra=extra))
    (folder / "scripts/kconfig/conf").write_text(_CONF)
    known = [name for name in (*options(), *more) if name not in set(unknown)]
    (folder / "Kconfig").write_text("".join(f"config {name}\n\tbool\n" for name in known))
    (folder / "refused").write_text("".join(f"{name}\n" for name in refused))
    (folder / "image").write_bytes(x86_image())
    for name in modules:
        path = folder / f"made/kernel/{name}.ko"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())
    return folder


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder, with nothing of the host's settings."""
    own = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, **own}
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit_all(folder: Path, message: str = "a commit") -> str:
    """Make a folder a git clone where it is none, commit all that is in it, and return the commit."""
    if not (folder / ".git").exists():
        git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)
    return git(folder, "rev-parse", "HEAD")


def state(folder: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return all that is in a folder, and when it was written."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def build_entry(**keys: Any) -> BuildKernel:
    """An entry of the matrix for x86_64; `keys` are those that differ."""
    entry = {"name": "mine", "arch": "x86_64", "source": "build", **keys}
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in entry.items()}
    if isinstance(plain.get("config"), list):
        plain["config"] = [str(item) for item in plain["config"]]
    return BuildKernel.model_validate({key.replace("_", "-"): value for key, value in plain.items()})
