"""libbpf.so.1, what it says, and what is asked of it about a refusal."""

from __future__ import annotations

import collections
import ctypes
import errno

from harness.agent.kernel_abi import STRUCT_OPS
from harness.agent.libbpf_abi import INT, POINTER, PRINT_FN, PROTOTYPES, SIZE, TEXT, U32
from harness.agent.libbpf_old import OldLibbpf
from harness.agent.refusal import Refused
from harness.agent.shared_btf import SharedBtf
from harness.agent.verifier_log import VerifierLog

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

NEWER = "bpf_program__set_log_buf"
"""A function that libbpf has since 0.7 or 0.8 (libbpf.map), and all later ones."""
LAST_PAGE = 2**64 - 4095
"""From here on a pointer is a negative errno (include/linux/err.h): libbpf before 1.0 returned these."""

DEBUG_LINES, DEBUG_BYTES = 12, 200
# glibc's malloc.h: M_MMAP_THRESHOLD (at most 32 MB) and M_TRIM_THRESHOLD, in bytes.
MALLOC = {-3: 32 * 1024 * 1024, -1: 1024 * 1024 * 1024}


def without_types(message: str) -> str:
    """Return a message of libbpf with no more of the kernel's log of a BTF than its last line, which has the fault.

    That log names each type before (libbpf's btf.c, btf_load_into_kernel()).
    """
    before, begin, rest = message.partition("-- BEGIN BTF LOAD LOG ---")
    lines = [line for line in rest.partition("-- END BTF LOAD LOG --")[0].splitlines() if line.strip()]
    return f"{before.rstrip()} {lines[-1]}" if begin and lines else before.rstrip() if begin else message


def error_in(pointer: int | None) -> int:
    """Return the errno that a pointer is, 0 where it is an address, or none."""
    return 2**64 - pointer if pointer is not None and pointer >= LAST_PAGE else 0


class Libbpf:
    """libbpf.so.1 with declared types. Failures raise Refused with the errno that libbpf gives."""

    _shared_btf: SharedBtf | None = None
    old: OldLibbpf | None = None
    """What a libbpf before 1.0 did otherwise, where it is one."""
    sections: Mapping[int, str] = {}
    """What programs are whose section's name libbpf does not know (harness/agent/openings.py, set_sections())."""

    def __init__(self) -> None:
        self._lib = ctypes.CDLL("libbpf.so.1", use_errno=True)
        self._libc = ctypes.CDLL(None)
        # For every object with relocations libbpf takes 10 MB, and gives them back after the load. The next one in the
        # same process may have the same pages: fresh ones are most of what a load costs where a fault is expensive.
        for parameter, value in MALLOC.items():
            self._libc.mallopt(parameter, value)
        self._libc.vsnprintf.argtypes = [POINTER, SIZE, TEXT, POINTER]
        self._libc.vsnprintf.restype = INT
        self._functions: dict[str, Any] = {}
        """Those that this libbpf has; where a case needs another, it is not applicable with this one."""
        for name, (result, arguments) in PROTOTYPES.items():
            function = getattr(self._lib, name, None)
            if function is not None:
                function.restype, function.argtypes = result, arguments
                self._functions[name] = function
        self.messages: list[str] = []
        # What libbpf says below its warnings: the last of it, for a step that fails.
        self.debug: collections.deque[bytes] = collections.deque(maxlen=DEBUG_LINES)
        # The verifier's log. One for all programs: a load ends with the first that is refused.
        self.log = VerifierLog()
        self._line = ctypes.create_string_buffer(4096)
        if NEWER not in self._functions:
            self.old = OldLibbpf(self._lib, self._functions)
            self._line = ctypes.create_string_buffer(self.old.LONGEST_MESSAGE)
        self._print = PRINT_FN(self._on_print)
        self._lib.libbpf_set_print(self._print)

    def _function(self, name: str) -> Any:
        """Return a function; Refused, with its name, where this libbpf has none."""
        function = self._functions.get(name)
        if function is None:
            refusal = Refused(errno.ENOSYS, f"libbpf {self.version()} has no {name}", api=name)
            refusal.function = name
            raise refusal
        return function

    def _on_print(self, level: int, form: bytes, arguments: int) -> int:
        length: int = self._libc.vsnprintf(self._line, len(self._line), form, arguments)
        if level > 0:  # LIBBPF_INFO, LIBBPF_DEBUG
            self.debug.append(self._line.value[:DEBUG_BYTES])
        elif len(self.messages) < 200:  # LIBBPF_WARN; the verifier's log is taken elsewhere
            self.messages.append(self._line.value.decode(errors="replace").rstrip("\n"))
        return length

    def share_kernel_btf(self) -> None:
        """Read the kernel's BTF now, for all loads of this process and its children (harness/agent/shared_btf.py)."""
        if "btf__load_vmlinux_btf" in self._functions and self.old is None:
            self._shared_btf = SharedBtf(self._lib)

    def kernel_btf(self) -> int:
        """Return the kernel's BTF, 0 where it has none."""
        shared = self._shared_btf.handle if self._shared_btf else 0
        return shared or self.found("btf__load_vmlinux_btf") or 0

    def version(self) -> str:
        """Return libbpf's version, as `v1.5`."""
        found: bytes = self._functions["libbpf_version_string"]()
        return found.decode()

    def call(self, name: str, *arguments: Any) -> int:
        """Call a function that returns a negative errno; return its result."""
        result: int = self._function(name)(*arguments)
        if result < 0:
            number = -result if self.old is None else self.old.errno_of(-result, self.messages)
            raise Refused(number, self._said(), api=name)
        return result

    def pointer(self, name: str, *arguments: Any) -> int:
        """Call a function that returns NULL and sets errno; return its pointer."""
        ctypes.set_errno(0)
        result: int = self._function(name)(*arguments)
        number = ctypes.get_errno() or errno.EINVAL if not result else error_in(result)
        if number:
            raise Refused(number, self._said(), api=name)
        return result

    def verifier_log(self) -> str:
        """Return what the verifier has said of the last load that failed."""
        return self.log.text() or (self.old.log_in(self.messages) if self.old is not None else "")

    def section(self, program: int) -> str:
        """Return the name of a program's section."""
        known = self.sections.get(program)
        if known is not None:
            return known
        found: bytes = self._function("bpf_program__section_name")(program)
        return found.decode()

    def programs(self, handle: int) -> dict[str, int]:
        """Return name -> program of an object."""
        found, program = {}, None
        following, name = self._function("bpf_object__next_program"), self._function("bpf_program__name")
        while program := following(handle, program):
            found[name(program).decode()] = program
        return found

    def maps(self, handle: int) -> list[int]:
        """Return the maps of an object."""
        found, each = [], None
        following = self._function("bpf_object__next_map")
        while each := following(handle, each):
            found.append(each)
        return found

    def found(self, name: str, *arguments: Any) -> Any:
        """Call a function that returns NULL where there is nothing; return its result or None, and say nothing."""
        messages, debug = list(self.messages), list(self.debug)
        result = self._function(name)(*arguments)
        if self.old is not None and isinstance(result, int) and error_in(result):
            result = None
        self.messages[:] = messages
        self.debug.clear()
        self.debug.extend(debug)
        return result

    def asked_of_program(self, program: int, refusal: Refused, *, loading: bool, first: bool) -> dict[str, Any]:
        """Return section and types of a program; where one that is not known may be why, whether this kernel does.

        `loading`: it was being loaded; `first`: it has never been attached. A load that has brought the verifier to
        say anything has got past the look-up of the program's type.
        """
        kind = self.found("bpf_program__type", program)
        # Of a struct_ops program it is the number of a member.
        attach_type = 0 if kind == STRUCT_OPS else self.found("bpf_program__expected_attach_type", program)
        asked: dict[str, Any] = {
            "section": self.section(program),
            "type": self._named("prog", kind),
            "attach_type": self._named("attach", attach_type) if attach_type else "",
        }
        said = [line for line in refusal.log.splitlines() if line.strip() and not line.startswith("processed ")]
        if refusal.number == errno.EINVAL and not said:
            if loading:
                asked["type_known"] = bool(refusal.log) or self._known("prog", kind)
            if first and attach_type and (known := self.attach_types()):
                asked["attach_type_known"] = attach_type in known
        return asked

    def asked_of_map(self, handle: int, refusal: Refused) -> dict[str, Any]:
        """Return type, sizes and flags of a map, and whether this kernel knows the type where that may be why."""
        kind = self.found("bpf_map__type", handle)
        asked: dict[str, Any] = {"map_type": self._named("map", kind)}
        for name in ("key_size", "value_size", "max_entries", "map_flags"):
            asked[name] = self.found(f"bpf_map__{name}", handle)
        asked["bytes"] = asked["max_entries"] * (asked["key_size"] + asked["value_size"])
        if refusal.number == errno.EINVAL:
            asked["map_type_known"] = self._known("map", kind)
        return asked

    def _known(self, what: str, number: int) -> bool:
        """Ask this kernel for the smallest program or map of a type; only EINVAL says that it does not know it."""
        ask = f"libbpf_probe_bpf_{what}_type"
        ctypes.set_errno(0)
        return ask not in self._functions or self.found(ask, number, None) != 0 or ctypes.get_errno() != errno.EINVAL

    def _named(self, what: str, number: int) -> str:
        ask = f"libbpf_bpf_{what}_type_str"
        name = self.found(ask, number) if ask in self._functions else None
        return name.decode() if name else str(number)

    def attach_types(self) -> set[int]:
        """Return the members of this kernel's enum bpf_attach_type, as its BTF has them; none where it has no BTF."""
        btf = self.kernel_btf()
        number = self.found("btf__find_by_name_kind", btf, b"bpf_attach_type", 6) if btf else -1  # BTF_KIND_ENUM
        if number < 0:
            return set()
        # struct btf_type: name_off, info (the low 16 bits: how many members), size; then struct btf_enum: name_off, val
        head = self.found("btf__type_by_id", btf, number)
        count = U32.from_address(head + 4).value & 0xFFFF
        members = [(U32 * 2).from_address(head + 12 + 8 * index) for index in range(count)]
        return {value for name, value in members if not self.found("btf__name_by_offset", btf, name).startswith(b"__")}

    def _said(self) -> str:
        # The verifier's log is shown in full elsewhere; here only what libbpf itself has to say.
        messages = self.messages if self.old is None else self.old.without_log(self.messages)
        own = [without_types(line) for line in messages if "BEGIN PROG LOAD LOG" not in line]
        return "; ".join(own)[-2000:]
