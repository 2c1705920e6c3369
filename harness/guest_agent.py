#!/usr/bin/python3
"""The guest agent: runs cases against the kernel it finds itself on, and reports what it saw.

One file, standard library only, pushed into the guest, where harness/guest_service.py loads it; on any other machine it
takes a job file. It does a job (JSON, made by harness/scenario/jobs.py), and writes one JSON object per line;
docs/agent-protocol.md describes both. It decides nothing: which program was refused, which events came, what the kernel
log said are facts for the host.

Every case runs in a child process of its own, so that nothing is left of it in this one: a case that crashes
or hangs its process ends with the signal or deadline that ended it, and the next case starts clean.
"""

import collections
import contextlib
import ctypes
import errno
import functools
import json
import mmap
import os
import resource
import select
import socket
import struct
import sys
import time

PROTOCOL = 2
# How much of the verifier's log there is room for; kernels before 5.2 refuse more than UINT_MAX >> 8 (7a9f5c65abcc),
# later ones more than UINT_MAX >> 2. And how much of it is sent: its beginning, and the end, which says what was wrong.
LOG_ROOM, LOG_ROOM_BEFORE_5_2 = 64 * 1024 * 1024, (1 << 24) - 1
LOG_HEAD, LOG_TAIL = 8 * 1024, 32 * 1024
BPF_LOG_STATS = 4
TEXT_LIMIT = 32 * 1024
EVENT_LIMIT = 4096
TRACE_LIMIT = 128
DEBUG_LINES, DEBUG_BYTES = 12, 200
KMSG_HALF = 1500
KMSG_RECORDS = 100_000
LAST_WORDS_SECONDS = 0.03
LEFT_SECONDS = 3.0
PERF_PAGES = 8
HELD_BYTES = 1024 * 1024
BPFFS, MNT_DETACH = b"/sys/fs/bpf", 2
CLEAR_WARN_ONCE = "/sys/kernel/debug/clear_warn_once"
CONFIG_OF_KERNEL = "/proc/config.gz"
CONFIG_FILE = "/boot/config-"
HELD_SECONDS = 0.1
STEP_MARK = "bpfmatrix: step "
NOBODY = 65534
FOLIO_BYTES = 64 * 1024
SIGKILL = 9

# Errors that the kernel returns, but errno.h does not name (include/linux/errno.h); and the kernel's own names
# where Python prefers the C library's alias.
KERNEL_ERRNO = {35: "EDEADLK", 95: "EOPNOTSUPP", 512: "ERESTARTSYS", 517: "EPROBE_DEFER", 524: "ENOTSUPP"}

# struct event of bpf/include/event.h, in the guest's own byte order.
EVENT = struct.Struct("=QIIqIHH16s16s")
# struct trace_record of bpf/include/trace.h.
TRACE = struct.Struct("=IIqQ")
KINDS = {
    **{1: "fentry", 2: "kprobe", 3: "fexit", 4: "target", 5: "callee", 6: "subprog", 7: "freplace", 8: "fsession"},
    **{9: "body", 10: "fentry-2", 11: "fexit-2", 12: "fexit-3"},
}
HAS_RETVAL, HAS_CONNECTION, HAS_VALUE = 1, 2, 4
HELD_HEAD = struct.Struct("=QQQ")
STEP_PLACE = struct.Struct("=q")  # behind it: the step that is under way
HELD_START = HELD_HEAD.size + STEP_PLACE.size


def between(text, before, after):
    """Return what stands in a text behind the first `before` and before the next `after`; "" where they are not."""
    return text.partition(before)[2].partition(after)[0]


def errno_name(number):
    """Return the name of a positive errno, `E?<number>` where it has none."""
    return KERNEL_ERRNO.get(number) or errno.errorcode.get(number) or f"E?{number}"


class Refused(Exception):
    """The kernel, or libbpf, refused a step. `log` is the verifier's text, if any; `api` is the call that failed."""

    def __init__(self, number, detail="", log="", api=""):
        super().__init__(detail)
        self.number, self.detail, self.log, self.api = number, detail, log, api


class Reporter:
    """Writes the protocol's lines; each carries its running number, so that a lost line is noticed.

    A write is dear in an emulated guest: it wakes two processes and sends an encrypted packet. So lines are held
    back and written together. They and their number lie in memory that child processes share: what one that was
    killed has not written, its parent writes. Where the whole guest dies, they die with it; so every step is
    announced on the console before it begins, which costs a twentieth.
    """

    def __init__(self, fd, console=-1):
        self.fd, self._console, self._flushed = fd, console, time.monotonic()
        # How many lines there were; how many bytes are held back, and how many of them are written; the bytes.
        self._shared = mmap.mmap(-1, HELD_START + HELD_BYTES)

    @property
    def lines(self):
        """How many lines there were, those held back included."""
        return HELD_HEAD.unpack_from(self._shared)[0]

    @property
    def step(self):
        """The step that is under way, or was when the case's process ended; None where there is none."""
        index = STEP_PLACE.unpack_from(self._shared, HELD_HEAD.size)[0]
        return None if index < 0 else index

    def at(self, index):
        """Note which step is under way; -1 for none."""
        STEP_PLACE.pack_into(self._shared, HELD_HEAD.size, index)

    def mark(self, case, index):
        """Write to the console which step of which case begins; a console that takes nothing does not matter."""
        self.at(index)
        if self._console >= 0:
            with contextlib.suppress(OSError):
                os.write(self._console, f"{STEP_MARK}{case} {index}\n".encode())

    def hold(self, kind, **fields):
        """Keep one line back, to be written with a later one; at once where they are many, or wait for long."""
        number, held, written = HELD_HEAD.unpack_from(self._shared)
        line = (json.dumps({"n": number + 1, "type": kind, **fields}) + "\n").encode()
        if held + len(line) > HELD_BYTES:
            self.flush()
            held = written = 0
        if len(line) > HELD_BYTES:
            HELD_HEAD.pack_into(self._shared, 0, number + 1, 0, 0)
            while line:
                line = line[os.write(self.fd, line) :]
            return
        self._shared[HELD_START + held : HELD_START + held + len(line)] = line
        HELD_HEAD.pack_into(self._shared, 0, number + 1, held + len(line), written)
        if time.monotonic() - self._flushed > HELD_SECONDS:
            self.flush()

    def send(self, kind, **fields):
        """Write one line, and those held back before it."""
        self.hold(kind, **fields)
        self.flush()

    def flush(self):
        """Write the lines that are held back, in pieces that a pipe takes whole or not at all."""
        number, held, written = HELD_HEAD.unpack_from(self._shared)
        while written < held:
            end = min(held, written + select.PIPE_BUF)
            written += os.write(self.fd, self._shared[HELD_START + written : HELD_START + end])
            HELD_HEAD.pack_into(self._shared, 0, number, held, written)
        HELD_HEAD.pack_into(self._shared, 0, number, 0, 0)
        self._flushed = time.monotonic()


# --- libbpf ------------------------------------------------------------------------------------------------

POINTER, INT, SIZE, TEXT, U32 = ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_uint32
# int (*libbpf_print_fn_t)(enum libbpf_print_level, const char *, va_list): a va_list is passed as one pointer on
# x86_64, arm64, s390x, riscv64 and ppc64le, and is handed on to vsnprintf() untouched.
PRINT_FN = ctypes.CFUNCTYPE(INT, INT, TEXT, POINTER)
SAMPLE_FN = ctypes.CFUNCTYPE(None, POINTER, INT, POINTER, U32)
LOST_FN = ctypes.CFUNCTYPE(None, POINTER, INT, ctypes.c_uint64)

PROTOTYPES = {
    "libbpf_set_print": (POINTER, [PRINT_FN]),
    "libbpf_version_string": (TEXT, []),
    "bpf_object__open_file": (POINTER, [TEXT, POINTER]),
    "bpf_object__load": (INT, [POINTER]),
    "bpf_object__next_program": (POINTER, [POINTER, POINTER]),
    "bpf_object__find_program_by_name": (POINTER, [POINTER, TEXT]),
    "bpf_object__find_map_by_name": (POINTER, [POINTER, TEXT]),
    "bpf_program__name": (TEXT, [POINTER]),
    "bpf_program__fd": (INT, [POINTER]),
    "bpf_program__set_log_buf": (INT, [POINTER, POINTER, SIZE]),
    "bpf_program__set_log_level": (INT, [POINTER, U32]),
    "bpf_program__set_attach_target": (INT, [POINTER, INT, TEXT]),
    "bpf_program__set_expected_attach_type": (INT, [POINTER, INT]),
    "bpf_program__attach": (POINTER, [POINTER]),
    "bpf_link__destroy": (INT, [POINTER]),
    "bpf_map__fd": (INT, [POINTER]),
    "bpf_map__reuse_fd": (INT, [POINTER, INT]),
    "bpf_map_update_elem": (INT, [INT, POINTER, POINTER, ctypes.c_uint64]),
    "bpf_map_lookup_elem": (INT, [INT, POINTER, POINTER]),
    "bpf_map_delete_elem": (INT, [INT, POINTER]),
    "bpf_program__type": (INT, [POINTER]),
    "bpf_program__section_name": (TEXT, [POINTER]),
    "bpf_program__expected_attach_type": (INT, [POINTER]),
    "bpf_program__insns": (POINTER, [POINTER]),
    "bpf_program__insn_cnt": (SIZE, [POINTER]),
    "bpf_program__set_autoload": (INT, [POINTER, ctypes.c_bool]),
    "bpf_program__attach_cgroup": (POINTER, [POINTER, INT]),
    "bpf_program__attach_netns": (POINTER, [POINTER, INT]),
    "bpf_program__attach_xdp": (POINTER, [POINTER, INT]),
    "bpf_program__attach_tcx": (POINTER, [POINTER, INT, POINTER]),
    "bpf_program__attach_netkit": (POINTER, [POINTER, INT, POINTER]),
    "bpf_prog_attach": (INT, [INT, INT, INT, U32]),
    "bpf_prog_detach2": (INT, [INT, INT, INT]),
    "bpf_tc_hook_create": (INT, [POINTER]),
    "bpf_tc_hook_destroy": (INT, [POINTER]),
    "bpf_tc_attach": (INT, [POINTER, POINTER]),
    "bpf_tc_detach": (INT, [POINTER, POINTER]),
    "bpf_program__attach_netfilter": (POINTER, [POINTER, POINTER]),
    "bpf_program__attach_perf_event": (POINTER, [POINTER, INT]),
    "bpf_program__attach_iter": (POINTER, [POINTER, POINTER]),
    "bpf_program__attach_kprobe_multi_opts": (POINTER, [POINTER, TEXT, POINTER]),
    "bpf_program__attach_freplace": (POINTER, [POINTER, INT, TEXT]),
    "bpf_link__fd": (INT, [POINTER]),
    "bpf_raw_tracepoint_open": (INT, [TEXT, INT]),
    "bpf_prog_test_run_opts": (INT, [INT, POINTER]),
    "bpf_obj_get_info_by_fd": (INT, [INT, POINTER, POINTER]),
    "bpf_enable_stats": (INT, [INT]),
    "bpf_iter_create": (INT, [INT]),
    "btf__load_from_kernel_by_id": (POINTER, [U32]),
    "btf__find_by_name_kind": (INT, [POINTER, TEXT, U32]),
    "bpf_object__btf": (POINTER, [POINTER]),
    "btf__fd": (INT, [POINTER]),
    "bpf_map__type": (INT, [POINTER]),
    "bpf_map__key_size": (U32, [POINTER]),
    "bpf_map__value_size": (U32, [POINTER]),
    "bpf_map__max_entries": (U32, [POINTER]),
    "bpf_map__map_flags": (U32, [POINTER]),
    "libbpf_bpf_prog_type_str": (TEXT, [INT]),
    "libbpf_bpf_attach_type_str": (TEXT, [INT]),
    "libbpf_bpf_map_type_str": (TEXT, [INT]),
    "libbpf_probe_bpf_prog_type": (INT, [INT, POINTER]),
    "libbpf_probe_bpf_map_type": (INT, [INT, POINTER]),
    "btf__load_vmlinux_btf": (POINTER, []),
    "btf__type_by_id": (POINTER, [POINTER, U32]),
    "btf__name_by_offset": (TEXT, [POINTER, U32]),
    "perf_buffer__new": (POINTER, [INT, SIZE, SAMPLE_FN, LOST_FN, POINTER, POINTER]),
    "perf_buffer__poll": (INT, [POINTER, INT]),
    "perf_buffer__consume": (INT, [POINTER]),
}


# glibc's malloc.h: M_MMAP_THRESHOLD (at most 32 MB) and M_TRIM_THRESHOLD, in bytes.
MALLOC = {-3: 32 * 1024 * 1024, -1: 1024 * 1024 * 1024}


class Libbpf:
    """libbpf.so.1 with declared types. Failures raise Refused with the errno that libbpf gives."""

    def __init__(self):
        self._lib = ctypes.CDLL("libbpf.so.1", use_errno=True)
        self._libc = ctypes.CDLL(None)
        # For every object with relocations libbpf takes 10 MB, and gives them back after the load. The next one in the
        # same process may have the same pages: fresh ones are most of what a load costs where a page fault is dear.
        for parameter, value in MALLOC.items():
            self._libc.mallopt(parameter, value)
        self._libc.vsnprintf.argtypes = [POINTER, SIZE, TEXT, POINTER]
        self._libc.vsnprintf.restype = INT
        for name, (result, arguments) in PROTOTYPES.items():
            function = getattr(self._lib, name, None)
            if function is not None:  # an older libbpf lacks some; a case that calls one ends with an agent-error
                function.restype, function.argtypes = result, arguments
        self.messages: list[str] = []
        # What libbpf says below its warnings: the last of it, for a step that fails.
        self.debug: collections.deque[bytes] = collections.deque(maxlen=DEBUG_LINES)
        # The verifier's log. One for all programs: a load ends with the first that is refused.
        self.log = VerifierLog()
        self._line = ctypes.create_string_buffer(4096)
        self._print = PRINT_FN(self._on_print)
        self._lib.libbpf_set_print(self._print)

    def _on_print(self, level, form, arguments):
        length = self._libc.vsnprintf(self._line, len(self._line), form, arguments)
        if level > 0:  # LIBBPF_INFO, LIBBPF_DEBUG
            self.debug.append(self._line.value[:DEBUG_BYTES])
        elif len(self.messages) < 200:  # LIBBPF_WARN; the verifier's log is taken elsewhere
            self.messages.append(self._line.value.decode(errors="replace").rstrip("\n"))
        return length

    def version(self):
        """Return libbpf's version, as `v1.5`."""
        return self._lib.libbpf_version_string().decode()

    def call(self, name, *arguments):
        """Call a function that returns a negative errno; return its result."""
        result = getattr(self._lib, name)(*arguments)
        if result < 0:
            raise Refused(-result, self._said(), api=name)
        return result

    def pointer(self, name, *arguments):
        """Call a function that returns NULL and sets errno; return its pointer."""
        ctypes.set_errno(0)
        result = getattr(self._lib, name)(*arguments)
        if not result:
            raise Refused(ctypes.get_errno() or errno.EINVAL, self._said(), api=name)
        return result

    def section(self, program):
        """Return the name of a program's section."""
        return self._lib.bpf_program__section_name(program).decode()

    def programs(self, handle):
        """Return name -> program of an object."""
        found, program = {}, None
        while program := self._lib.bpf_object__next_program(handle, program):
            found[self._lib.bpf_program__name(program).decode()] = program
        return found

    def found(self, name, *arguments):
        """Call a function that returns NULL where there is nothing; return its result or None, and say nothing."""
        messages, debug = list(self.messages), list(self.debug)
        result = getattr(self._lib, name)(*arguments)
        self.messages[:] = messages
        self.debug.clear()
        self.debug.extend(debug)
        return result

    def asked_of_program(self, program, refusal, *, loading, first):
        """Return section and types of a program; where one that is not known may be why, whether this kernel does.

        `loading`: it was being loaded; `first`: it has never been attached. A load that has brought the verifier to
        say anything has got past the look-up of the program's type.
        """
        kind = self.found("bpf_program__type", program)
        # Of a struct_ops program it is the number of a member.
        attach_type = 0 if kind == STRUCT_OPS else self.found("bpf_program__expected_attach_type", program)
        asked = {
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

    def asked_of_map(self, handle, refusal):
        """Return type, sizes and flags of a map, and whether this kernel knows the type where that may be why."""
        kind = self.found("bpf_map__type", handle)
        asked = {"map_type": self._named("map", kind)}
        for name in ("key_size", "value_size", "max_entries", "map_flags"):
            asked[name] = self.found(f"bpf_map__{name}", handle)
        if refusal.number == errno.EINVAL:
            asked["map_type_known"] = self._known("map", kind)
        return asked

    def _known(self, what, number):
        """Ask this kernel for the smallest program or map of a type; only EINVAL says that it does not know it."""
        ctypes.set_errno(0)
        return self.found(f"libbpf_probe_bpf_{what}_type", number, None) != 0 or ctypes.get_errno() != errno.EINVAL

    def _named(self, what, number):
        name = self.found(f"libbpf_bpf_{what}_type_str", number)
        return name.decode() if name else str(number)

    def attach_types(self):
        """Return the members of this kernel's enum bpf_attach_type, as its BTF has them; none where it has no BTF."""
        btf = self.found("btf__load_vmlinux_btf")
        number = self.found("btf__find_by_name_kind", btf, b"bpf_attach_type", 6) if btf else -1  # BTF_KIND_ENUM
        if number < 0:
            return set()
        # struct btf_type: name_off, info (the low 16 bits: how many members), size; then struct btf_enum: name_off, val
        head = self.found("btf__type_by_id", btf, number)
        count = U32.from_address(head + 4).value & 0xFFFF
        members = [(U32 * 2).from_address(head + 12 + 8 * index) for index in range(count)]
        return {value for name, value in members if not self.found("btf__name_by_offset", btf, name).startswith(b"__")}

    def _said(self):
        # The verifier's log is shown in full elsewhere; here only what libbpf itself has to say.
        own = [line for line in self.messages if "BEGIN PROG LOAD LOG" not in line]
        return "; ".join(own)[-2000:]


# --- structures of the kernel and of libbpf that grow: the part that is used here, and how much of it counts ----------


def options(*fields):
    """Return a libbpf options structure: its size, then `fields` as (ctypes type, value), naturally aligned."""
    names = [("size", SIZE)] + [(f"f{index}", kind) for index, (kind, _) in enumerate(fields)]
    structure = type("Options", (ctypes.Structure,), {"_fields_": names})
    return structure(ctypes.sizeof(structure), *(value for _, value in fields))


class LinkInfo(ctypes.Structure):
    """struct bpf_link_info (include/uapi/linux/bpf.h), its head and the member for tracing links."""

    _fields_ = [
        *((name, U32) for name in ("type", "id", "prog_id", "padding")),
        *((name, U32) for name in ("attach_type", "target_obj_id", "target_btf_id", "reserved")),
        ("cookie", ctypes.c_uint64),
        ("rest", ctypes.c_uint8 * 96),
    ]


class ProgInfo(ctypes.Structure):
    """struct bpf_prog_info (include/uapi/linux/bpf.h)."""

    _fields_ = [
        *(("type", U32), ("id", U32), ("tag", ctypes.c_uint8 * 8), ("jited_prog_len", U32), ("xlated_prog_len", U32)),
        *((name, ctypes.c_uint64) for name in ("jited_prog_insns", "xlated_prog_insns", "load_time")),
        *((name, U32) for name in ("created_by_uid", "nr_map_ids")),
        *(("map_ids", ctypes.c_uint64), ("name", ctypes.c_char * 16), ("ifindex", U32), ("flags", U32)),
        *((name, ctypes.c_uint64) for name in ("netns_dev", "netns_ino")),
        *((name, U32) for name in ("nr_jited_ksyms", "nr_jited_func_lens")),
        *((name, ctypes.c_uint64) for name in ("jited_ksyms", "jited_func_lens")),
        *((name, U32) for name in ("btf_id", "func_info_rec_size")),
        ("func_info", ctypes.c_uint64),
        *((name, U32) for name in ("nr_func_info", "nr_line_info")),
        *((name, ctypes.c_uint64) for name in ("line_info", "jited_line_info")),
        *((name, U32) for name in ("nr_jited_line_info", "line_info_rec_size", "jited_line_info_rec_size", "nr_tags")),
        *((name, ctypes.c_uint64) for name in ("prog_tags", "run_time_ns", "run_cnt", "recursion_misses")),
        *((name, U32) for name in ("verified_insns", "attach_btf_obj_id", "attach_btf_id", "padding")),
    ]


class VerifierLog:
    """Room for the verifier's log: as much as a kernel takes, so that no log that can be read to its end is cut.

    It is this process's own memory, and only what is written to becomes real: so it costs nothing until there is a log,
    and is gone with the case.
    """

    def __init__(self, size=None):
        self.size = size or log_room(os.uname().release, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
        self.memory = mmap.mmap(-1, self.size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        self.address = ctypes.addressof(ctypes.c_char.from_buffer(self.memory))

    def clear(self):
        """Forget the log."""
        if self.memory[0]:
            self.memory[0] = 0

    def full(self):
        """Say whether there may have been no room for all of it."""
        return self._length() >= self.size - LOG_HEAD

    def text(self):
        """Return the log; of one that is long only the beginning and the end, and how much is missing between them."""
        length = self._length()
        if length <= LOG_HEAD + LOG_TAIL:
            return self._part(0, length).strip()
        head, tail = self._part(0, LOG_HEAD), self._part(length - LOG_TAIL, length)
        head, tail = head[: head.rfind("\n") + 1], tail[tail.find("\n") + 1 :]
        left_out = length - len(head) - len(tail)
        return f"{head}[bpfmatrix: {left_out} of {length} bytes are left out here]\n{tail}".strip()

    def _length(self):
        found = self.memory.find(b"\0")
        return self.size if found < 0 else found

    def _part(self, start, end):
        return self.memory[start:end].decode(errors="replace")


def log_room(release, memory):
    """Return how many bytes the verifier's log gets on a kernel of this release, in a guest with so much memory."""
    major, minor = ([int(part) for part in release.split("-")[0].split(".")[:2] if part.isdigit()] + [0, 0])[:2]
    most = LOG_ROOM if (major, minor) >= (5, 2) else LOG_ROOM_BEFORE_5_2
    return min(most, memory // 4)


class BpfObject:
    """An opened object file and its programs."""

    def __init__(self, lib, path, only=None):
        self._lib, self._path, self._only, self._prepared = lib, path, only, []
        self.handle = lib.pointer("bpf_object__open_file", os.fsencode(path), None)
        self.programs = lib.programs(self.handle)
        for name, program in self.programs.items():
            if only is not None and name not in only:
                lib.call("bpf_program__set_autoload", program, False)
        for program in self.programs.values():
            # With a buffer and log level 0, libbpf asks for the log only when a load has failed, and loads again
            # (bpf_object_load_prog()): so errno is that of a load with the log.
            lib.call("bpf_program__set_log_buf", program, lib.log.address, lib.log.size)

    def prepare(self, act):
        """Do with this object what must be done before it is loaded, and remember it."""
        act(self)
        self._prepared.append(act)

    def load(self):
        """Load all maps and programs; Refused names the program that was refused, with the verifier's log."""
        self._lib.log.clear()
        try:
            self._lib.call("bpf_object__load", self.handle)
        except Refused as refusal:
            refusal.log = self._lib.log.text()
            if refusal.number == errno.ENOSPC and self._lib.log.full():
                self._without_log(refusal)
            raise

    def _without_log(self, refusal):
        """Find out what a load is refused with whose log is longer than there is room for, which is ENOSPC by itself.

        An object is loaded but once, so another of the same file is prepared in the same way. With BPF_LOG_STATS alone
        the verifier writes no states, but still what is wrong (kernel/bpf/verifier.c, verbose()).
        """
        again = BpfObject(self._lib, self._path, self._only)
        for act in self._prepared:
            act(again)
        for program in again.programs.values():
            self._lib.call("bpf_program__set_log_level", program, BPF_LOG_STATS)
        self._lib.log.clear()
        try:
            self._lib.call("bpf_object__load", again.handle)
        except Refused as real:
            refusal.number, refusal.detail = real.number, real.detail
            refusal.log += (
                f"\n[bpfmatrix: there was no room for all of the log; loaded without it:]\n{self._lib.log.text()}"
            )

    def program(self, name):
        """Return a program by name; Refused with ENOENT where there is none."""
        if name not in self.programs:
            raise Refused(errno.ENOENT, f"the object has no program {name}", api="bpf_object__find_program_by_name")
        return self.programs[name]

    def map(self, name):
        """Return a map by name; Refused with ENOENT where there is none."""
        return self._lib.pointer("bpf_object__find_map_by_name", self.handle, name.encode())


class EventReader:
    """Reads a perf event array; decoded events in the order of their time stamps."""

    def __init__(self, lib, map_fd):
        self._lib, self.lost, self._records = lib, 0, []
        self._on_sample, self._on_lost = SAMPLE_FN(self._sample), LOST_FN(self._lose)
        self._buffer = lib.pointer("perf_buffer__new", map_fd, PERF_PAGES, self._on_sample, self._on_lost, None, None)

    def _sample(self, _context, _cpu, data, size):
        if len(self._records) < EVENT_LIMIT:
            self._records.append(ctypes.string_at(data, size))
        else:
            self.lost += 1

    def _lose(self, _context, _cpu, count):
        self.lost += count

    def read(self, *, enough, seconds):
        """Return all events that have come; wait at most `seconds` until `enough(events)` holds."""
        end = time.monotonic() + seconds
        self._lib.call("perf_buffer__consume", self._buffer)
        while not enough(events := self._events()) and time.monotonic() < end:
            self._lib.call("perf_buffer__poll", self._buffer, 20)
        self._records.clear()
        return events

    def _events(self):
        # sort() is stable: records of one CPU keep their order even where the clock stands still.
        return sorted((decode_event(record) for record in self._records), key=lambda event: event["time_ns"])


def decode_trace(record):
    """Return the fields of one `struct trace_record`."""
    kind, flags, retval, value = TRACE.unpack(record)
    event = {"kind": KINDS.get(kind, f"kind-{kind}"), "retval": retval if flags & HAS_RETVAL else None}
    if flags & HAS_VALUE:
        event["value"] = value
    return event


def decode_event(record):
    """Return the fields of one `struct event`; a record of another size is shown as it is."""
    if len(record) < EVENT.size:
        return {"time_ns": 0, "kind": "undecodable", "raw": record.hex()}
    time_ns, kind, flags, retval, family, sport, dport, saddr, daddr = EVENT.unpack_from(record)
    event = {"time_ns": time_ns, "kind": KINDS.get(kind, f"kind-{kind}")}
    if flags & HAS_CONNECTION:
        size = 16 if family == socket.AF_INET6 else 4
        known = family in (socket.AF_INET, socket.AF_INET6)
        event["family"] = family
        event["saddr"] = socket.inet_ntop(family, saddr[:size]) if known else saddr.hex()
        event["sport"] = sport
        event["daddr"] = socket.inet_ntop(family, daddr[:size]) if known else daddr.hex()
        event["dport"] = dport
    event["retval"] = retval if flags & HAS_RETVAL else None
    return event


# --- links ---------------------------------------------------------------------------------------------------


class BpfLink:
    """A link of libbpf."""

    def __init__(self, lib, handle):
        self._lib, self._handle = lib, handle

    def fd(self):
        """Return the link's file descriptor."""
        return self._lib.call("bpf_link__fd", self._handle)

    def close(self):
        """Detach."""
        self._lib.call("bpf_link__destroy", self._handle)


class FdLink:
    """A link that is a file descriptor."""

    def __init__(self, fd):
        self._fd = fd

    def fd(self):
        """Return the link's file descriptor."""
        return self._fd

    def close(self):
        """Detach."""
        os.close(self._fd)


class CallLink:
    """A program that is detached by calls of one's own, in their order."""

    def __init__(self, *calls):
        self._calls = calls

    def close(self):
        """Detach."""
        for call in self._calls:
            call()


class SocketLink:
    """A program attached to a socket; it goes with the socket."""

    def __init__(self, ends, detach=27):  # SO_DETACH_BPF
        self._ends, self._option = ends, detach

    def close(self):
        """Detach."""
        self._ends[1].setsockopt(socket.SOL_SOCKET, self._option, 0)


def attach_to_socket(end, option, fd):
    """Attach a program to a socket; Refused where the kernel refuses."""
    try:
        end.setsockopt(socket.SOL_SOCKET, option, fd)
    except OSError as error:
        raise Refused(error.errno, f"setsockopt(2), option {option}", api="setsockopt") from error


PERF_EVENT_OPEN = {"x86_64": 298, "aarch64": 241, "riscv64": 241, "s390x": 331, "ppc64le": 319}
BPF_SYSCALL = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
# How ioctl(2) says "no argument" and "writes": include/uapi/asm-generic/ioctl.h, else the machine's own.
IOCTL_BITS = {"ppc64le": (1 << 29, 4 << 29)}
IOCTL_BITS_GENERIC = (0, 1 << 30)
BPF_PROG_LOAD, BPF_OBJ_GET_INFO_BY_FD, BPF_LINK_CREATE = 5, 15, 28
FINIT_MODULE = {"x86_64": 313, "aarch64": 273, "riscv64": 273, "s390x": 344, "ppc64le": 353}
DELETE_MODULE = {"x86_64": 176, "aarch64": 106, "riscv64": 106, "s390x": 129, "ppc64le": 129}
CLONE_NEWNET, PR_SET_CHILD_SUBREAPER = 0x40000000, 36
PROG_TYPE_EXT, BTF_KIND_FUNC = 28, 12
STRUCT_OPS = 27  # BPF_PROG_TYPE_STRUCT_OPS
BPF_COMMANDS = {5: "BPF_PROG_LOAD", 15: "BPF_OBJ_GET_INFO_BY_FD", 28: "BPF_LINK_CREATE"}


def bpf(command, attributes):
    """Call bpf(2) itself, where libbpf would try other ways when one is refused."""
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(BPF_SYSCALL[os.uname().machine], command, attributes, len(attributes))
    if result < 0:
        raise Refused(ctypes.get_errno(), f"bpf(2), command {command}", api=BPF_COMMANDS[command])
    return result


def ioctl_request(letter, number, size=0):
    """Return a request of ioctl(2), _IO(letter, number) or, with a size, _IOW(); ppc64le has bits of its own."""
    none, write = IOCTL_BITS.get(os.uname().machine, IOCTL_BITS_GENERIC)
    return (write if size else none) | size << 16 | ord(letter) << 8 | number


def perf_event_open(attributes, pid):
    """Open a perf event for a process on any processor; return its file descriptor."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.syscall(PERF_EVENT_OPEN[os.uname().machine], attributes, pid, -1, -1, 0)
    if fd < 0:
        raise Refused(ctypes.get_errno(), "perf_event_open", api="perf_event_open")
    return fd


# --- rtnetlink: devices, addresses, routes and filters in a network namespace of a case's own ------------------------

RTM_NEWLINK, RTM_NEWADDR, RTM_NEWROUTE, RTM_DELROUTE, RTM_NEWTFILTER, RTM_DELTFILTER = 16, 20, 24, 25, 44, 45
NLM_F_REQUEST, NLM_F_ACK, NLM_F_CREATE = 1, 4, 0x600  # the last with NLM_F_EXCL: what is there already is refused


def attribute(kind, *parts):
    """Return one attribute (struct rtattr), padded; what is nested in it is given as its parts."""
    body = b"".join(parts)
    return struct.pack("=HH", 4 + len(body), kind) + body + bytes(-len(body) % 4)


def rtnetlink(kind, flags, *parts):
    """Send one message of rtnetlink(7) and wait for its answer; Refused with the kernel's errno."""
    body = b"".join(parts)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.send(struct.pack("=IHHII", 16 + len(body), kind, NLM_F_REQUEST | NLM_F_ACK | flags, 1, 0) + body)
        number = struct.unpack_from("=i", link.recv(8192), 16)[0]
    if number:
        raise Refused(-number, f"rtnetlink(7), message {kind}", api="rtnetlink")


def ifinfo(name, index=0):
    """Return the head of a message about a device that is to be up, and its name."""
    # struct ifinfomsg: family, type, index, flags and which of them change (IFF_UP); IFLA_IFNAME
    return struct.pack("=BxHiII", 0, 0, index, 1, 1) + attribute(3, name + b"\0")


@contextlib.contextmanager
def unprivileged():
    """Be `nobody` for a while: with another effective user id than 0 no capability is effective."""
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


# --- triggers ------------------------------------------------------------------------------------------------


def trigger_tcp_connect(_case, step):
    """Make one TCP connection over the loopback device; return its two ends as (address, port)."""
    family = socket.AF_INET6 if ":" in step["address"] else socket.AF_INET
    with socket.socket(family) as listener, socket.socket(family) as client:
        listener.settimeout(5)
        client.settimeout(5)
        listener.bind((step["address"], 0))
        listener.listen(1)
        client.connect(listener.getsockname())
        server, _ = listener.accept()
        with server:
            ends = {"client": list(client.getsockname()[:2]), "server": list(client.getpeername()[:2])}
            return {"ends": ends}


# An Ethernet frame with an IPv4 header and a TCP header, 127.0.0.1:1 -> 127.0.0.1:2.
PACKET = bytes.fromhex(
    "000000000000 000000000000 0800 4500003200000000400600007f0000017f000001"
    "00010002 00000000 00000000 5000 2000 0000 0000"
)


def trigger_run(case, step):
    """Let the kernel run a program by itself (BPF_PROG_TEST_RUN); return what it returned."""
    owner, name = step["program"].split(".")
    fd = case.program_fd(owner, name)
    data = (PACKET + bytes(step["data"]))[: step["data"]]
    buffer = ctypes.create_string_buffer(data, len(data)) if data else None
    words = struct.pack(f"={len(step['words'])}I", *step["words"])
    size = max(step["context"], len(words))
    context = ctypes.create_string_buffer(words, size) if size else None
    address = ctypes.cast(buffer, POINTER) if buffer else None
    # struct bpf_test_run_opts: data_in, data_out, their sizes; ctx_in, ctx_out, their sizes; retval, repeat, ...
    made = options(
        *((POINTER, address), (POINTER, None), (U32, len(data)), (U32, 0)),
        *((POINTER, ctypes.cast(context, POINTER) if context else None), (POINTER, None)),
        *((U32, size), (U32, 0), (U32, 0), (INT, step["repeat"]), (U32, 0), (U32, 0), (U32, 0), (U32, 0)),
    )
    case.lib.call("bpf_prog_test_run_opts", fd, ctypes.byref(made))
    retval = made.f8
    return {"retval": retval - (1 << 32) if retval >= 1 << 31 else retval}


# What is sent to the routes of lwt programs, by the program's section: number of struct lwt_bpf's attribute
# (LWT_BPF_IN, LWT_BPF_OUT, LWT_BPF_XMIT of include/uapi/linux/lwtunnel.h), address, bytes of payload.
LWT_ROUTES = {"lwt_in": (1, "10.9.9.1", 16), "lwt_out": (2, "10.9.9.2", 17), "lwt_xmit": (3, "10.9.9.3", 18)}
NETKIT_PREFIX, NETKIT_OWN, NETKIT_PEER = 24, "10.9.8.1", "10.9.8.2"


def send_datagrams(*datagrams):
    """Send bytes to addresses, given as (address, how many); that a program drops one (EPERM) is no error."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for address, count in datagrams:
            with contextlib.suppress(PermissionError):
                sender.sendto(b"x" * count, (address, 9))


def sockmap_send(lib, sockets, which):
    """Put one end of a TCP connection (0: the sender, 1: the receiver) into the map `sockets`; send 16 bytes."""
    with socket.socket() as listener, socket.socket() as sender:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        sender.connect(listener.getsockname())
        receiver, _ = listener.accept()
        with receiver:
            key, value = ctypes.c_uint32(0), ctypes.c_uint32((sender, receiver)[which].fileno())
            lib.call("bpf_map_update_elem", sockets, ctypes.byref(key), ctypes.byref(value), 0)
            sender.send(b"x" * 16)
            if select.select([receiver], [], [], 0.2)[0]:  # a program may have dropped it
                receiver.recv(64)


def rewrite_sysctl(name):
    """Read a sysctl and write what it is: one system call each."""
    fd = os.open(sysctl_path(name), os.O_RDWR)
    os.pwrite(fd, os.read(fd, 256).strip(), 0)
    os.close(fd)


def call_prctl(_case, libc):
    """Ask prctl(2) for an option that there is not; the rest are its arguments."""
    libc.prctl(23456, *map(ctypes.c_ulong, (34567, 0, 0, 0)))


def call_labs(_case, libc):
    """Call labs() of libc."""
    libc.labs.argtypes, libc.labs.restype = [ctypes.c_long], ctypes.c_long
    libc.labs(-42)


def call_socket_send(case, _libc):
    """Send a datagram to the filtered socket; that an earlier one was dropped there does not keep it."""
    case.sockets[0].getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    case.sockets[0].send(b"x" * 16)


def call_udp_loopback(_case, _libc):
    """Send a datagram over the loopback device."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind(("127.0.0.1", 0))
        link.sendto(b"x" * 16, link.getsockname())


def call_udp_bind(_case, _libc):
    """Make a socket, bind it, and close it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.bind(("127.0.0.1", 4711))


def call_socket_options(_case, _libc):
    """Set one option of a socket and get another."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, 42)
        link.getsockopt(socket.IPPROTO_IP, socket.IP_TOS)


def call_touch_memory(case, libc):
    """Let each perf event of the case fire once, by page faults."""
    for fd in case.perf_events:  # PERF_EVENT_IOC_REFRESH
        libc.ioctl(fd, ctypes.c_ulong(ioctl_request("$", 2)), ctypes.c_ulong(1))
    # A fault may bring 64 KiB at once: as one page, or as 16 (images/init). So each step is into fresh memory.
    with mmap.mmap(-1, 16 * FOLIO_BYTES) as memory:
        for start in range(0, len(memory), FOLIO_BYTES):
            memory[start] = 1


CALLS = {
    # Of a process by its number, or security_task_getpgid() is not asked; it may be told to refuse.
    "getpgid": lambda _case, libc: libc.getpgid(os.getpid()),
    "prctl": call_prctl,
    "nanosleep": lambda _case, _libc: time.sleep(0.001),
    "labs": call_labs,
    "socket-send": call_socket_send,
    "udp-loopback": call_udp_loopback,
    "touch-memory": call_touch_memory,
    "rename-task": lambda _case, libc: libc.prctl(15, b"renamed", 0, 0, 0),  # PR_SET_NAME
    "atoi": lambda _case, libc: libc.atoi(b"1234567"),
    "udp-bind": call_udp_bind,
    "socket-options": call_socket_options,
    "write-sysctl": lambda _case, _libc: rewrite_sysctl("kernel.domainname"),
    "open-device": lambda _case, _libc: os.close(os.open("/dev/full", os.O_RDONLY)),
    "sockmap-send": lambda case, _libc: sockmap_send(case.lib, *case.sockmap),
    "udp-routes": lambda _case, _libc: send_datagrams(*((to, count) for _, to, count in LWT_ROUTES.values())),
    "udp-device": lambda _case, _libc: send_datagrams((NETKIT_PEER, 16)),
}


def trigger_call(case, step):
    """Make one of the calls that targets are attached to."""
    CALLS[step["name"]](case, ctypes.CDLL("libc.so.6"))


def trigger_read_iterator(case, step):
    """Read an iterator to its end."""
    _, name = step["program"].split(".")
    fd = case.lib.call("bpf_iter_create", case.link_fd(name))
    with open(fd, "rb", buffering=0) as file:
        while file.read(4096):
            pass


TRIGGERS = {
    "tcp-connect": trigger_tcp_connect,
    "run": trigger_run,
    "call": trigger_call,
    "read-iterator": trigger_read_iterator,
}


# --- one case ------------------------------------------------------------------------------------------------


class Case:
    """Executes the steps of one case, in the child process that is its own."""

    def __init__(self, reporter, lib, case):
        self._reporter, self._lib, self._case = reporter, lib, case
        self._objects, self._links, self._readers, self._ends = {}, {}, {}, {}
        self._attached: collections.Counter[tuple[str, str]] = collections.Counter()
        self.lib, self.sockets, self.perf_events = lib, None, []
        self.sockmap = self._loopback = None

    def program_fd(self, owner, name):
        """Return the file descriptor of a loaded program."""
        return self._lib.call("bpf_program__fd", self._objects[owner].program(name))

    def link_fd(self, name):
        """Return the file descriptor of a link."""
        return self._links[name].fd()

    def run(self):
        """Execute the steps in order, until one fails that was not to; report each."""
        for index, step in enumerate(self._case["steps"]):
            self._lib.messages.clear()
            self._lib.debug.clear()
            self._reporter.mark(self._case["id"], index)
            start = time.monotonic()
            report = {"index": index, "stage": step["stage"], "op": step["op"], "what": step["what"]}
            if "phase" in step:
                report["phase"] = step["phase"]
            try:
                # What a step with "skip" has there is reported as found, and nothing is done (harness/mutants/).
                found = step["skip"] if "skip" in step else getattr(self, "do_" + step["op"].replace("-", "_"))(step)
                report.update(ok=True, **(found or {}))
            except Refused as refusal:
                report.update(ok=False, refused=True, errno=refusal.number, errno_name=errno_name(refusal.number))
                report.update(detail=refusal.detail or os.strerror(refusal.number), log=refusal.log)
                report["debug"] = [line.decode(errors="replace").rstrip("\n") for line in self._lib.debug]
                report["asked"] = self._asked(step, refusal)
            except OSError as error:
                report.update(ok=False, refused=False, errno=error.errno, errno_name=errno_name(error.errno or 0))
                report.update(detail=f"{type(error).__name__}: {error}")
            report["seconds"] = round(time.monotonic() - start, 6)
            self._reporter.hold("step", case=self._case["id"], **report)
            if self._case.get("alone"):
                self._reporter.flush()  # it may well kill the guest, and what it showed until then is its answer
            self._reporter.at(-1)
            if not report["ok"] and not step.get("go_on"):
                return

    def _asked(self, step, refusal):
        """Return what a refused step asked for, and what this kernel knows of it."""
        asked = {"api": refusal.api}
        owner = step.get("program_object", step.get("object"))
        item = self._objects.get(owner)
        if item is None:
            return asked
        # What of an object was refused, libbpf says; every other step names its program.
        name = step.get("program") or between(refusal.detail, "prog '", "'")
        if name in item.programs:
            asked |= {"program": name, "attached": self._attached[owner, name]}
            first = step["op"] in {"load", "attach"} and not asked["attached"]
            asked |= self._lib.asked_of_program(item.programs[name], refusal, loading=step["op"] == "load", first=first)
        name = between(refusal.detail, "map '", "'")
        handle = self._lib.found("bpf_object__find_map_by_name", item.handle, name.encode()) if name else None
        if handle:
            asked |= {"map": name, **self._lib.asked_of_map(handle, refusal)}
        if step["op"] == "set-attach-target":
            btf = self._lib.found("bpf_object__btf", self._objects[step["target_object"]].handle)
            state = "none" if not btf else "refused" if self._lib.found("btf__fd", btf) < 0 else "loaded"
            asked |= {"target": step["target"], "function": step["function"], "target_btf": state}
        return asked

    def do_open(self, step):
        """Open an object file."""
        self._objects[step["object"]] = BpfObject(self._lib, step["path"], step.get("only"))

    def do_load(self, step):
        """Load an opened object, as a user without capabilities where the step says so."""
        with unprivileged() if step.get("unprivileged") else contextlib.nullcontext():
            self._objects[step["object"]].load()

    def do_load_raw(self, step):
        """Load a tracer by bpf(2) itself, for a type of the target's BTF that libbpf has not looked up."""
        program = self._objects[step["object"]].program(step["program"])
        kind = self._lib.call("bpf_program__type", program)
        attach_type = self._lib.call("bpf_program__expected_attach_type", program)
        count, code = (self._lib.call(f"bpf_program__{what}", program) for what in ("insn_cnt", "insns"))
        words = ctypes.create_string_buffer(b"Dual MIT/GPL")
        # union bpf_attr of BPF_PROG_LOAD: prog_type, insn_cnt, insns, license; log_level, log_size, log_buf;
        # kern_version, prog_flags, prog_name, prog_ifindex, expected_attach_type; prog_btf_fd and the function and
        # line information (none); attach_btf_id, attach_prog_fd, and padding.
        before = struct.pack("=IIQQ", kind, count, code, ctypes.addressof(words))
        after = struct.pack("=II16sII", 0, 0, step["program"].encode()[:15], 0, attach_type)
        after += struct.pack("=IIQIIQI", 0, 0, 0, 0, 0, 0, 0)
        target = self.program_fd(step["target_object"], step["target"])
        btf_id = step["btf_id"] if "btf_id" in step else self.btf_id(target, step["target"])
        after += struct.pack("=III", btf_id, target, 0)
        log = self._lib.log
        log.clear()
        try:
            os.close(bpf(BPF_PROG_LOAD, before + struct.pack("=IIQ", 0, 0, 0) + after))
        except Refused as refusal:  # with the kernel's errno; once more for its log, which may be too long
            with contextlib.suppress(Refused):
                os.close(bpf(BPF_PROG_LOAD, before + struct.pack("=IIQ", 1, log.size, log.address) + after))
            refusal.log = log.text()
            raise

    def do_share_map(self, step):
        """Make an object use the map of another that is loaded already."""
        source = self._objects[step["from_object"]].map(step["from_map"])
        fd = self._lib.call("bpf_map__fd", source)
        self._objects[step["object"]].prepare(
            lambda item: self._lib.call("bpf_map__reuse_fd", item.map(step["map"]), fd)
        )

    def do_set_attach_target(self, step):
        """Tell a tracer which program, and which function of it, it will be attached to."""
        target = self._objects[step["target_object"]].program(step["target"])
        fd, function = self._lib.call("bpf_program__fd", target), step["function"].encode()
        self._objects[step["object"]].prepare(
            lambda item: self._lib.call("bpf_program__set_attach_target", item.program(step["program"]), fd, function)
        )

    def do_set_attach_type(self, step):
        """Give a program an attach type that libbpf has no section name for."""
        self._objects[step["object"]].prepare(
            lambda item: self._lib.call(
                "bpf_program__set_expected_attach_type", item.program(step["program"]), step["type"]
            )
        )

    def do_attach(self, step):
        """Attach a program as its section says, or by a command of bpf(2); the link has a name."""
        program = self._objects[step["object"]].program(step["program"])
        name = step.get("link", step["program"])
        if step.get("api") == "raw-tracepoint-open":
            fd = self._lib.call("bpf_raw_tracepoint_open", None, self._lib.call("bpf_program__fd", program))
            self._links[name] = FdLink(fd)
        elif step.get("api") == "link-create":
            self._links[name] = self._link_create(program, step)
        else:
            section = self._lib.section(program)
            attach = next((how for prefix, how in ATTACHERS.items() if section.startswith(prefix)), None)
            if attach is None:
                self._links[name] = BpfLink(self._lib, self._lib.pointer("bpf_program__attach", program))
            else:
                self._links[name] = attach(self, program)
        self._attached[step["object"], step["program"]] += 1

    def _link_create(self, program, step):
        target_fd = btf_id = 0
        if "target" in step:
            target_fd = self.program_fd(step["target_object"], step["target"])
            if self._lib.call("bpf_program__type", program) == PROG_TYPE_EXT:
                function = step["function"].encode()
                attached = self._lib.pointer("bpf_program__attach_freplace", program, target_fd, function)
                return BpfLink(self._lib, attached)
            btf_id = self.btf_id(target_fd, step["function"])
        # union bpf_attr of BPF_LINK_CREATE: prog_fd, target_fd, attach_type, flags, then tracing's target_btf_id and
        # cookie. libbpf's bpf_link_create() would fall back on BPF_RAW_TRACEPOINT_OPEN.
        kind = self._lib.call("bpf_program__expected_attach_type", program)
        fd = self._lib.call("bpf_program__fd", program)
        cookie = step.get("cookie", 0)
        return FdLink(bpf(BPF_LINK_CREATE, struct.pack("=IIIIIIQ", fd, target_fd, kind, 0, btf_id, 0, cookie)))

    def btf_id(self, fd, function):
        """Return the number of a function in the BTF of a loaded program; Refused with ENOENT where it has none.

        What libbpf reads for it ends with this process.
        """
        btf = self._lib.pointer("btf__load_from_kernel_by_id", self._info(ProgInfo(), fd)["btf_id"])
        return self._lib.call("btf__find_by_name_kind", btf, function.encode(), BTF_KIND_FUNC)

    def do_tail_call(self, step):
        """Put a program into a slot of a program array, or empty the slot."""
        array = self._lib.call("bpf_map__fd", self._objects[step["object"]].map(step["map"]))
        key = ctypes.c_uint32(step["index"])
        if not step["program"]:
            self._lib.call("bpf_map_delete_elem", array, ctypes.byref(key))
            return
        program = self._objects[step["program_object"]].program(step["program"])
        value = ctypes.c_uint32(self._lib.call("bpf_program__fd", program))
        self._lib.call("bpf_map_update_elem", array, ctypes.byref(key), ctypes.byref(value), 0)

    def do_listen(self, step):
        """Start to read an events map."""
        events = self._objects[step["object"]].map(step["map"])
        self._readers[step["map"]] = EventReader(self._lib, self._lib.call("bpf_map__fd", events))

    def do_trigger(self, step):
        """Make the target run; the ends of a connection tell its events from others."""
        found = TRIGGERS[step["kind"]](self, step) or {}
        self._ends = found.get("ends", {})
        return found

    def do_observe(self, step):
        """Report the events; wait a little for those that are still to come."""
        ports = {end[1] for end in self._ends.values()}

        def ours(event):
            # Nobody else writes to this map: what cannot be decoded is shown as it is.
            return "raw" in event or not ports.isdisjoint((event.get("sport"), event.get("dport")))

        def enough(events):
            return sum(map(ours, events)) >= step["count"]

        reader = self._readers[step["map"]]
        events = reader.read(enough=enough, seconds=step["seconds"])
        for event in events:
            self._reporter.hold("event", case=self._case["id"], phase=step["phase"], ours=ours(event), event=event)
        return {"events": len(events), "lost": reader.lost}

    def do_read_trace(self, step):
        """Report the records of the trace map and empty it.

        Each record is made zeroes: a program that shares the cursor, but not the records, would else show old ones.
        """
        item = self._objects[step["object"]]
        cursor = self._lib.call("bpf_map__fd", item.map("trace_cursor"))
        trace = self._lib.call("bpf_map__fd", item.map("trace"))
        key, count = ctypes.c_uint32(0), ctypes.c_uint32(0)
        self._lib.call("bpf_map_lookup_elem", cursor, ctypes.byref(key), ctypes.byref(count))
        buffer = ctypes.create_string_buffer(TRACE.size)
        kept = min(count.value, TRACE_LIMIT)
        for index in range(kept):
            place = ctypes.byref(ctypes.c_uint32(index))
            self._lib.call("bpf_map_lookup_elem", trace, place, buffer)
            self._lib.call("bpf_map_update_elem", trace, place, bytes(TRACE.size), 0)
            event = decode_trace(buffer.raw)
            self._reporter.hold("event", case=self._case["id"], phase=step["phase"], ours=True, event=event)
        zero = ctypes.c_uint32(0)
        self._lib.call("bpf_map_update_elem", cursor, ctypes.byref(key), ctypes.byref(zero), 0)
        return {"events": kept, "lost": count.value - kept, **self._programs(step)}

    def do_wait(self, step):
        """Let time pass."""
        time.sleep(step["seconds"])

    def do_detach(self, step):
        """Close a link."""
        self._links.pop(step["link"]).close()

    def do_info(self, step):
        """Report what the kernel says of a link or a program, the ids of all programs, and some programs' infos."""
        if "link" in step:
            info = self._info(LinkInfo(), self._links[step["link"]].fd())
        else:
            info = self.program_info(step["object"], step["program"])
        return {"info": info, "ids": self._ids(), **self._programs(step)}

    def _programs(self, step):
        """Return what is known of the programs that a step names beside its own."""
        if "programs" not in step:
            return {}
        return {"programs": {name: self.program_info(*name.split(".")) for name in step["programs"]}}

    def program_info(self, owner, name):
        """Return a program's bpf_prog_info, with where its code begins, and the number of its function in its BTF."""
        fd = self.program_fd(owner, name)
        first = ctypes.c_uint64(0)
        info = ProgInfo(nr_jited_ksyms=1, jited_ksyms=ctypes.addressof(first))
        found = self._info(info, fd) | {"name": info.name.decode(errors="replace"), "jited_address": first.value}
        del found["jited_ksyms"]  # an address of this process
        with contextlib.suppress(Refused):
            found["function_btf_id"] = self.btf_id(fd, name)
        return found

    def do_enable_stats(self, _step):
        """Count the runs of programs until the case ends (BPF_STATS_RUN_TIME)."""
        self._lib.call("bpf_enable_stats", 0)

    def _info(self, info, fd):
        size = ctypes.c_uint32(ctypes.sizeof(info))
        self._lib.call("bpf_obj_get_info_by_fd", fd, ctypes.byref(info), ctypes.byref(size))
        plain = [(name, getattr(info, name)) for name, *_ in info._fields_]
        return {name: value for name, value in plain if isinstance(value, int)} | {"info_len": size.value}

    def _ids(self):
        found = {}
        for owner, item in self._objects.items():
            for name, program in item.programs.items():
                with contextlib.suppress(Refused):
                    fd = self._lib.call("bpf_program__fd", program)
                    found[f"{owner}.{name}"] = self._info(ProgInfo(), fd)["id"]
        return found

    # --- attaching what libbpf does not attach by itself ---

    def attach_cgroup(self, program):
        """Attach to a cgroup of this process's own."""
        folder = "/sys/fs/cgroup/bpfmatrix"
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(os.getpid()))
        fd = os.open(folder, os.O_RDONLY)
        return BpfLink(self._lib, self._lib.pointer("bpf_program__attach_cgroup", program, fd))

    def attach_netns(self, program):
        """Attach to this process's network namespace."""
        fd = os.open("/proc/self/ns/net", os.O_RDONLY)
        return BpfLink(self._lib, self._lib.pointer("bpf_program__attach_netns", program, fd))

    def own_loopback(self):
        """Move this process into a network namespace of its own; return the index of its loopback device, now up."""
        if self._loopback is not None:
            return self._loopback
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
            # struct ifreq: name, flags (IFF_UP); SIOCSIFFLAGS
            libc.ioctl(link.fileno(), 0x8914, struct.pack("=16sH22x", b"lo", 1))
        for name, value in self._case.get("sysctls", {}).items():
            # Some are the namespace's own; those that are not are there only in the first one.
            if name.startswith("net.") and os.path.exists(sysctl_path(name)):
                set_sysctl(name, value)
        self._loopback = socket.if_nametoindex("lo")
        return self._loopback

    def attach_xdp(self, program):
        """Attach to the loopback device of a network namespace of this process's own."""
        index = self.own_loopback()
        return BpfLink(self._lib, self._lib.pointer("bpf_program__attach_xdp", program, index))

    def attach_tcx(self, program):
        """Attach to the loopback device of a network namespace of this process's own."""
        index = self.own_loopback()
        return BpfLink(self._lib, self._lib.pointer("bpf_program__attach_tcx", program, index, None))

    def attach_tc(self, program):
        """Attach as a filter (cls_bpf, direct action) to what the loopback device of an own namespace receives."""
        hook, drop_hook = self._clsact()
        # struct bpf_tc_opts: prog_fd, flags, prog_id, handle, priority
        given = [(INT, self._lib.call("bpf_program__fd", program)), *((U32, value) for value in (0, 0, 1, 1))]
        self._lib.call("bpf_tc_attach", ctypes.byref(hook), ctypes.byref(options(*given)))
        gone = options((INT, 0), *given[1:])
        return CallLink(lambda: self._lib.call("bpf_tc_detach", ctypes.byref(hook), ctypes.byref(gone)), drop_hook)

    def attach_action(self, program):
        """Attach as the action (act_bpf) of a filter for all that the loopback device of an own namespace receives."""
        hook, drop_hook = self._clsact()
        # struct tcmsg: family, ifindex, handle, parent (ingress of clsact), priority and protocol (ETH_P_ALL)
        head = struct.pack("=BxxxiIII", 0, hook.f0, 1, 0xFFFFFFF2, 1 << 16 | socket.htons(3))
        head += attribute(1, b"matchall\0")  # TCA_KIND
        # TCA_ACT_BPF_PARMS (struct tc_act_bpf: index, capab, action (TC_ACT_PIPE), refcnt, bindcnt), _FD, _NAME
        fd = struct.pack("=I", self._lib.call("bpf_program__fd", program))
        made = attribute(2, struct.pack("=IIiii", 0, 0, 3, 0, 0)), attribute(5, fd), attribute(6, b"target\0")
        # TCA_ACT_KIND and TCA_ACT_OPTIONS of the first action; TCA_MATCHALL_ACT; TCA_OPTIONS
        action = attribute(1, attribute(1, b"bpf\0"), attribute(2, *made))
        rtnetlink(RTM_NEWTFILTER, NLM_F_CREATE, head, attribute(2, attribute(2, action)))
        return CallLink(lambda: rtnetlink(RTM_DELTFILTER, 0, head), drop_hook)

    def _clsact(self):
        """Give the loopback device of an own namespace the qdisc clsact; return its ingress, and what takes it away."""
        index = self.own_loopback()
        # struct bpf_tc_hook: ifindex, attach_point (BPF_TC_INGRESS 1, BPF_TC_EGRESS 2; both for the qdisc), parent
        hook, both = (options((INT, index), (INT, point), (U32, 0)) for point in (1, 3))
        self._lib.call("bpf_tc_hook_create", ctypes.byref(hook))
        return hook, lambda: self._lib.call("bpf_tc_hook_destroy", ctypes.byref(both))

    def attach_netkit(self, program):
        """Attach to the primary device of a pair (netkit) in a network namespace of this process's own."""
        self.own_loopback()
        set_sysctl("net.ipv6.conf.default.disable_ipv6", 1)  # else the devices send packets by themselves
        # IFLA_LINKINFO: IFLA_INFO_KIND, IFLA_INFO_DATA with IFLA_NETKIT_PEER_INFO
        pair = attribute(18, attribute(1, b"netkit\0"), attribute(2, attribute(1, ifinfo(b"peer"))))
        rtnetlink(RTM_NEWLINK, NLM_F_CREATE, ifinfo(b"primary"), pair)
        rtnetlink(RTM_NEWLINK, 0, ifinfo(b"peer", socket.if_nametoindex("peer")))  # it was made, but is not up
        index = socket.if_nametoindex("primary")
        own = socket.inet_aton(NETKIT_OWN)
        # struct ifaddrmsg: family, prefix length, flags, scope, index; IFA_ADDRESS, IFA_LOCAL
        head = struct.pack("=BBBBI", socket.AF_INET, NETKIT_PREFIX, 0, 0, index)
        rtnetlink(RTM_NEWADDR, NLM_F_CREATE, head, attribute(1, own), attribute(2, own))
        return BpfLink(self._lib, self._lib.pointer("bpf_program__attach_netkit", program, index, None))

    def attach_lwt(self, program):
        """Attach to a route of its own (a local address) in a network namespace of this process's own."""
        number, address, _ = LWT_ROUTES[self._lib.section(program)]
        index = self.own_loopback()
        # struct rtmsg: family, destination's and source's prefix, tos, RT_TABLE_LOCAL, RTPROT_STATIC, RT_SCOPE_HOST,
        # RTN_LOCAL, flags; RTA_DST, RTA_OIF
        head = struct.pack("=BBBBBBBBI", socket.AF_INET, 32, 0, 0, 255, 4, 254, 2, 0)
        head += attribute(1, socket.inet_aton(address)) + attribute(4, struct.pack("=I", index))
        # LWT_BPF_PROG_FD, LWT_BPF_PROG_NAME; RTA_ENCAP_TYPE (LWTUNNEL_ENCAP_BPF), RTA_ENCAP
        fd = struct.pack("=I", self._lib.call("bpf_program__fd", program))
        tunnel = attribute(number, attribute(1, fd), attribute(2, b"target\0"))
        rtnetlink(RTM_NEWROUTE, NLM_F_CREATE, head, attribute(21, struct.pack("=H", 6)), attribute(22, tunnel))
        return CallLink(lambda: rtnetlink(RTM_DELROUTE, 0, head))

    def attach_sockmap(self, program):
        """Attach to the map `sockets` of the program's object; the trigger puts sockets into it."""
        item = next(item for item in self._objects.values() if program in item.programs.values())
        sockets = self._lib.call("bpf_map__fd", item.map("sockets"))
        # An sk_msg program runs for the socket that sends, an sk_skb program for the one that receives.
        self.sockmap = sockets, int(self._lib.section(program).startswith("sk_skb"))
        fd = self._lib.call("bpf_program__fd", program)
        kind = self._lib.call("bpf_program__expected_attach_type", program)
        self._lib.call("bpf_prog_attach", fd, sockets, kind, 0)
        return CallLink(lambda: self._lib.call("bpf_prog_detach2", fd, sockets, kind))

    def attach_netfilter(self, program):
        """Attach to IPv4's NF_INET_LOCAL_OUT in a network namespace of this process's own."""
        self.own_loopback()
        # struct bpf_netfilter_opts: pf, hooknum, priority, flags
        made = options((U32, socket.AF_INET), (U32, 3), (ctypes.c_int32, -128), (U32, 0))
        return BpfLink(self._lib, self._lib.pointer("bpf_program__attach_netfilter", program, ctypes.byref(made)))

    def attach_socket(self, program):
        """Filter a socket pair of this process (SO_ATTACH_BPF)."""
        ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        fd = self._lib.call("bpf_program__fd", program)
        attach_to_socket(ends[1], 50, fd)
        self.sockets = ends
        return SocketLink(ends)

    def attach_reuseport(self, program):
        """Let the program choose among the sockets of a UDP port: there is one (SO_ATTACH_REUSEPORT_EBPF)."""
        ends = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
        ends[1].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        ends[1].bind(("127.0.0.1", 0))
        ends[0].connect(ends[1].getsockname())
        attach_to_socket(ends[1], 52, self._lib.call("bpf_program__fd", program))
        self.sockets = ends
        return SocketLink(ends, detach=68)  # SO_DETACH_REUSEPORT_BPF

    def attach_kprobe_multi(self, program):
        """Attach as libbpf does by itself, but to a function that is named whole without a search for it.

        libbpf before 1.7 searches all of the kernel's symbols even for that; where the kernel does not find it by its
        name, libbpf says what it would have said.
        """
        kind, _, function = self._lib.section(program).partition("/")
        if function and not any(character in function for character in "*?"):
            try:
                return self._attach_to_function(program, kind, function)
            except Refused as refusal:
                if refusal.number != errno.ESRCH:
                    raise
                self._lib.messages.clear()
        return BpfLink(self._lib, self._lib.pointer("bpf_program__attach", program))

    def _attach_to_function(self, program, kind, function):
        symbols = (TEXT * 1)(function.encode())
        # struct bpf_kprobe_multi_opts: syms, addrs, cookies, cnt, retprobe, session.
        made = options(
            *((POINTER, ctypes.addressof(symbols)), (POINTER, None), (POINTER, None), (SIZE, 1)),
            *((ctypes.c_bool, kind == "kretprobe.multi"), (ctypes.c_bool, kind == "kprobe.session")),
        )
        link = self._lib.pointer("bpf_program__attach_kprobe_multi_opts", program, None, ctypes.byref(made))
        return BpfLink(self._lib, link)

    def attach_map_iterator(self, program):
        """Attach to iterate over the map `elements` of the program's object."""
        item = next(item for item in self._objects.values() if program in item.programs.values())
        # union bpf_iter_link_info; struct bpf_iter_attach_opts: link_info, link_info_len.
        info = ctypes.c_uint32(self._lib.call("bpf_map__fd", item.map("elements")))
        made = options((POINTER, ctypes.addressof(info)), (U32, ctypes.sizeof(info)))
        return BpfLink(self._lib, self._lib.pointer("bpf_program__attach_iter", program, ctypes.byref(made)))

    def attach_perf_event(self, program):
        """Attach to every third page fault of this process (perf_event_open(2)); the trigger lets it fire once.

        Not to its clock: where that has a limit, 6.16 hangs in its timer (Linux commit eb3182ef0405).
        """
        # struct perf_event_attr: PERF_TYPE_SOFTWARE (1), size of the first version, PERF_COUNT_SW_PAGE_FAULTS (2),
        # a period so long that it does not fire while libbpf has it enabled.
        attributes = struct.pack("=IIQQQQQ", 1, 64, 2, 10**12, 0, 0, 0) + bytes(16)
        fd = perf_event_open(attributes, os.getpid())
        link = BpfLink(self._lib, self._lib.pointer("bpf_program__attach_perf_event", program, fd))
        libc = ctypes.CDLL(None)
        libc.ioctl(fd, ctypes.c_ulong(ioctl_request("$", 1)), 0)  # PERF_EVENT_IOC_DISABLE
        period = ctypes.c_uint64(3)  # PERF_EVENT_IOC_PERIOD
        libc.ioctl(fd, ctypes.c_ulong(ioctl_request("$", 4, size=8)), ctypes.byref(period))
        self.perf_events.append(fd)
        return link


ATTACHERS = {
    "cgroup": Case.attach_cgroup,
    "sockops": Case.attach_cgroup,
    "sk_lookup": Case.attach_netns,
    "flow_dissector": Case.attach_netns,
    "xdp": Case.attach_xdp,
    "tcx": Case.attach_tcx,
    "tc": Case.attach_tc,
    "action": Case.attach_action,
    "netkit": Case.attach_netkit,
    "lwt": Case.attach_lwt,
    "sk_msg": Case.attach_sockmap,
    "sk_skb": Case.attach_sockmap,
    "lsm_cgroup": Case.attach_cgroup,
    "netfilter": Case.attach_netfilter,
    "socket": Case.attach_socket,
    "sk_reuseport": Case.attach_reuseport,
    "iter/bpf_map_elem": Case.attach_map_iterator,
    "kprobe.multi": Case.attach_kprobe_multi,
    "kretprobe.multi": Case.attach_kprobe_multi,
    "kprobe.session": Case.attach_kprobe_multi,
    "perf_event": Case.attach_perf_event,
}


# --- the guest around the cases ------------------------------------------------------------------------------


class Messages:
    """Messages of the kernel: of very many the first and the last KMSG_HALF; `lost` counts those that are missing."""

    def __init__(self):
        self._head, self._tail, self._left_out, self.lost = [], [], 0, 0

    def add(self, line):
        """Take in one line."""
        if len(self._head) < KMSG_HALF:
            self._head.append(line)
            return
        self._tail.append(line)
        if len(self._tail) > 2 * KMSG_HALF:
            self._left_out += len(self._tail) - KMSG_HALF
            del self._tail[:-KMSG_HALF]

    def go_on(self, text):
        """Add to the line before, where there is one; else say so."""
        lines = self._tail or self._head
        if lines:
            lines[-1] += text
        return bool(lines)

    def fields(self):
        """Return the messages and how many are missing, as the protocol's lines have them."""
        tail = self._tail[-KMSG_HALF:]
        left_out = self._left_out + len(self._tail) - len(tail)
        note = [f"<6> [bpfmatrix: {left_out} messages are left out here]"] if left_out else []
        return {"kernel_log": [*self._head, *note, *tail], "kernel_log_lost": self.lost + left_out}


class KernelLog:
    """Reads what the kernel has logged since the last look (Documentation/ABI/testing/dev-kmsg).

    Every record has a number, counted from 0 since the kernel was started. So it is known how many were overwritten
    before they were read.
    """

    def __init__(self):
        self._fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
        self._next, self._caller = 0, None
        self._messages = Messages()
        self._take()  # there is more time now than when a restored guest goes on

    def read(self, wait=0.0):
        """Return the new messages, each as `<level> text`, and how many are missing, as the protocol's lines have them.

        Wait at most `wait` seconds for the first.
        """
        if wait:
            select.select([self._fd], [], [], wait)
        self._take()
        found, self._messages = self._messages, Messages()
        return found.fields()

    def _take(self):
        for _ in range(KMSG_RECORDS):  # a kernel that never stops is read on at the next look
            try:
                self._record(os.read(self._fd, 8192))
            except BlockingIOError:
                return
            except OSError as failure:
                # EPIPE: records were overwritten before they were read. EINVAL: one was too long, and is skipped.
                # In both cases the next record's number says how many are missing.
                if failure.errno not in (errno.EPIPE, errno.EINVAL):
                    raise

    def _record(self, record):
        """Take in `level,number,time,flags[,caller=...];text`; lines ` KEY=value` say what device it is about."""
        prefix, _, rest = record.partition(b";")
        level, number, _, flags, *more = prefix.decode().split(",")
        self._messages.lost += int(number) - self._next
        goes_on = flags == "c" and int(number) == self._next and more == self._caller
        self._next, self._caller = int(number) + 1, more
        text, *lines = unescaped(rest.partition(b"\n")[0]).decode(errors="replace").split("\n")
        # A fragment of a line that was begun by the record before.
        if not (goes_on and self._messages.go_on(text)):
            self._messages.add(f"<{int(level) & 7}> {text}")
        for line in lines:
            self._messages.add(f"<{int(level) & 7}> {line}")


def unescaped(text):
    r"""Return the bytes of a message: the kernel writes all but printable ASCII, and the backslash itself, as \xNN."""
    first, *rest = text.split(b"\\x")
    return first + b"".join(bytes.fromhex(part[:2].decode()) + part[2:] for part in rest)


def read_text(path):
    """Return a small file's text without white space at its ends, or None where it cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return os.read(fd, TEXT_LIMIT).decode(errors="replace").strip()
    except OSError:
        return None
    finally:
        os.close(fd)


def read_whole(path):
    """Return a file's text, however long it is; nothing where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def environment(lib):
    """Return what may matter for the outcomes, as the guest itself says it."""
    name = os.uname()
    return {
        "release": name.release,
        "version": name.version,
        "machine": name.machine,
        "btf": os.path.exists("/sys/kernel/btf/vmlinux"),
        "bpf_jit_enable": read_text("/proc/sys/net/core/bpf_jit_enable"),
        "bpf_jit_harden": read_text("/proc/sys/net/core/bpf_jit_harden"),
        "unprivileged_bpf_disabled": read_text("/proc/sys/kernel/unprivileged_bpf_disabled"),
        "ftrace_enabled": read_text("/proc/sys/kernel/ftrace_enabled"),
        "lockdown": read_text("/sys/kernel/security/lockdown"),
        "lsm": read_text("/sys/kernel/security/lsm"),
        "tainted": read_text("/proc/sys/kernel/tainted"),
        "cmdline": read_text("/proc/cmdline"),
        "init_uptime": os.environ.get("BPFMATRIX_UPTIME"),
        "uptime": round(time.clock_gettime(time.CLOCK_BOOTTIME), 2),
        "clear_warn_once": clear_warn_once(),
        "cpus": os.cpu_count(),
        "byte_order": sys.byteorder,
        "libbpf": lib.version(),
        "python": sys.version.split()[0],
    }


def sysctl_path(name):
    """Return the file of a sysctl."""
    return "/proc/sys/" + name.replace(".", "/")


def set_sysctl(name, value):
    """Write one sysctl and return what it was; OSError where there is none, or the kernel refuses."""
    path = sysctl_path(name)
    with open(path, encoding="ascii") as file:
        before = file.read().strip()
    with open(path, "w", encoding="ascii") as file:
        file.write(str(value))
    return before


def signal_name(number):
    """Return the name of a signal."""
    import signal  # noqa: PLC0415  (a twentieth of the agent's start, and hardly ever needed)

    return signal.Signals(number).name


def run_child(reporter, lib, case):
    """Run a case in a child process; return how that ended."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            Case(reporter, lib, case).run()
            status = 0
        except BaseException as error:  # whatever it is, the parent must learn of it
            reporter.send("agent-error", case=case["id"], detail=f"{type(error).__name__}: {error}"[:2000])
        finally:
            os._exit(status)
    watch = os.pidfd_open(pid)
    timed_out = not select.select([watch], [], [], case["deadline"])[0]
    if timed_out:
        os.kill(pid, SIGKILL)
    status = os.waitpid(pid, 0)[1]
    os.close(watch)
    return {
        "complete": os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0,
        "signal": signal_name(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else None,
        "timed_out": timed_out,
    }


def run_case(reporter, lib, log, case, *, before):
    """Run one case with its modules and sysctls, and report its end with the kernel's new messages.

    A case that needs another configuration of the kernel ends before that.
    `before` is what the guest was like before its first case (Surroundings). Return why no other case may run in this
    guest, or None.
    """
    start = time.monotonic()
    clear_warn_once()
    reporter.at(-1)
    reporter.send("case", case=case["id"], **log.read())  # with the end of the case before
    changed: dict[str, str] = {}
    before.prepare()
    try:
        end = configured_otherwise(case.get("kconfig", {})) or load_modules(case.get("modules", ()))
        own = loaded_modules() if case.get("modules") else set()
        end = end or set_sysctls(case.get("sysctls", {}), changed) or run_child(reporter, lib, case)
    finally:
        end_processes()
        stuck = [f"the sysctl {name}" for name in put_back(changed)]
    found = before.restore(case["id"])
    # A module that this kernel does not let go is nothing that the case did.
    left = [each for each in found if each["kind"] != "module" or each["name"] not in own]
    stuck += [f"the {each['kind']} {each['name']}" for each in found]
    seconds = round(time.monotonic() - start, 6)
    reporter.hold("case-end", case=case["id"], seconds=seconds, step=reporter.step, left=left, **end, **log.read())
    return f"after {case['id']} the guest is not as it was before: {', '.join(stuck)}"[:500] if stuck else None


def set_sysctls(wanted, changed):
    """Set a case's sysctls, and note in `changed` what they were; return its end where one cannot be set, else None."""
    for name, value in wanted.items():
        try:
            changed[name] = set_sysctl(name, value)
        except OSError as error:
            return unmet("sysctl", name, value=value, error=error, missing=not os.path.exists(sysctl_path(name)))
    return None


def put_back(changed):
    """Set sysctls to what they were; return those that cannot be: some can only be tightened."""
    stuck = []
    for name, value in reversed(changed.items()):
        try:
            set_sysctl(name, value)
            if read_text(sysctl_path(name)) != value:
                stuck.append(name)
        except OSError:  # kernel.unprivileged_bpf_disabled=1
            stuck.append(name)
    return stuck


def end_processes():
    """End what a case's process has started and not waited for: such a process becomes a child of this one."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                for child in children_of(os.getpid()):
                    os.kill(child, SIGKILL)  # its number is its own until it is waited for
                os.waitpid(-1, 0)


def children_of(parent):
    """Return the processes of which a process is the parent (proc(5): the second word behind the name in stat)."""
    stats = [(int(pid), read_text(f"/proc/{pid}/stat")) for pid in os.listdir("/proc") if pid.isdigit()]
    return [pid for pid, stat in stats if stat and int(stat.rpartition(")")[2].split()[1]) == parent]


def unmet(cause, name, *, value, error, missing, **more):
    """Return the end of a case that did not begin: a sysctl, a module or an option that it needs cannot be had."""
    precondition = {"cause": cause, "name": name, "value": value, "errno_name": errno_name(error.errno or 0)}
    ended = {"complete": True, "signal": None, "timed_out": False}
    return {**ended, "precondition": {**precondition, "missing": missing, **more}}


@functools.cache
def kernel_config():
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


def unquoted(value):
    """Return the value of an option; of text what is between its quotes (scripts/kconfig/confdata.c)."""
    if len(value) < 2 or not value.startswith('"'):
        return value
    parts = value[1:-1].split("\\\\")
    return "\\".join(part.replace('\\"', '"') for part in parts)


def has_value(found, wanted):
    """Say whether an option's value is the wanted one: an integer in any notation, else the same text."""
    if not isinstance(wanted, int):
        return found == wanted
    try:
        return int(found, 0) == wanted
    except ValueError:
        return False


def configured_otherwise(wanted):
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


def clear_warn_once():
    """Let each WARN_ONCE() warn again, so that it does not depend on which case came before (kernel/panic.c).

    Return whether that is possible: the file is debugfs', which a locked-down kernel does not open.
    """
    try:
        fd = os.open(CLEAR_WARN_ONCE, os.O_WRONLY)
    except OSError:
        return False
    try:
        os.write(fd, b"1")
    except OSError:
        return False
    finally:
        os.close(fd)
    return True


# --- what a case may leave behind -----------------------------------------------------------------------------


def loaded_modules():
    """Return the names of the modules that are loaded."""
    return {line.split(" ", 1)[0] for line in read_whole("/proc/modules").splitlines()}


def load_modules(modules):
    """Load what a case names, and what that needs; return the end of the case where that is not possible, else None.

    Each of `modules` has its `name`, its `files` in the order of loading, and whether it is `built_in`. What is loaded
    already, for the guest itself, is there; so is what the kernel has a folder for.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    for module in modules:
        name = module["name"].replace("-", "_")
        if not module["files"] and not module["built_in"] and not os.path.exists(f"/sys/module/{name}"):
            none = FileNotFoundError(errno.ENOENT, "no such module")
            return unmet("module", module["name"], value=None, error=none, missing=True)
        for path in module["files"]:
            fd = os.open(path, os.O_RDONLY)
            failed = libc.syscall(FINIT_MODULE[os.uname().machine], fd, b"", 0) != 0
            number = ctypes.get_errno()
            os.close(fd)
            if failed and number != errno.EEXIST:
                refused = OSError(number, "finit_module")
                return unmet("module", module["name"], value=None, error=refused, missing=False)
    return None


def remove_module(name):
    """Unload a module; one that another needs comes off with the next try."""
    ctypes.CDLL(None).syscall(DELETE_MODULE[os.uname().machine], name.encode(), os.O_NONBLOCK)


def trace_events():
    """Return the kprobes, uprobes and other events that were made in tracefs, each as `group/name`."""
    lines = read_whole("/sys/kernel/tracing/dynamic_events").splitlines()
    return {line.split(" ", 1)[0].partition(":")[2] for line in lines}


def remove_trace_event(name):
    """Remove an event from tracefs."""
    fd = os.open("/sys/kernel/tracing/dynamic_events", os.O_WRONLY | os.O_APPEND)
    try:
        os.write(fd, f"-:{name}\n".encode())
    finally:
        os.close(fd)


def subfolders(top):
    """Return the folders below `top`, as deep as they are; one is named before those within it."""
    try:
        with os.scandir(top) as entries:
            folders = [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return []
    return [found for folder in folders for found in (folder, *subfolders(folder))]


def mount_bpffs():
    """Mount an empty bpffs over the one that is there: what is pinned in it is gone with it."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"bpf", BPFFS, b"bpf", ctypes.c_ulong(0), None) != 0:
        raise OSError(ctypes.get_errno(), "a bpffs of the case's own cannot be mounted")


def unmount_bpffs():
    """Unmount the bpffs of a case, whoever still has a file of it open."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(BPFFS, MNT_DETACH) != 0:
        raise OSError(ctypes.get_errno(), "the bpffs of a case cannot be unmounted")


def remove_device(name):
    """Remove a network device (RTM_DELLINK)."""
    # struct nlmsghdr: length, type, flags (NLM_F_REQUEST), number, port; struct ifinfomsg: family, type, index, flags,
    # change (include/uapi/linux/netlink.h, rtnetlink.h).
    message = struct.pack("=IHHII", 32, 17, 1, 1, 0) + struct.pack("=BxHiII", 0, 0, socket.if_nametoindex(name), 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as link:
        link.send(message)


def bpf_ids(command):
    """Return the ids of all programs, maps or links (BPF_..._GET_NEXT_ID)."""
    found: set[int] = set()
    attributes = ctypes.create_string_buffer(16)
    libc = ctypes.CDLL(None, use_errno=True)
    number, last = BPF_SYSCALL[os.uname().machine], 0
    while True:
        # union bpf_attr: start_id, next_id, open_flags.
        struct.pack_into("=III", attributes, 0, last, 0, 0)
        if libc.syscall(number, command, attributes, len(attributes)) != 0:
            return found
        last = struct.unpack_from("=I", attributes, 4)[0]
        found.add(last)


def bpf_name(command, info, identity):
    """Return what a program, map or link that has an id is: its id, and its name where it has one."""
    try:
        fd = bpf(command, struct.pack("=III", identity, 0, 0))
    except Refused:
        return str(identity)
    try:
        buffer = ctypes.create_string_buffer(256)
        # union bpf_attr of BPF_OBJ_GET_INFO_BY_FD: bpf_fd, info_len, info.
        bpf(BPF_OBJ_GET_INFO_BY_FD, struct.pack("=IIQ", fd, len(buffer), ctypes.addressof(buffer)))
    except Refused:
        return str(identity)
    finally:
        os.close(fd)
    name = buffer.raw[info : info + 16].split(b"\0")[0].decode(errors="replace") if info else ""
    return f"{identity} {name}".strip()


class Leftover:
    """One kind of what a case may leave behind: how to list it, how to remove one, how to name one."""

    def __init__(self, kind, listed, *, remove=None, name=str):
        self.kind, self.listed, self.remove, self.name = kind, listed, remove, name


LEFTOVERS = [
    Leftover("module", loaded_modules, remove=remove_module),
    Leftover("trace-event", trace_events, remove=remove_trace_event),
    Leftover("trace-instance", lambda: set(subfolders("/sys/kernel/tracing/instances")), remove=os.rmdir),
    Leftover("cgroup", lambda: set(subfolders("/sys/fs/cgroup")), remove=os.rmdir),
    Leftover("device", lambda: {name for _, name in socket.if_nameindex()}, remove=remove_device),
    # BPF_PROG_GET_NEXT_ID and so on, BPF_..._GET_FD_BY_ID, and where the name is in the information (0: it has none).
    Leftover("program", lambda: bpf_ids(11), name=lambda identity: bpf_name(13, 64, identity)),
    Leftover("link", lambda: bpf_ids(31), name=lambda identity: bpf_name(30, 0, identity)),
]
MAPS = Leftover("map", lambda: bpf_ids(12), name=lambda identity: bpf_name(14, 24, identity))


def gone(find):
    """Wait until `find` finds nothing, for at most LEFT_SECONDS; return what it finds then."""
    end, pause = time.monotonic() + LEFT_SECONDS, 0.001
    while (found := find()) and time.monotonic() < end:
        time.sleep(pause)
        pause = min(pause * 2, 0.05)
    return found


class Surroundings:
    """What the guest is like before its first case, and must be like again after each."""

    def __init__(self):
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # end_processes()
        self._before = [(leftover, leftover.listed()) for leftover in LEFTOVERS]
        self._maps, self._late = MAPS.listed(), {}

    def prepare(self):
        """Give the next case what is its own and nobody else's: a bpffs. restore() takes it back."""
        mount_bpffs()

    def restore(self, case):
        """Remove what a case has left behind, wait for what goes by itself; return what is still there after that.

        Programs and links go when nobody has them any more, sometimes only after a grace period of RCU. Maps always go
        so late, with the programs that use them, but alone they do nothing. So they are not waited for: they must be
        gone when the next case has ended, or after the last one.
        """
        unmount_bpffs()
        there = list(self._before)

        def more():
            there[:] = [(each, before) for each, before in there if self._more(each, before)]
            return there

        left = [
            {"kind": each.kind, "name": each.name(one)}
            for each, before in gone(more)
            for one in sorted(each.listed() - before)
        ]
        left += self.settle()
        self._late = dict.fromkeys(MAPS.listed() - self._maps, case)
        return left

    def settle(self):
        """Wait for the maps of cases that have ended; return those that do not go, each with its `case`."""
        stuck = gone(lambda: MAPS.listed() & self._late.keys()) if self._late else ()
        left = [{"kind": MAPS.kind, "name": MAPS.name(one), "case": self._late[one]} for one in sorted(stuck)]
        self._maps, self._late = self._maps.union(stuck), {}
        return left

    def _more(self, leftover, before):
        """Say whether there is more of something than there was, once what can be removed is."""
        more = leftover.listed() - before
        if not more or leftover.remove is None:
            return bool(more)
        for one in sorted(more, reverse=True):  # a folder after those within it
            with contextlib.suppress(OSError):
                leftover.remove(one)
        return bool(leftover.listed() - before)


def open_console():
    """Return a file descriptor of the console that never makes a writer wait, or -1 where there is none."""
    try:
        return os.open("/dev/console", os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
    except OSError:
        return -1


def serve(job, *, lib, log, fd):
    """Run all cases of a job and write the protocol's lines to `fd`; the last one says how many there were."""
    reporter = Reporter(fd, console=open_console())
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    uptime = round(time.monotonic(), 3)
    reporter.hold("hello", protocol=PROTOCOL, uptime=uptime, environment=environment(lib), **log.read())
    before, ran, stopped = Surroundings(), 0, None
    for case in job["cases"]:
        if stopped is None:
            stopped = run_case(reporter, lib, log, case, before=before)
            ran += 1
    left = before.settle()
    if ran == len(job["cases"]):
        stopped = None
    last = log.read(wait=LAST_WORDS_SECONDS)  # what a kernel has to say of a case may come when its programs are freed
    reporter.send("done", cases=ran, left=left, stopped=stopped, lines=reporter.lines + 1, **last)


def main(path):
    """Run all cases of the job file `path`, reporting to standard output."""
    with open(path, encoding="utf-8") as file:
        serve(json.load(file), lib=Libbpf(), log=KernelLog(), fd=os.dup(1))


if __name__ == "__main__":
    main(sys.argv[1])
