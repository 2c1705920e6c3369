"""Building a kernel: its configuration, what the sources make of that, `make`, and what is kept of it."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.errors import KernelBuildError
from harness.host.process import find_tool, has_tool, run
from harness.model.architectures import Architecture
from harness.supply.build.configuration import Configuration
from harness.supply.build.kconfig import BTF, lost_options, merged, notice_of, parse_options, why_not_built
from harness.supply.build.make import (
    BUILD_SECONDS,
    CONFIG_SECONDS,
    INSTALL_SECONDS,
    Maker,
    make_argv,
    make_environment,
)
from harness.supply.build.toolchain import CCACHE, Toolchain
from harness.supply.build.tree import known_options


@dataclass(frozen=True, kw_only=True)
class Job:
    """A kernel to build: the sources in `tree`, in the empty folder `work`; `jobs` compilers run at once.

    `kept_log` is where the log of a build that fails is kept, `identity` what its environment has besides.
    """

    name: str
    arch: Architecture
    tree: Path
    configuration: Configuration
    tools: Toolchain
    jobs: int
    work: Path
    kept_log: Path
    identity: Mapping[str, str]
    progress: Callable[[str], None]
    stopping: threading.Event


@dataclass(frozen=True)
class BuiltKernel:
    """What was built: its release, and what the user must know of it."""

    release: str
    notice: str


def build_kernel(job: Job, root: Path) -> BuiltKernel:
    """Build a kernel, and write it to `root` as a distribution has it: boot/KIND-RELEASE, lib/modules/RELEASE.

    Raises KernelBuildError where no guest could be made of it, which is found before anything is compiled, or where it
    does not compile.
    """
    output = job.work / "out"
    output.mkdir()
    make = _maker(job, output)
    made, notice = _configure(job, make, output)
    image = Path(job.arch.kbuild_image)
    modules = made.get("MODULES") == "y"
    make(f"-j{job.jobs}", image.name, *(["modules"] if modules else []), doing="compiling", seconds=BUILD_SECONDS)
    release = (output / "include/config/kernel.release").read_text().strip()
    boot = root / "boot"
    boot.mkdir(parents=True)
    _keep_image(job, output / image, boot / f"vmlinuz-{release}")
    for kind, name in (("config", ".config"), ("System.map", "System.map")):
        shutil.copyfile(output / name, boot / f"{kind}-{release}")
    if modules:
        depmod = find_tool("depmod", package="kmod", purpose="order the kernel's modules")
        # Without their debug information, which is most of them; BTF is no part of that.
        options = (f"INSTALL_MOD_PATH={root}", "INSTALL_MOD_STRIP=1", f"DEPMOD={depmod}")
        make(*options, "modules_install", doing="installing its modules", seconds=INSTALL_SECONDS)
        for link in ("build", "source"):
            (root / "lib/modules" / release / link).unlink(missing_ok=True)
    return BuiltKernel(release, notice)


def _maker(job: Job, output: Path) -> Maker:
    make = find_tool("make", package="make", purpose="build a kernel")
    return Maker(
        name=job.name,
        base=make_argv(
            make,
            tree=job.tree,
            output=output,
            arch=job.arch,
            tools=job.tools,
            ccache=has_tool(CCACHE),
        ),
        environment=make_environment(os.environ, work=job.work, identity=job.identity),
        log=job.work / "build.log",
        kept_log=job.kept_log,
        progress=job.progress,
        stopping=job.stopping,
    )


def _configure(job: Job, make: Maker, output: Path) -> tuple[dict[str, str], str]:
    """Write the configuration; return it as the sources have taken it, and what is lost of it."""
    wanted, file = job.configuration.wanted, output / ".config"
    if job.configuration.target:
        make(job.configuration.target, doing="configuring", seconds=CONFIG_SECONDS)
        base = file.read_text(errors="replace")
    else:
        base = job.configuration.text
    file.write_text(merged(base, job.configuration.parts))
    make("olddefconfig", doing="configuring", seconds=CONFIG_SECONDS)
    made = parse_options(file.read_text(errors="replace"))
    why = why_not_built(job.arch, made)
    if why:
        raise KernelBuildError(
            f"kernel {job.name} is not built, since no guest could be made of it: {why}. Look at its `config` and "
            f"`base-config` in matrix.yaml"
        )
    lost = lost_options(wanted, made, known=())
    if not lost:
        return made, ""
    known = known_options(job.tree)
    if any(each.option == BTF for each in lost) and BTF in known:
        raise KernelBuildError(
            f"kernel {job.name} is not built, since it would have no BTF: its configuration does not take "
            f"CONFIG_{BTF}. Its sources may want a newer pahole ({_pahole()}), or debug information that its `config` "
            f"turns off; `config: CONFIG_{BTF}=n` does without BTF"
        )
    return made, notice_of(lost_options(wanted, made, known=known))


def _pahole() -> str:
    return "pahole " + run([find_tool("pahole", package="pahole", purpose="make BTF"), "--version"]).stdout.strip()


def _keep_image(job: Job, image: Path, target: Path) -> None:
    """Copy the image; one that is the whole vmlinux without its debug information, which no guest reads."""
    if image.name != "vmlinux":
        shutil.copyfile(image, target)
        return
    objcopy = find_tool(job.tools.objcopy, package="binutils", purpose="strip a kernel of its debug information")
    done = run([objcopy, "--strip-debug", image, target])
    if done.returncode != 0:
        raise KernelBuildError(f"kernel {job.name}: {image.name} cannot be stripped: {done.stderr.strip()}")
