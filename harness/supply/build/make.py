"""`make`: what it gets, how far it is, and what is wrong where it fails. Pure, but for `Maker`."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import KernelBuildError
from harness.host.packages import install_command
from harness.host.process import run_group
from harness.model.architectures import Architecture
from harness.supply.build.toolchain import CCACHE, Toolchain

NICE = 10
CONFIG_SECONDS = 600.0
BUILD_SECONDS = 6 * 3600.0
"""How long a kernel may take to compile: a small one takes minutes, a distribution's on two processors hours."""
INSTALL_SECONDS = 1800.0
_STEP = re.compile(r"^\s+[A-Z][A-Z0-9_+]*(?: \[\w+\])?\s+(\S+)$")
"""What kbuild prints of a file: `  CC      kernel/fork.o`, `  LD [M]  net/x.ko`."""
_DECIDING = tuple(
    re.compile(pattern, re.MULTILINE)
    for pattern in (
        r"^.*: (?:fatal )?error: .*$",
        r"^scripts/Kconfig\.include:\d+: .*$",
        r"^.*: internal compiler error: .*$",
        r"^.*undefined reference to .*$",
        r"^ld(?:\.\w+)?: .*$",
        r"^(?:FAILED|BTF|Error|ERROR)\b.*$",
        r"^.*(?:[Nn]o space left on device|: not found|command not found|[Kk]illed).*$",
        r"^.*\*\*\* (?!\[|Default configuration).*$",
        r"^make.*\*\*\* \[.*$",
    )
)
"""What decides, the most telling first: of several lines of a kind the first one."""


@dataclass(frozen=True)
class Hint:
    """What a line of a log comes to: what to do, and the package that helps, "" where none does."""

    pattern: str
    advice: str
    package: str = ""


HINTS = (
    Hint(r"(?:gelf|libelf)\.h", "libelf's headers are missing", "libelf-dev"),
    Hint(r"openssl/\S+\.h", "OpenSSL's headers are missing", "libssl-dev"),
    Hint(r"zlib\.h", "zlib's headers are missing", "zlib1g-dev"),
    Hint(r"gmp\.h|mpc\.h|gcc-plugin", "the headers of gcc's plugins are missing; CONFIG_GCC_PLUGINS=n does without"),
    Hint(r"\bpahole\b.*not found|pahole.*not available|BTF: .*pahole", "pahole is missing", "pahole"),
    Hint(r"\bzstd\b.*not found", "the kernel is to be packed by zstd", "zstd"),
    Hint(r"\blz4\w*\b.*not found", "the kernel is to be packed by lz4", "lz4"),
    Hint(r"\blzop\b.*not found", "the kernel is to be packed by lzop", "lzop"),
    Hint(
        r"\b(?:perl|python3|rsync|cpio|xz|gzip|bc|flex|bison|openssl)\b.*not found", "a program is missing; install it"
    ),
    Hint(r"[Nn]o space left", "free some space on the disk of the cache, or set BPFMATRIX_CACHE to another"),
    Hint(r"[Kk]illed|internal compiler error", "memory may have run out: say fewer `jobs`"),
    Hint(r"certs/\S+\.pem|SYSTEM_TRUSTED_KEYS", 'keys of the distribution are missing: CONFIG_SYSTEM_TRUSTED_KEYS=""'),
    Hint(r"FAILED: load BTF|FAILED unresolved symbol", "this pahole is too new or too old for these sources"),
    Hint(
        r"-Werror", "this compiler warns of what was right for older ones: say an older `compiler`, or CONFIG_WERROR=n"
    ),
)
"""What lines that decide come to, by what is in them."""


def deciding_line(log: str) -> str:
    """Return the line of a build's log that says best what is wrong, "" where there is none."""
    for pattern in _DECIDING:
        if (found := pattern.search(log)) is not None:
            return found.group().strip()
    return next((line.strip() for line in reversed(log.splitlines()) if line.strip()), "")


def advice(line: str) -> str:
    """Return what to do about the line that decides, with the command that installs what is missing; "" if unknown."""
    for hint in HINTS:
        if re.search(hint.pattern, line):
            return hint.advice + (f": {install_command([hint.package])}" if hint.package else "")
    return ""


def target_of(line: str) -> str:
    """Return which file a line of the output is about, "" where it is about none."""
    found = _STEP.match(line)
    return found[1] if found else ""


def make_argv(
    make: str,
    *,
    tree: Path,
    output: Path,
    arch: Architecture,
    tools: Toolchain,
    ccache: bool,
) -> list[str]:
    """Return the argv of `make`, without targets: it builds the sources in `tree` in the folder `output`.

    It stands back behind the guests that run meanwhile, whose deadlines it must not cost.
    """
    front = f"{CCACHE} " if ccache else ""
    variables = [variable.replace("{ccache}", front) for variable in tools.variables]
    # An empty LOCALVERSION on the command line: the release gets no "+" for what git says of the sources.
    return [
        "nice",
        "-n",
        str(NICE),
        make,
        "-C",
        str(tree),
        f"O={output}",
        f"ARCH={arch.kbuild}",
        *variables,
        "LOCALVERSION=",
    ]


def make_environment(
    outside: Mapping[str, str], *, work: Path, identity: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return the environment of `make`: `outside` without what a `make` that has started us says to its own.

    `work` is the folder in which all lies that is made; ccache takes paths from there, since it is another each time.
    """
    dropped = {
        "MAKEFLAGS",
        "MFLAGS",
        "MAKELEVEL",
        "MAKEOVERRIDES",
        "ARCH",
        "CROSS_COMPILE",
        "LLVM",
        "KBUILD_OUTPUT",
        "O",
    }
    kept = {name: value for name, value in outside.items() if name not in dropped}
    return {
        **kept,
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "PYTHONDONTWRITEBYTECODE": "1",  # else scripts leave __pycache__ in the sources
        "CCACHE_BASEDIR": str(work),
        "CCACHE_NOHASHDIR": "1",
        "KBUILD_BUILD_USER": "bpfmatrix",
        "KBUILD_BUILD_HOST": "bpfmatrix",
        **(identity or {}),
    }


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Runs `make` for one build; all that it prints is added to the file `log`.

    `base` is its argv without targets, `progress` gets a line each time that it is further.
    """

    name: str
    base: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    kept_log: Path
    progress: Callable[[str], None]
    stopping: threading.Event

    def __call__(self, *targets: str, doing: str, seconds: float) -> None:
        """Make some targets; raise KernelBuildError where that fails, with the line of the log that decides."""
        files = 0

        def line(text: str) -> None:
            nonlocal files
            if self.stopping.is_set():
                raise self._ended(doing)
            if target := target_of(text):
                files += 1
                self.progress(f"{doing}: {files} files, {target}")

        if self.stopping.is_set():
            raise self._ended(doing)
        self.progress(doing)
        before = self.log.stat().st_size if self.log.exists() else 0
        done = run_group([*self.base, *targets], env=self.environment, log=self.log, line=line, timeout=seconds)
        if done != 0:
            with self.log.open(errors="replace") as file:
                file.seek(before)
                said = file.read()
            raise self._failed(said, doing=doing, code=done, seconds=seconds)

    def _ended(self, doing: str) -> KernelBuildError:
        return KernelBuildError(f"the build of kernel {self.name} was ended ({doing})")

    def _failed(self, said: str, *, doing: str, code: int | None, seconds: float) -> KernelBuildError:
        """Return the error of a `make` that has printed `said`; its whole log is kept, but for one that was ended."""
        if code is not None and code < 0:
            return self._ended(doing)
        what = f"kernel {self.name} cannot be built ({doing})"
        self.kept_log.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.log, self.kept_log)
        why = deciding_line(said) or f"make ended with {code}"
        help_ = advice(why)
        if code is None:
            why, help_ = f"it was not done after {seconds / 60:.0f} minutes", ""
        lines = [f"{what}: {why}", *([f"  {help_}"] if help_ else []), f"  The whole log: {self.kept_log}"]
        return KernelBuildError("\n".join(lines))
