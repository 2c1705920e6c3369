"""The types that the models of matrix.yaml and case.yaml share."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Annotated

from pydantic import Field, Strict

from harness.config.reading.models import Expects, OneOf
from harness.model.architectures import ARCHITECTURES
from harness.model.distributions import DISTRIBUTIONS

ARCHITECTURE_NAMES = tuple(ARCHITECTURES)

OTHER_ARCHITECTURE_NAMES: Mapping[str, tuple[str, ...]] = {
    other: (arch.name,)
    for arch in ARCHITECTURES.values()
    for other in (*arch.machines, arch.debian)
    if other not in ARCHITECTURES
}
"""What uname(2) and Debian call the same architectures; for did-you-mean only."""

# include/linux/errno.h: errors that stay inside the kernel, except that bpf(2) lets some of them out.
_KERNEL_ERRNO_NAMES = frozenset(
    {
        *("ERESTARTSYS", "ERESTARTNOINTR", "ERESTARTNOHAND", "ENOIOCTLCMD", "ERESTART_RESTARTBLOCK"),
        *("EPROBE_DEFER", "EOPENSTALE", "ENOPARAM", "EBADHANDLE", "ENOTSYNC", "EBADCOOKIE", "ENOTSUPP"),
        *("ETOOSMALL", "ESERVERFAULT", "EBADTYPE", "EJUKEBOX", "EIOCBQUEUED", "ERECALLCONFLICT", "ENOGRACE"),
    }
)

OTHER_ERRNO_NAMES: Mapping[str, tuple[str, ...]] = {
    "ENOTSUP": ("ENOTSUPP", "EOPNOTSUPP"),
    "EWOULDBLOCK": ("EAGAIN",),
    "EDEADLOCK": ("EDEADLK",),
}
"""Second names that C libraries have and reports never use. ENOTSUPP is 524, EOPNOTSUPP is 95."""

_HOST_ERRNO_NAMES = frozenset(name for name in dir(errno) if name.startswith("E"))

ERRNO_NAMES = tuple(sorted((_HOST_ERRNO_NAMES | _KERNEL_ERRNO_NAMES) - OTHER_ERRNO_NAMES.keys()))
"""Every name that an expectation can give."""

# Patterns are read by Rust's regex crate and by JSON Schema alike.

OTHER_DISTRIBUTION_NAMES: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("rhel", "centos", "almalinux", "alma", "rocky", "rockylinux", "oracle"), ("rhel-like",)),
    **dict.fromkeys(("amzn", "al2", "al2023", "amazonlinux", "amazon-linux"), ("amazon",)),
    **dict.fromkeys(("opensuse", "sles", "sle", "leap", "tumbleweed"), ("suse",)),
}
"""What the same distributions are called elsewhere; for did-you-mean only."""

Arch = Annotated[str, OneOf(ARCHITECTURE_NAMES, OTHER_ARCHITECTURE_NAMES)]
DistributionName = Annotated[str, OneOf(tuple(DISTRIBUTIONS), OTHER_DISTRIBUTION_NAMES)]
ErrnoName = Annotated[
    str,
    Field(pattern=r"^E[A-Z0-9_]+$"),
    OneOf(ERRNO_NAMES, OTHER_ERRNO_NAMES, in_schema=False),
    Expects('the name of an errno, such as "EINVAL"'),
]
Text = Annotated[str, Field(pattern=r"\S"), Expects("text that is not empty")]
Line = Annotated[str, Field(pattern=r"^[^\r\n]*[^\s][^\r\n]*$"), Expects("one line of text that is not empty")]
Seconds = Annotated[float, Strict(), Field(gt=0), Expects("a number of seconds greater than 0")]
MemoryMib = Annotated[int, Strict(), Field(ge=64), Expects("an integer of at least 64 (MiB)")]
Cpus = Annotated[int, Strict(), Field(ge=1, le=64)]
Symbol = Annotated[
    str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"), Expects("a name as C has them (letters, digits, _)")
]
MapName = Annotated[
    str, Field(pattern=r"^[A-Za-z_.][A-Za-z0-9_.]*$"), Expects("the name of a map (letters, digits, _ and .)")
]
KernelParameters = Annotated[str, Field(pattern=r"^[ -~]*$"), Expects("kernel parameters in one line of plain ASCII")]
Entries = Annotated[int, Strict(), Field(ge=1, le=0xFFFFFFFF)]
"""How many entries a map has."""
PinPath = Annotated[str, Field(pattern=r"^/sys/fs/bpf/.+$"), Expects("a path below /sys/fs/bpf")]
ModuleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]+$"), Expects("the name of a kernel module, without .ko")]
Sysctl = Annotated[
    str,
    Field(pattern=r"^[A-Za-z0-9_-]+([./][A-Za-z0-9_:@-]+)+$"),
    Expects('the name of a sysctl, such as "net.core.bpf_jit_enable"'),
]
OptionWithValue = Annotated[
    str,
    Field(pattern=r"^CONFIG_[A-Za-z0-9_]+=[^=]+$"),
    Expects(
        'an option of the kernel\'s configuration and its value, such as "CONFIG_BPF_LSM=y"; n where it is not set'
    ),
]
KernelGlob = Annotated[
    str, Field(pattern=r"^[^\s]+$"), Expects('the name of a kernel of the matrix or a pattern, such as "6.1-*"')
]
KernelOption = Annotated[
    str,
    Field(pattern=r"^CONFIG_[A-Za-z0-9_]+$"),
    Expects('the name of an option of the kernel\'s configuration, such as "CONFIG_BPF_LSM"'),
]
