"""Finding the kernel's own complaints in its log and on its console."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

# Marks of a splat, each with where it is printed. Matched against one line without its time stamp.
SPLATS: tuple[tuple[str, str], ...] = (
    (r"^WARNING: ", "kernel/panic.c __warn()"),
    (r"^BUG: ", "arch fault handlers, kernel/sched, mm"),
    (r"^kernel BUG at ", "lib/bug.c"),
    (r"^Oops\b|^Internal error: |: Oops:? ", "arch die()"),
    (r"^Unable to handle kernel ", "arm64, riscv, s390, powerpc fault handlers"),
    (r"^Insufficient stack space|[Kk]ernel stack overflow", "arm64, riscv, s390, powerpc stack overflow handlers"),
    (r"^general protection fault|^stack segment|^double fault|^invalid opcode|^int3: ", "arch/x86/kernel/traps.c"),
    (r"^refcount_t: ", "lib/refcount.c"),
    (r"sleeping function called from invalid context", "kernel/sched/core.c"),
    (r"^INFO: rcu|self-detected stall|detected stalls", "kernel/rcu/tree_stall.h"),
    (r"soft lockup|hard LOCKUP|^INFO: task .* blocked for more than", "kernel/watchdog.c, kernel/hung_task.c"),
    (r"^KASAN: |^UBSAN: |^KCSAN: |^KFENCE: ", "sanitizers"),
    (r"^Kernel panic - not syncing", "kernel/panic.c"),
    (r"scheduling while atomic|suspicious RCU usage|possible recursive locking|circular locking", "sched, lockdep"),
)
_SPLAT = re.compile("|".join(f"(?:{pattern})" for pattern, _ in SPLATS))
# "BUG: TASK stack guard page was hit": arch/x86/kernel/traps.c handle_stack_overflow(), typed since 5.17;
# "Insufficient stack space": arm64 and riscv; "Kernel stack overflow": s390, powerpc.
_FATAL = re.compile(
    r"Kernel panic - not syncing|^Oops\b|: Oops:? |^Internal error: |^kernel BUG at |^Unable to handle kernel "
    r"|^BUG: (?:[Uu]nable to handle|kernel NULL|scheduling|(?:\S+ )?stack guard page)|^general protection fault"
    r"|^Insufficient stack space|[Kk]ernel stack overflow|soft lockup|hard LOCKUP"
)
_PREFIX = re.compile(r"^(?:<\d>\s?)?(?:\[\s*\d+\.\d+\](?:\[\s*[TC]\d+\])?\s?)?")
# Marks that are also further down in a splat that another line began (die() after a fault, a panic after anything).
_FURTHER_DOWN = re.compile(
    r"^Oops\b|^Internal error: |: Oops:? |^general protection fault|^invalid opcode|^KASAN: |Kernel panic - not syncing"
)
EXCERPT_LINES = 25
CRASH_LINES = 60
"""Lines of a crash's excerpt: its head, and the panic line that ends it."""


def plain(line: str) -> str:
    """Return a log line without its level and time stamp."""
    return _PREFIX.sub("", line, count=1).strip()


def find_splats(lines: Sequence[str]) -> tuple[str, ...]:
    """Return an excerpt per splat: the line that marks it and what follows, up to the end of its trace.

    No excerpt runs into the next splat, so that a splat that is allowed hides no other.
    """
    excerpts: list[str] = []
    index = 0
    while index < len(lines):
        if _SPLAT.search(plain(lines[index])):
            end = _end_of_trace(lines, index)
            excerpts.append("\n".join(plain(line) for line in lines[index:end]))
            index = end
        else:
            index += 1
    return tuple(excerpts)


def fatal_line(lines: Iterable[str]) -> str | None:
    """Return the first line that says the kernel has died or locked up, or None."""
    return next((plain(line) for line in lines if _FATAL.search(plain(line))), None)


def crash_excerpt(lines: Sequence[str]) -> str:
    """Return the kernel's first complaint in `lines` with its trace, and the panic that followed; "" without any.

    The first complaint says what happened; "Fatal exception in interrupt" at the end only that it was fatal.
    """
    texts = [plain(line) for line in lines]
    start = next((number for number, text in enumerate(texts) if _SPLAT.search(text) or _FATAL.search(text)), None)
    if start is None:
        return ""
    end = next((n + 1 for n in range(start, len(texts)) if "---[ end trace" in texts[n]), len(texts))
    excerpt = texts[start : min(end, start + CRASH_LINES)]
    panic = next((text for text in texts[start:] if "Kernel panic - not syncing" in text), None)
    if panic is not None and panic not in excerpt:
        excerpt.append(panic)
    return "\n".join(excerpt)


def _end_of_trace(lines: Sequence[str], start: int) -> int:
    # refcount_warn_saturate() has its message in the line before its WARNING.
    head = 2 if plain(lines[start]).startswith("refcount_t: ") else 1
    for index in range(start + 1, min(len(lines), start + EXCERPT_LINES)):
        if index >= start + head and _begins(plain(lines[index])):
            return index
        if re.search(r"---\[ end trace|</TASK>", lines[index]):
            return index + 1
    return min(len(lines), start + EXCERPT_LINES)


def _begins(line: str) -> bool:
    """Say whether a line begins a splat, even where the end of the one before it is not marked."""
    return "[ cut here ]" in line or bool(_SPLAT.search(line) and not _FURTHER_DOWN.search(line))
