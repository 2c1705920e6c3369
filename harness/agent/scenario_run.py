"""A case that is a scenario.py: its function `scenario` makes the steps, each announced before it begins."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import sys
import time
from _thread import get_ident  # `threading` takes a guest longer to import

from harness.agent.btf import Misfit, Types
from harness.agent.buffers import RecordReader
from harness.agent.decoding import Undecodable, decode, named_type
from harness.agent.map_access import MapAccess
from harness.agent.openings import set_variables
from harness.agent.refusal import KERNEL_ERRNO
from harness.agent.scenario_api import Guest
from harness.agent.scenario_base import Mistake, StepRefused
from harness.agent.steps import Case

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType, TracebackType
    from typing import Any

    from harness.agent.libbpf import Libbpf
    from harness.agent.reporter import Reporter

END = "scenario"
"""The last step: that the function came to its end, or why it did not."""
PUBLIC = "harness.guest_api"
"""The module that a scenario imports the API from."""
MOST_EVENTS, MOST_SEEN, MOST_PRINTED = 256, 300, 64 * 1024
PAUSE_SECONDS = 0.005
"""Between two looks for records that are still to come."""


class Scenario(Case):
    """Runs a scenario, in the child process that is its own."""

    def __init__(self, reporter: Reporter, lib: Libbpf, case: dict[str, Any]) -> None:
        super().__init__(reporter, lib, case)
        self._file: str = case["scenario"]["file"]
        self._count, self._stage = 0, "open"
        self._must: dict[str, Any] = {}
        self._seen: Any = None
        self._given: Any = None
        self._places: dict[str, str] = {}
        self._records: dict[tuple[str, str], RecordReader] = {}
        self._process, self._thread = os.getpid(), get_ident()
        uname = os.uname()
        self.release, self.machine = uname.release, uname.machine
        self.folder: str = case.get("own", {}).get("folder", "/")

    def run(self) -> None:
        """Run the scenario, and report how it ended: as a step of its own, the last."""
        sys.modules[PUBLIC] = sys.modules[Guest.__module__]
        end: dict[str, Any] = {"ok": True}
        printed = Printed(self._print)
        sys.stdout, sys.stderr = printed, printed
        try:
            code = compile(self.case["scenario"]["source"], self._file, "exec", dont_inherit=True)
            for step in self.case.get("setup", ()):
                self.step(**step)
            names: dict[str, Any] = {"__name__": "scenario", "__file__": self._file}
            exec(code, names)
            names["scenario"](Guest(self))
        except BaseException as error:  # whatever it is, it is the scenario's
            end = self._broken(error)
        if not self._own():
            os._exit(0)  # a process that the scenario has forked came here, and has nothing to report
        self.clean_up()
        printed.end()
        self._must = {}
        self._announce(self._stage, END, "", line=end.get("line", 0))
        self.reporter.hold(
            "step", case=self.case["id"], index=self._count, stage=self._stage, op=END, what="", seconds=0.0, **end
        )

    def _broken(self, error: BaseException) -> dict[str, Any]:
        """Return how a scenario ended that an exception has ended."""
        line = self._line_of(error.__traceback__)
        if isinstance(error, SyntaxError) and error.filename == self._file:
            line = error.lineno or 0
        found: dict[str, Any] = {"ok": False, "refused": False, "line": line}
        if isinstance(error, StepRefused):
            return found | {"uncaught": error.index, "detail": str(error)[:2000]}
        text = str(error)
        if not isinstance(error, Mistake | Misfit):
            text = f"{type(error).__name__}: {error}" if text else type(error).__name__
        if isinstance(error, Mistake) and error.name:
            found |= {"unknown": error.name, "there": error.there}
        return found | {"detail": text[:2000]}

    def _line_of(self, trace: TracebackType | None) -> int:
        """Return the innermost line of the scenario's own file in a traceback; 0 where there is none."""
        line = 0
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == self._file:
                line = trace.tb_lineno
            trace = trace.tb_next
        return line

    def _line_now(self) -> int:
        """Return the line of the scenario that is being executed."""
        frame: FrameType | None = sys._getframe()
        while frame is not None and frame.f_code.co_filename != self._file:
            frame = frame.f_back
        return frame.f_lineno if frame else 0

    # --- what the API calls ---

    def step(self, stage: str, op: str, what: str = "", **args: Any) -> dict[str, Any]:
        """Announce, execute and report one step; return its report. Raises StepRefused where it failed."""
        if not self._own():
            raise Mistake("only the scenario's own process and thread may use the guest, none that it has started")
        index, self._stage = self._count, stage
        announced = f"{stage} {op} {what}".encode("ascii", "replace").decode()[:120]
        self._announce(stage, op, what, line=self._line_now())
        self._count += 1
        try:
            report = self.execute(index, {"stage": stage, "op": op, "what": what, "announced": announced, **args})
        except Exception as error:
            text = f"{type(error).__name__}: {error}"[:2000]
            failed = {"ok": False, "refused": False, "errno": None, "errno_name": None, "detail": text, "log": ""}
            place = {"index": index, "stage": stage, "op": op, "what": what}
            self.reporter.hold("step", case=self.case["id"], seconds=0.0, **place, **failed)
            raise
        if report.get("mistake"):
            raise Mistake(report["detail"])
        if not report["ok"] and op != "expect":
            errno_name, log = report["errno_name"] or "", report.get("log") or ""
            raise StepRefused(index, f"{op} {what}".strip(), errno_name, report["detail"], log)
        return report

    def _announce(self, stage: str, op: str, what: str, *, line: int) -> None:
        place = {"index": self._count, "stage": stage, "op": op, "what": what, "line": line}
        self.reporter.hold("announced", case=self.case["id"], **place, **self._must)
        if self.case.get("alone"):
            self.reporter.try_flush()

    def _own(self) -> bool:
        """Say whether this is the scenario's own process and thread: no other may report anything."""
        return (os.getpid(), get_ident()) == (self._process, self._thread)

    def _print(self, text: str, cut: int) -> None:
        if self._own():
            self.reporter.hold("output", case=self.case["id"], text=text, cut=cut)

    def named(self, file: str) -> tuple[str, str]:
        """Return the name of an object that is opened now, and its path in the guest; raise Mistake."""
        objects: dict[str, dict[str, str]] = self.case["scenario"]["objects"]
        names = {name: name for name in objects} | {each["file"]: name for name, each in objects.items()}
        if file not in names:
            raise Mistake(f"the case has no object {file}", file, sorted(each["file"] for each in objects.values()))
        name, number = names[file], 1
        while (own := name if number == 1 else f"{name}-{number}") in self._places:
            number += 1
        self._places[own] = objects[name]["path"]
        return own, self._places[own]

    def programs(self, owner: str) -> list[str]:
        """Return the names of an object's programs."""
        return list(self._state.objects[owner].programs)

    def maps(self, owner: str) -> list[str]:
        """Return the names of an object's maps."""
        return [self._lib.found("bpf_map__name", each).decode() for each in self._lib.maps(self._handle(owner))]

    def made(self, kind: str) -> list[str]:
        """Return the names of the devices, groups or namespaces that the case's setup has made, or of the links."""
        state = self._state
        return list(
            {"device": state.devices, "cgroup": state.groups, "namespace": state.namespaces, "link": state.links}[kind]
        )

    def seen(self) -> Any:
        """Return what the last step has read."""
        return self._seen

    def waiting(self, value: Any) -> None:
        """Give the next step a value that is not reported."""
        self._given = value

    @contextlib.contextmanager
    def refusing(self, errnos: tuple[str, ...], **more: Any) -> Iterator[None]:
        """Let the steps of a block be those that must be refused."""
        known = {*errno.errorcode.values(), *KERNEL_ERRNO.values()}
        unknown = next((name for name in errnos if name not in known), None)
        if not errnos or unknown:
            raise Mistake(f"must_refuse() takes the names of errnos, such as EINVAL; not {unknown or 'none'}")
        self._must = {"must_refuse": list(errnos), **more}
        try:
            yield
        except StepRefused:
            pass
        finally:
            self._must = {}

    def _handle(self, owner: str) -> int:
        return self._state.objects[owner].handle

    # --- steps that only a scenario has ---

    def do_expect(self, step: dict[str, Any]) -> dict[str, Any]:
        """Report whether an expectation holds."""
        return {} if step["holds"] else {"ok": False, "refused": False, "detail": step.get("shown", "")}

    def do_listen_records(self, step: dict[str, Any]) -> None:
        """Start to read the records of a buffer."""
        handle = self._state.objects[step["object"]].map(step["map"])
        self._records[step["object"], step["map"]] = RecordReader(self._lib, handle)

    def do_read_records(self, step: dict[str, Any]) -> dict[str, Any]:
        """Read the records of a buffer, and report the first of them as events."""
        reader, end = self._records[step["object"], step["map"]], time.monotonic() + step["seconds"]
        found = reader.read()
        while len(found) < step["count"] and time.monotonic() < end:
            time.sleep(PAUSE_SECONDS)
            found += reader.read()
        self._seen = [self._decoded(step["object"], step["record"], data) for data in found]
        for value in self._seen[:MOST_EVENTS]:
            event = {"kind": step["map"], **plain(value if isinstance(value, dict) else {"data": value})}
            self.reporter.hold("event", case=self.case["id"], phase=step["map"], ours=True, event=event)
        # What a ring buffer has no room for, it keeps until the next read.
        lost, reader.lost = reader.lost if reader.padded else 0, 0
        return {"events": len(found), "lost": lost}

    def _decoded(self, owner: str, record: str, data: bytes) -> Any:
        if not record:
            return data
        types, name = self._types(owner), record.removeprefix("struct ").strip()
        if types is None:
            raise Mistake(f"{owner} has no BTF, so nobody knows what {record} is")
        try:
            return decode(types, named_type(types, record), data)
        except Undecodable as error:
            line = f"struct {name} *unused_{name} __attribute__((unused));"
            raise Mistake(f"{error}; where it is missing, a line `{line}` in the source keeps it") from None

    def do_read_map(self, step: dict[str, Any]) -> dict[str, Any]:
        """Read a value of a map."""
        access = self._access(step)
        self._seen = access.get(access.key(self._given[0]))
        return {"seen": repr(self._seen)[:MOST_SEEN]}

    def do_list_map(self, step: dict[str, Any]) -> dict[str, Any]:
        """Read all keys and values of a map."""
        self._seen = self._access(step).items()
        return {"seen": repr(self._seen)[:MOST_SEEN]}

    def do_write_map(self, step: dict[str, Any]) -> None:
        """Give a key of a map a value."""
        access = self._access(step)
        access.put(access.key(self._given[0]), self._given[1])

    def do_delete_map(self, step: dict[str, Any]) -> None:
        """Remove a key of a map."""
        access = self._access(step)
        key = access.key(self._given[0])
        self._lib.call("bpf_map_delete_elem", access.fd, key)

    def do_read_global(self, step: dict[str, Any]) -> dict[str, Any]:
        """Read a global variable."""
        types = self._types(step["object"])
        if types is None:
            raise Mistake(f"{step['object']} has no BTF, so nobody knows where {step['what']} is")
        section, offset, kind = types.locate(step["what"])
        handle, size = self._state.objects[step["object"]].map(section), ctypes.c_size_t(0)
        memory = self._lib.found("bpf_map__initial_value", handle, ctypes.byref(size))
        if not memory or offset + types.size(kind) > size.value:
            raise Mistake(f"{step['what']} is in the section {section}, which cannot be read")
        self._seen = decode(types, kind, ctypes.string_at(memory + offset, types.size(kind)))
        return {"seen": repr(self._seen)[:MOST_SEEN]}

    def do_write_global(self, step: dict[str, Any]) -> None:
        """Set a global variable: its first value before the load, its present one after it."""
        item, values = self._state.objects[step["object"]], {step["what"]: self._given}
        types = self._types(step["object"])
        section = ""
        if types is not None:
            section, _, kind = types.locate(step["what"])
            types.encode(kind, self._given, step["what"])  # what does not fit is the scenario's mistake
        if item.loaded and section.startswith(".rodata"):
            raise Mistake(f"{step['what']} is constant once {step['object']} is loaded; set it before")
        item.prepare(lambda each: set_variables(self._lib, values, each))

    def _types(self, owner: str) -> Types | None:
        handle = self._lib.found("bpf_object__btf", self._handle(owner))
        return Types(self._lib, handle) if handle else None

    def _access(self, step: dict[str, Any]) -> MapAccess:
        handle = self._state.objects[step["object"]].map(step["map"])
        return MapAccess(self._lib, handle, step["map"], self._types(step["object"]))


class Printed:
    """What a scenario prints, line by line; of much the beginning is kept, and how much was left out is said."""

    encoding = "utf-8"

    def __init__(self, send: Callable[[str, int], None]) -> None:
        self._send, self._line, self._room, self._cut = send, "", MOST_PRINTED, 0

    def write(self, text: str) -> int:
        """Take a text; what ends with a line's end goes out."""
        *lines, self._line = (self._line + text).split("\n")
        for line in lines:
            self._out(f"{line}\n")
        return len(text)

    def _out(self, text: str) -> None:
        if len(text) <= self._room:
            self._room -= len(text)
            self._send(text, 0)
        else:
            self._room, self._cut = 0, self._cut + len(text)

    def flush(self) -> None:
        """Do nothing: a line goes out when it ends."""

    def isatty(self) -> bool:
        """Say that this is no terminal."""
        return False

    def end(self) -> None:
        """Let the last line go out, and say how much was left out."""
        if self._line:
            self._out(self._line)
            self._line = ""
        if self._cut:
            self._send("", self._cut)


def plain(value: Any) -> Any:
    """Return a value as JSON can have it: bytes in hexadecimal."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.hex() if isinstance(value, bytes) else value
