"""libbpf before 1.0, as the agent calls the later ones: what had another name, other parameters, or came otherwise.

It is left as programs of its time have it: not in its "strict mode", so maps
are declared in the old way, too. What it does not have at all, the agent says by name.
"""

from __future__ import annotations

import ctypes
import os

from harness.agent.libbpf_abi import INT, POINTER, SIZE, TEXT, U32

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

# libbpf.h of 0.3 to 0.7; the names that the agent calls came in 0.6 to 0.8, and these went in 1.0.
OLD = {
    "bpf_program__next": (POINTER, [POINTER, POINTER]),
    "bpf_map__next": (POINTER, [POINTER, POINTER]),
    "bpf_program__get_type": (INT, [POINTER]),
    "bpf_program__get_expected_attach_type": (INT, [POINTER]),
    "btf__get_nr_types": (U32, [POINTER]),
    "libbpf_find_kernel_btf": (POINTER, []),
    "btf__get_from_id": (INT, [U32, POINTER]),
}
VERIFY = 4007
"""LIBBPF_ERRNO__VERIFY: a program was refused, and the verifier has said why; the errno is in the messages alone."""
REFUSED = "load bpf program failed: "
"""What libbpf says before the errno's text (libbpf.c of 0.3, load_program())."""
BEGIN, END = "-- BEGIN DUMP LOG ---", "-- END LOG --"
_SONAME = "libbpf.so."


class OldLibbpf:
    """What stands in for the functions that such a libbpf does not have, and what is in its messages alone."""

    LONGEST_MESSAGE = 4 * 1024 * 1024
    """The verifier's log is one message."""

    def __init__(self, library: ctypes.CDLL, functions: dict[str, Any]) -> None:
        """Add to the `functions` that a libbpf has those that do the same by others."""
        for name, (result, arguments) in OLD.items():
            function = getattr(library, name, None)
            if function is not None:
                function.restype, function.argtypes = result, arguments
        for name, stand_in in self._stand_ins(library).items():
            functions.setdefault(name, stand_in)
        self._calls: list[Any] = []
        if not hasattr(library, "libbpf_version_string"):  # since 0.6, as the later form of this:
            functions["perf_buffer__new"] = self._perf_buffer(library)

    def _stand_ins(self, library: ctypes.CDLL) -> dict[str, Callable[..., Any]]:
        def has(name: str) -> bool:
            return hasattr(library, name)

        version = version_of(library).encode()
        found: dict[str, Callable[..., Any]] = {
            "libbpf_version_string": lambda: version,
            "bpf_program__set_log_buf": lambda *_: 0,  # it comes among the messages
            "bpf_program__set_log_level": lambda *_: 0,
        }
        if has("bpf_program__next"):
            found["bpf_object__next_program"] = lambda handle, before: library.bpf_program__next(before, handle)
        if has("bpf_map__next"):
            found["bpf_object__next_map"] = lambda handle, before: library.bpf_map__next(before, handle)
        if has("bpf_program__get_type"):
            found["bpf_program__type"] = library.bpf_program__get_type
            found["bpf_program__expected_attach_type"] = library.bpf_program__get_expected_attach_type
        if has("btf__get_nr_types"):
            found["btf__type_cnt"] = lambda btf: library.btf__get_nr_types(btf) + 1  # with void
        if has("libbpf_find_kernel_btf"):
            found["btf__load_vmlinux_btf"] = library.libbpf_find_kernel_btf
        if has("btf__get_from_id"):
            found["btf__load_from_kernel_by_id"] = lambda number: btf_from_id(library, number)
        return found

    def _perf_buffer(self, library: ctypes.CDLL) -> Callable[..., Any]:
        """Return perf_buffer__new() as it is since 0.6 by the one before, whose options had the functions."""
        function = library.perf_buffer__new
        function.restype, function.argtypes = POINTER, [INT, SIZE, POINTER]

        def made(fd: int, pages: int, sample: Any, lost: Any, context: Any, _options: Any) -> Any:
            options = (POINTER * 3)(ctypes.cast(sample, POINTER), ctypes.cast(lost, POINTER), context)
            self._calls.append((sample, lost, options))
            return function(fd, pages, ctypes.addressof(options))

        return made

    @staticmethod
    def errno_of(number: int, messages: Sequence[str]) -> int:
        """Return the errno behind one of libbpf's own numbers, where its messages say it; else the number."""
        if number != VERIFY:
            return number
        said = [line.partition(REFUSED)[2] for line in messages if REFUSED in line]
        named = {os.strerror(each): each for each in range(1, 134)}
        return named.get(said[-1].strip(), number) if said else number

    @staticmethod
    def log_in(messages: Sequence[str]) -> str:
        """Return the verifier's log that is among the messages, "" where there is none."""
        text = "\n".join(messages).partition(BEGIN)[2].partition(END)[0]
        return text.strip().removesuffix("libbpf:").strip().removeprefix("libbpf:").strip()

    @staticmethod
    def without_log(messages: Sequence[str]) -> list[str]:
        """Return the messages but for the verifier's log."""
        begin = next((index for index, line in enumerate(messages) if BEGIN in line), len(messages))
        end = next((index for index, line in enumerate(messages) if END in line), len(messages) - 1)
        return [*messages[:begin], *messages[end + 1 :]]


def btf_from_id(library: ctypes.CDLL, number: int) -> int | None:
    """Return the BTF of an id by the function that libbpf had for it before 0.5, None where there is none."""
    btf = POINTER()
    return btf.value if library.btf__get_from_id(number, ctypes.byref(btf)) == 0 else None


def version_of(library: ctypes.CDLL) -> str:
    """Return the version of a libbpf that does not say it, by its file's name: `v0.3.0`."""

    class Info(ctypes.Structure):
        _fields_ = (("file", TEXT), ("base", POINTER), ("symbol", TEXT), ("address", POINTER))  # Dl_info of dladdr(3)

    said, info = getattr(library, "libbpf_version_string", None), Info()
    if said is not None:
        said.restype = TEXT
        found: bytes = said()
        return found.decode()
    libc = ctypes.CDLL(None)
    libc.dladdr.argtypes = [POINTER, POINTER]
    if not libc.dladdr(ctypes.cast(library.libbpf_set_print, POINTER), ctypes.byref(info)):
        return "v0"
    name = os.path.basename(os.path.realpath(os.fsdecode(info.file)))
    return f"v{name.removeprefix(_SONAME)}" if name.startswith(_SONAME) else "v0"
