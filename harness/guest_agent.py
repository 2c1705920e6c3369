#!/usr/bin/python3
"""The guest agent: runs cases against the kernel it finds itself on, and reports what it saw.

One file, standard library only, pushed into the guest. It takes a job file (JSON, made by harness/jobs.py) and
writes one JSON object per line to its standard output; docs/agent-protocol.md describes both. It decides
nothing: which program was refused, which events came, what the kernel log said are facts for the host.

Every case runs in a child process of its own, so that nothing is left of it in this one: a case that crashes
or hangs its process ends with the signal or deadline that ended it, and the next case starts clean.
"""

import ctypes
import errno
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import time

PROTOCOL = 1
LOG_BYTES = 256 * 1024
TEXT_LIMIT = 32 * 1024
EVENT_LIMIT = 4096
KMSG_LIMIT = 400
PERF_PAGES = 8

# Errors that the kernel returns, but errno.h does not name (include/linux/errno.h); and the kernel's own names
# where Python prefers the C library's alias.
KERNEL_ERRNO = {35: "EDEADLK", 95: "EOPNOTSUPP", 512: "ERESTARTSYS", 517: "EPROBE_DEFER", 524: "ENOTSUPP"}

# struct event of bpf/include/event.h, in the guest's own byte order.
EVENT = struct.Struct("=QIIqIHH16s16s")
KINDS = {1: "fentry", 2: "kprobe", 3: "fexit"}
HAS_RETVAL, HAS_CONNECTION = 1, 2


def errno_name(number):
    """Return the name of a positive errno, `E?<number>` where it has none."""
    return KERNEL_ERRNO.get(number) or errno.errorcode.get(number) or f"E?{number}"


class Refused(Exception):
    """The kernel, or libbpf on its behalf, refused a step. `log` is the verifier's text, if any."""

    def __init__(self, number, detail="", log=""):
        super().__init__(detail)
        self.number, self.detail, self.log = number, detail, log


class Reporter:
    """Writes the protocol's lines; each carries its running number, so that a lost line is noticed."""

    def __init__(self, fd):
        self.fd, self.lines = fd, 0

    def send(self, kind, **fields):
        """Write one line, whole, whatever the pipe takes at once."""
        self.lines += 1
        data = (json.dumps({"n": self.lines, "type": kind, **fields}) + "\n").encode()
        while data:
            data = data[os.write(self.fd, data) :]


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
    "bpf_program__set_attach_target": (INT, [POINTER, INT, TEXT]),
    "bpf_program__attach": (POINTER, [POINTER]),
    "bpf_link__destroy": (INT, [POINTER]),
    "bpf_map__fd": (INT, [POINTER]),
    "bpf_map__reuse_fd": (INT, [POINTER, INT]),
    "bpf_map_update_elem": (INT, [INT, POINTER, POINTER, ctypes.c_uint64]),
    "perf_buffer__new": (POINTER, [INT, SIZE, SAMPLE_FN, LOST_FN, POINTER, POINTER]),
    "perf_buffer__poll": (INT, [POINTER, INT]),
    "perf_buffer__consume": (INT, [POINTER]),
}


class Libbpf:
    """libbpf.so.1 with declared types. Failures raise Refused with the errno that libbpf gives."""

    def __init__(self):
        self._lib = ctypes.CDLL("libbpf.so.1", use_errno=True)
        self._libc = ctypes.CDLL(None)
        self._libc.vsnprintf.argtypes = [POINTER, SIZE, TEXT, POINTER]
        self._libc.vsnprintf.restype = INT
        for name, (result, arguments) in PROTOTYPES.items():
            function = getattr(self._lib, name)
            function.restype, function.argtypes = result, arguments
        self.messages = []
        self._line = ctypes.create_string_buffer(4096)
        self._print = PRINT_FN(self._on_print)
        self._lib.libbpf_set_print(self._print)

    def _on_print(self, level, form, arguments):
        length = self._libc.vsnprintf(self._line, len(self._line), form, arguments)
        if level <= 0 and len(self.messages) < 200:  # LIBBPF_WARN; the verifier's log is taken elsewhere
            self.messages.append(self._line.value.decode(errors="replace").rstrip("\n"))
        return length

    def version(self):
        """Return libbpf's version, as `v1.5`."""
        return self._lib.libbpf_version_string().decode()

    def call(self, name, *arguments):
        """Call a function that returns a negative errno; return its result."""
        result = getattr(self._lib, name)(*arguments)
        if result < 0:
            raise Refused(-result, self._said())
        return result

    def pointer(self, name, *arguments):
        """Call a function that returns NULL and sets errno; return its pointer."""
        ctypes.set_errno(0)
        result = getattr(self._lib, name)(*arguments)
        if not result:
            raise Refused(ctypes.get_errno() or errno.EINVAL, self._said())
        return result

    def programs(self, handle):
        """Return name -> program of an object."""
        found, program = {}, None
        while program := self._lib.bpf_object__next_program(handle, program):
            found[self._lib.bpf_program__name(program).decode()] = program
        return found

    def _said(self):
        # The verifier's log is shown in full elsewhere; here only what libbpf itself has to say.
        own = [line for line in self.messages if "BEGIN PROG LOAD LOG" not in line]
        return "; ".join(own)[-2000:]


class BpfObject:
    """An opened object file: its programs, and a log buffer for each."""

    def __init__(self, lib, path):
        self._lib = lib
        self.handle = lib.pointer("bpf_object__open_file", os.fsencode(path), None)
        self.programs = lib.programs(self.handle)
        self._logs = {name: ctypes.create_string_buffer(LOG_BYTES) for name in self.programs}
        for name, program in self.programs.items():
            # With a buffer and log level 0, libbpf asks for the log only when a load has failed.
            lib.call("bpf_program__set_log_buf", program, self._logs[name], LOG_BYTES)

    def load(self):
        """Load all maps and programs; Refused names the program that was refused, with the verifier's log."""
        try:
            self._lib.call("bpf_object__load", self.handle)
        except Refused as refusal:
            logs = [log.value.decode(errors="replace").strip() for log in self._logs.values()]
            refusal.log = "\n".join(log for log in logs if log)[-TEXT_LIMIT:]
            raise

    def program(self, name):
        """Return a program by name; Refused with ENOENT where there is none."""
        if name not in self.programs:
            raise Refused(errno.ENOENT, f"the object has no program {name}")
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


# --- triggers ------------------------------------------------------------------------------------------------


def trigger_tcp_connect(step):
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
            return {"client": list(client.getsockname()[:2]), "server": list(client.getpeername()[:2])}


TRIGGERS = {"tcp-connect": trigger_tcp_connect}


# --- one case ------------------------------------------------------------------------------------------------


class Case:
    """Executes the steps of one case, in the child process that is its own."""

    def __init__(self, reporter, lib, case):
        self._reporter, self._lib, self._case = reporter, lib, case
        self._objects, self._links, self._readers, self._ends = {}, {}, {}, {}

    def run(self):
        """Execute the steps in order, until one is refused or fails; report each."""
        for index, step in enumerate(self._case["steps"]):
            self._lib.messages.clear()
            start = time.monotonic()
            report = {"index": index, "stage": step["stage"], "op": step["op"], "what": step.get("what", "")}
            try:
                found = getattr(self, "do_" + step["op"].replace("-", "_"))(step) or {}
                report.update(ok=True, **found)
            except Refused as refusal:
                report.update(ok=False, refused=True, errno=refusal.number, errno_name=errno_name(refusal.number))
                report.update(detail=refusal.detail or os.strerror(refusal.number), log=refusal.log)
            except OSError as error:
                report.update(ok=False, refused=False, errno=error.errno, errno_name=errno_name(error.errno or 0))
                report.update(detail=f"{type(error).__name__}: {error}")
            report["seconds"] = round(time.monotonic() - start, 6)
            self._reporter.send("step", case=self._case["id"], **report)
            if not report["ok"]:
                return

    def do_open(self, step):
        """Open an object file."""
        self._objects[step["object"]] = BpfObject(self._lib, step["path"])

    def do_load(self, step):
        """Load an opened object."""
        self._objects[step["object"]].load()

    def do_share_map(self, step):
        """Make an object use the map of another that is loaded already."""
        source = self._objects[step["from"]].map(step["map"])
        self._lib.call(
            "bpf_map__reuse_fd",
            self._objects[step["object"]].map(step["map"]),
            self._lib.call("bpf_map__fd", source),
        )

    def do_set_attach_target(self, step):
        """Tell a tracer which program, and which function of it, it will be attached to."""
        target = self._objects[step["target_object"]].program(step["target"])
        self._lib.call(
            "bpf_program__set_attach_target",
            self._objects[step["object"]].program(step["program"]),
            self._lib.call("bpf_program__fd", target),
            step["function"].encode(),
        )

    def do_attach(self, step):
        """Attach a program as its section says; the link is known by the program's name."""
        program = self._objects[step["object"]].program(step["program"])
        self._links[step["program"]] = self._lib.pointer("bpf_program__attach", program)

    def do_tail_call(self, step):
        """Put a program into a slot of a program array."""
        item = self._objects[step["object"]]
        key = ctypes.c_uint32(step["index"])
        value = ctypes.c_uint32(self._lib.call("bpf_program__fd", item.program(step["program"])))
        array = self._lib.call("bpf_map__fd", item.map(step["map"]))
        self._lib.call("bpf_map_update_elem", array, ctypes.byref(key), ctypes.byref(value), 0)

    def do_listen(self, step):
        """Start to read an events map."""
        events = self._objects[step["object"]].map(step["map"])
        self._readers[step["map"]] = EventReader(self._lib, self._lib.call("bpf_map__fd", events))

    def do_trigger(self, step):
        """Make the target run; the ends of the connection tell its events from others."""
        self._ends = TRIGGERS[step["kind"]](step)
        return {"phase": step["phase"], "ends": self._ends}

    def do_observe(self, step):
        """Report the events; wait a little for those that are still to come."""
        ports = {end[1] for end in self._ends.values()}

        def ours(event):
            return not ports.isdisjoint((event.get("sport"), event.get("dport")))

        def enough(events):
            return sum(map(ours, events)) >= step["count"]

        reader = self._readers[step["map"]]
        events = reader.read(enough=enough, seconds=step["seconds"])
        for event in events:
            self._reporter.send("event", case=self._case["id"], phase=step["phase"], ours=ours(event), event=event)
        return {"phase": step["phase"], "events": len(events), "lost": reader.lost}

    def do_detach(self, step):
        """Destroy the link of a program."""
        self._lib.call("bpf_link__destroy", self._links.pop(step["program"]))


# --- the guest around the cases ------------------------------------------------------------------------------


class KernelLog:
    """Reads what the kernel has logged since the last look (Documentation/ABI/testing/dev-kmsg)."""

    def __init__(self):
        self._fd = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)

    def read(self):
        """Return new messages as `<level> text`, at most KMSG_LIMIT of them."""
        lines: list[str] = []
        while True:
            try:
                record = os.read(self._fd, 8192).decode(errors="replace")
            except BlockingIOError:
                return lines[:KMSG_LIMIT]
            except BrokenPipeError:  # messages were overwritten before they were read
                lines.append("<4> [messages lost]")
                continue
            prefix, _, text = record.partition(";")
            lines.append(f"<{int(prefix.split(',')[0]) & 7}> {text.splitlines()[0] if text else ''}")


def read_text(path):
    """Return a small file's text without white space at its ends, or None where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return None


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
        "cpus": os.cpu_count(),
        "byte_order": sys.byteorder,
        "libbpf": lib.version(),
        "python": sys.version.split()[0],
    }


def set_sysctl(name, value):
    """Write one sysctl and return what it was; OSError where the kernel refuses."""
    path = "/proc/sys/" + name.replace(".", "/")
    with open(path, encoding="ascii") as file:
        before = file.read().strip()
    with open(path, "w", encoding="ascii") as file:
        file.write(str(value))
    return before


def run_child(reporter, lib, case):
    """Run a case in a child process; return how that ended."""
    seconds = case["deadline"]
    sys.stdout.flush()
    tally, tally_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 70
        try:
            Case(reporter, lib, case).run()
            os.write(tally_end, str(reporter.lines).encode())
            status = 0
        except BaseException as error:  # whatever it is, the parent must learn of it
            reporter.send("agent-error", case=case["id"], detail=f"{type(error).__name__}: {error}"[:2000])
            os.write(tally_end, str(reporter.lines).encode())
        finally:
            os._exit(status)
    os.close(tally_end)
    watch = os.pidfd_open(pid)
    timed_out = not select.select([watch], [], [], seconds)[0]
    if timed_out:
        os.kill(pid, signal.SIGKILL)
    status = os.waitpid(pid, 0)[1]
    os.close(watch)
    lines = os.read(tally, 64)
    os.close(tally)
    if lines:
        reporter.lines = int(lines)
    else:
        os.write(reporter.fd, b"\n")  # the child may have died in the middle of a line
    return {
        "complete": os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0,
        "signal": signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else None,
        "timed_out": timed_out,
    }


def run_case(reporter, lib, log, case):
    """Run one case with its sysctls set, and report its end with the kernel's new messages."""
    start = time.monotonic()
    log.read()
    reporter.send("case", case=case["id"])
    changed, end = {}, None
    try:
        for name, value in case.get("sysctls", {}).items():
            try:
                changed[name] = set_sysctl(name, value)
            except OSError as error:
                unmet = {"sysctl": name, "value": value, "errno_name": errno_name(error.errno or 0)}
                end = {"complete": True, "signal": None, "timed_out": False, "precondition": unmet}
                break
        if end is None:
            end = run_child(reporter, lib, case)
    finally:
        for name, value in changed.items():
            set_sysctl(name, value)
    seconds = round(time.monotonic() - start, 6)
    reporter.send("case-end", case=case["id"], seconds=seconds, kernel_log=log.read(), **end)


def main(path):
    """Run all cases of the job file; the last line says how many lines there were."""
    reporter = Reporter(os.dup(1))
    with open(path, encoding="utf-8") as file:
        job = json.load(file)
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    lib = Libbpf()
    log = KernelLog()
    reporter.send("hello", protocol=PROTOCOL, environment=environment(lib), kernel_log=log.read())
    for case in job["cases"]:
        run_case(reporter, lib, log, case)
    reporter.send("done", cases=len(job["cases"]), lines=reporter.lines + 1)


if __name__ == "__main__":
    main(sys.argv[1])
