"""The kernel's configuration, and what a case needs of it."""

from __future__ import annotations

import errno
import functools
import os

from harness.agent.files import read_whole
from harness.agent.precondition import unmet

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


CONFIG_OF_KERNEL = "/proc/config.gz"
CONFIG_FILE = "/boot/config-"


@functools.cache
def kernel_config() -> dict[str, str]:
    """Return the options that this kernel's configuration sets, by name; nothing where the guest has none.

    The kernel's own word comes before that of the file beside it. Text is without its quotes.
    """
    try:
        with open(CONFIG_OF_KERNEL, "rb") as file:
            import zlib  # noqa: PLC0415  (few kernels have the file)

            text = zlib.decompress(file.read(), 31).decode(errors="replace")  # 31: with the header of gzip
    except OSError:
        text = read_whole(CONFIG_FILE + os.uname().release)
    pairs = [line.split("=", 1) for line in text.splitlines() if line.startswith("CONFIG_") and "=" in line]
    return {name: unquoted(value) for name, value in pairs}


def unquoted(value: str) -> str:
    """Return the value of an option; of text what is between its quotes (scripts/kconfig/confdata.c)."""
    if len(value) < 2 or not value.startswith('"'):
        return value
    parts = value[1:-1].split("\\\\")
    return "\\".join(part.replace('\\"', '"') for part in parts)


def has_value(found: str, wanted: str | int) -> bool:
    """Say whether an option's value is the wanted one: an integer in any notation, else the same text."""
    if not isinstance(wanted, int):
        return found == wanted
    try:
        return int(found, 0) == wanted
    except ValueError:
        return False


def configured_otherwise(wanted: Mapping[str, Sequence[str | int]]) -> dict[str, Any] | None:
    """Return the end of a case that needs an option of the kernel's configuration to be otherwise, else None.

    `wanted` has for each option the values of which it must have one; an option that is not set is `n`.
    """
    for name, values in wanted.items():
        options = kernel_config()
        found = options.get(name, "n")
        if options and any(has_value(found, value) for value in values):
            continue
        value = values[0] if len(values) == 1 else " or ".join(map(str, values))
        if not options:
            none = OSError(errno.ENODATA, "no configuration")
            return unmet("kconfig", name, value=value, error=none, missing=False)
        unset = found == "n"
        error = OSError(errno.ENOENT if unset else errno.EINVAL, "configured otherwise")
        more = {} if unset else {"found": found}
        return unmet("kconfig", name, value=value, error=error, missing=unset, **more)
    return None


def values_of(names: Sequence[str]) -> dict[str, str]:
    """Return the values of options of the kernel's configuration, `n` where one is not set; none without any."""
    options = kernel_config()
    return {name: options.get(name, "n") for name in names} if options else {}
