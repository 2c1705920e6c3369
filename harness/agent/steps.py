"""One case: its steps, in the process that is its own."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import struct
import time

from harness.agent.bpf_object import BpfObject
from harness.agent.case_state import CaseState
from harness.agent.commands import collect, run_command
from harness.agent.events import TRACE, TRACE_LIMIT, EventReader, decode_trace
from harness.agent.guard import guard
from harness.agent.infos import function_btf_id, info_of, program_info
from harness.agent.inspecting import Inspector
from harness.agent.kernel_abi import BPF_PROG_LOAD, LinkInfo, ProgInfo, bpf
from harness.agent.measuring import measured, measured_programs
from harness.agent.openings import preparations
from harness.agent.precondition import missing_function, missing_module
from harness.agent.refusal import Refused, errno_name
from harness.agent.steps_attaching import AttachingSteps
from harness.agent.traceable import UNCLEAR, function_of, traceable
from harness.agent.triggers import TRIGGERS
from harness.agent.workload import workload

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from harness.agent.libbpf import Libbpf
    from harness.agent.reporter import Reporter

NOBODY = 65534
ATTACHING = frozenset({"attach", "attach-map"})
"""The steps after which a program may run."""


def between(text: str, before: str, after: str) -> str:
    """Return what is in a text behind the first `before` and before the next `after`; "" where they are not."""
    return text.partition(before)[2].partition(after)[0]


@contextlib.contextmanager
def unprivileged() -> Iterator[None]:
    """Be `nobody` for a while: with another effective user id than 0 no capability is effective."""
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


class Case(AttachingSteps):
    """Executes the steps of one case, in the child process that is its own."""

    def __init__(self, reporter: Reporter, lib: Libbpf, case: dict[str, Any]) -> None:
        super().__init__(CaseState(lib, case.get("sysctls", {})))
        self.reporter, self._lib, self.case = reporter, lib, case
        self._readers: dict[str, EventReader] = {}
        self._state.own = case.get("own", {})
        self._state.send = self._send_output
        self._inspector = Inspector(self._state)
        self._ends: dict[str, list[Any]] = {}
        self._of_programs: set[tuple[str, str]] = set()
        # A case with a workload tries a program of which nothing is known: what it does to the guest is its answer.
        self._unguarded = any(step["op"] == "workload" for step in case.get("steps", ()))
        self._begun = time.monotonic()

    def run(self) -> None:
        """Execute the steps in order, until one fails that was not to; report each."""
        try:
            self._run()
        except BaseException:  # it must be said, and a program that is attached may be why
            self.let_go()
            raise
        finally:
            self.clean_up()

    @property
    def objects(self) -> dict[str, BpfObject]:
        """The objects that it has opened, or taken over."""
        return self._state.objects

    def take(self, objects: Mapping[str, BpfObject]) -> None:
        """Take over objects that are loaded already."""
        self._state.objects.update(objects)

    def let_go(self) -> None:
        """Detach whatever is attached, as far as that can be done."""
        for name in reversed(list(self._state.links)):
            with contextlib.suppress(Exception):
                self._state.links.pop(name).close()

    def clean_up(self) -> None:
        """Remove what would outlive the case's process: files that triggers have made, and what struct_ops maps have
        registered, where they have no link of the kernel's.
        """
        self._state.remove_made()
        for name in self._registered & self._state.links.keys():
            with contextlib.suppress(Refused):
                self._state.links.pop(name).close()

    def _run(self) -> None:
        for index, step in enumerate(self.case["steps"]):
            if not self.execute(index, step)["ok"] and not step.get("go_on"):
                return

    def execute(self, index: int, step: dict[str, Any]) -> dict[str, Any]:
        """Execute one step, report it, and return the report."""
        self._lib.messages.clear()
        self._lib.debug.clear()
        if "skip" in step:  # nothing is done that a guest could die of
            self.reporter.at(index)
        else:
            self.reporter.mark(self.case["id"], index, step.get("announced", ""))
        if self._unguarded and step["op"] in ATTACHING:
            self._unguarded = False
            left = self.case["deadline"] - (time.monotonic() - self._begun)
            guard(self.reporter, seconds=max(left, 0.0), alone=self.case.get("alone", False))
        start = time.monotonic()
        report = {"index": index, "stage": step["stage"], "op": step["op"], "what": step["what"]}
        if "phase" in step:
            report["phase"] = step["phase"]
        try:
            # What a step with "skip" has there is reported as found, and nothing is done (harness/mutants/).
            found = step["skip"] if "skip" in step else getattr(self, "do_" + step["op"].replace("-", "_"))(step)
            report.update({"ok": True, **(found or {})})
        except Refused as refusal:
            report.update(ok=False, refused=True, errno=refusal.number, errno_name=errno_name(refusal.number))
            report.update(detail=refusal.detail or os.strerror(refusal.number), log=refusal.log)
            report["debug"] = [line.decode(errors="replace").rstrip("\n") for line in self._lib.debug]
            report["asked"] = {} if refusal.function else self._asked(step, refusal)
            if refusal.module:
                report["precondition"] = missing_module(refusal.module, refusal.number)
            if refusal.function:
                report["precondition"] = missing_function(refusal.function, self._lib.version())
        except OSError as error:
            report.update(ok=False, refused=False, errno=error.errno, errno_name=errno_name(error.errno or 0))
            report.update(detail=f"{type(error).__name__}: {error}")
        except MemoryError:  # no kernel says so of its own accord: a program may (mmap_file)
            report.update(
                ok=False, refused=False, errno=errno.ENOMEM, errno_name="ENOMEM", detail="no memory was given"
            )
        if not (report["ok"] or step.get("go_on") or "scenario" in self.case):
            self._name_refuser(step, report)
        report["seconds"] = round(time.monotonic() - start, 6)
        self.reporter.hold("step", case=self.case["id"], **report)
        if self.case.get("alone") and not self.reporter.waits:
            self.reporter.try_flush()  # it may well kill the guest, and what it showed until then is its answer
        self.reporter.at(-1)
        return report

    def _name_refuser(self, step: dict[str, Any], report: dict[str, Any]) -> None:
        """Say in the report of a step that ends the case whether a program of the case itself has refused it."""
        name = self.refused_by(step)
        if name:
            report.setdefault("asked", {})["refused_by"] = name
            section = self._state.sections[name]
            report["detail"] += (
                f'; {name}, a program that was attached (SEC("{section}")), refuses it: without that it is attached'
            )

    def _asked(self, step: dict[str, Any], refusal: Refused) -> dict[str, Any]:
        """Return what a refused step asked for, and what this kernel knows of it."""
        asked: dict[str, Any] = {"api": refusal.api}
        owner: str = step.get("program_object", step.get("object", ""))
        item = self._state.objects.get(owner)
        if item is None:
            return asked
        # What of an object was refused, libbpf says; every other step names its program.
        name = step.get("program") or between(refusal.detail, "prog '", "'")
        if name in item.programs:
            asked |= {"program": name, "attached": self._attached[owner, name]}
            first = step["op"] in {"load", "attach"} and not asked["attached"]
            asked |= self._lib.asked_of_program(item.programs[name], refusal, loading=step["op"] == "load", first=first)
            function = function_of(asked["section"])
            of_kernel = (owner, name) not in self._of_programs
            if step["op"] == "attach" and refusal.number in UNCLEAR and function and of_kernel:
                known = traceable(function)
                asked |= {} if known is None else {"traceable": known}
        name = between(refusal.detail, "map '", "'") or (step["map"] if step["op"] == "attach-map" else "")
        handle = self._lib.found("bpf_object__find_map_by_name", item.handle, name.encode()) if name else None
        if handle:
            asked |= {"map": name, **self._lib.asked_of_map(handle, refusal)}
        if step["op"] == "set-attach-target" and "target" in step:
            btf = self._lib.found("bpf_object__btf", self._state.objects[step["target_object"]].handle)
            state = "none" if not btf else "refused" if self._lib.found("btf__fd", btf) < 0 else "loaded"
            asked |= {"target": step["target"], "function": step["function"], "target_btf": state}
        return asked

    def do_open(self, step: dict[str, Any]) -> None:
        """Open an object file, and prepare it as the step says (harness/agent/openings.py)."""
        item = self._state.objects[step["object"]] = BpfObject(
            self._lib, step["path"], step.get("only"), btf=self.case.get("btf") or ""
        )
        for act in preparations(self._lib, step):
            item.prepare(act)

    def do_load(self, step: dict[str, Any]) -> dict[str, Any]:
        """Load an opened object, as a user without capabilities where the step says so; report what is measured of its
        programs where the case says so.
        """
        item, measure = self._state.objects[step["object"]], self.case.get("measure", False)
        with unprivileged() if step.get("unprivileged") else contextlib.nullcontext():
            item.load(stats=step.get("stats", False) or measure)
        return {"programs": measured_programs(self._lib, item)} if measure else {}

    def do_load_raw(self, step: dict[str, Any]) -> None:
        """Load a tracer by bpf(2) itself, for a type of the target's BTF that libbpf has not looked up."""
        program = self._state.objects[step["object"]].program(step["program"])
        kind = self._lib.call("bpf_program__type", program)
        attach_type = self._lib.call("bpf_program__expected_attach_type", program)
        count, code = (self._lib.call(f"bpf_program__{what}", program) for what in ("insn_cnt", "insns"))
        license_text = ctypes.create_string_buffer(b"Dual MIT/GPL")
        # union bpf_attr of BPF_PROG_LOAD: prog_type, insn_cnt, insns, license; log_level, log_size, log_buf;
        # kern_version, prog_flags, prog_name, prog_ifindex, expected_attach_type; prog_btf_fd and the function and
        # line information (none); attach_btf_id, attach_prog_fd, and padding.
        before = struct.pack("=IIQQ", kind, count, code, ctypes.addressof(license_text))
        after = struct.pack("=II16sII", 0, 0, step["program"].encode()[:15], 0, attach_type)
        after += struct.pack("=IIQIIQI", 0, 0, 0, 0, 0, 0, 0)
        target = self._state.program_fd(step["target_object"], step["target"])
        btf_id = step["btf_id"] if "btf_id" in step else function_btf_id(self._lib, target, step["target"])
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

    def do_share_map(self, step: dict[str, Any]) -> None:
        """Make an object use the map of another that is loaded already."""
        source = self._state.objects[step["from_object"]].map(step["from_map"])
        fd = self._lib.call("bpf_map__fd", source)
        self._state.objects[step["object"]].prepare(
            lambda item: self._lib.call("bpf_map__reuse_fd", item.map(step["map"]), fd)
        )

    def do_set_attach_target(self, step: dict[str, Any]) -> None:
        """Tell a tracer which function it will be attached to, and of which program; of the kernel's where of none."""
        fd, function = 0, step["function"].encode()
        if "target" in step:
            self._of_programs.add((step["object"], step["program"]))
            fd = self._state.program_fd(step["target_object"], step["target"])
        self._state.objects[step["object"]].prepare(
            lambda item: self._lib.call("bpf_program__set_attach_target", item.program(step["program"]), fd, function)
        )

    def do_set_attach_type(self, step: dict[str, Any]) -> None:
        """Give a program an attach type that libbpf has no section name for."""
        self._state.objects[step["object"]].prepare(
            lambda item: self._lib.call(
                "bpf_program__set_expected_attach_type", item.program(step["program"]), step["type"]
            )
        )

    def do_measure(self, step: dict[str, Any]) -> dict[str, Any]:
        """Report what is measured of a loaded program."""
        log = self._state.objects[step["object"]].load_log(step["program"])
        return {"measured": measured(self._lib, self._state.program_fd(step["object"], step["program"]), log)}

    def do_workload(self, step: dict[str, Any]) -> dict[str, Any]:
        """Make the attached programs run with whatever there is, and report how often they did."""
        return workload(self._state, step["programs"], enough=step.get("enough", False))

    def do_tail_call(self, step: dict[str, Any]) -> None:
        """Put a program into a slot of a program array, or empty the slot."""
        array = self._lib.call("bpf_map__fd", self._state.objects[step["object"]].map(step["map"]))
        key = ctypes.c_uint32(step["index"])
        if not step["program"]:
            self._lib.call("bpf_map_delete_elem", array, ctypes.byref(key))
            return
        program = self._state.objects[step["program_object"]].program(step["program"])
        value = ctypes.c_uint32(self._lib.call("bpf_program__fd", program))
        self._lib.call("bpf_map_update_elem", array, ctypes.byref(key), ctypes.byref(value), 0)

    def do_listen(self, step: dict[str, Any]) -> None:
        """Start to read an events map."""
        events = self._state.objects[step["object"]].map(step["map"])
        self._readers[step["map"]] = EventReader(self._lib, self._lib.call("bpf_map__fd", events))

    def do_listen_records(self, step: dict[str, Any]) -> None:
        """Start to read the records of a ring buffer or perf event array that have a layout of their own."""
        self._inspector.listen_records(step["object"], step["map"])

    def do_listen_printk(self, _step: dict[str, Any]) -> None:
        """Start to read what programs print."""
        self._inspector.listen_printk()

    def do_inspect(self, step: dict[str, Any]) -> dict[str, Any]:
        """Report records, printed lines, variables, maps and runs."""
        return self._inspector.inspect(step["items"], seconds=step["seconds"])

    def do_trigger(self, step: dict[str, Any]) -> dict[str, Any]:
        """Make the target run; by the ends of a connection its events are known."""
        self._state.child = 0
        found = TRIGGERS[step["kind"]](self._state, step)
        self._ends = found.get("ends", {})
        return found

    def do_observe(self, step: dict[str, Any]) -> dict[str, Any]:
        """Report the events; wait a little for those that are still to come."""
        ports = {end[1] for end in self._ends.values()}

        def ours(event: dict[str, Any]) -> bool:
            # Nobody else writes to this map: what cannot be decoded is shown as it is.
            return "raw" in event or not ports.isdisjoint((event.get("sport"), event.get("dport")))

        def enough(events: list[dict[str, Any]]) -> bool:
            return sum(map(ours, events)) >= int(step["count"])

        reader = self._readers[step["map"]]
        events = reader.read(enough=enough, seconds=step["seconds"])
        for event in events:
            self.reporter.hold("event", case=self.case["id"], phase=step["phase"], ours=ours(event), event=event)
        return {"events": len(events), "lost": reader.lost}

    def do_read_trace(self, step: dict[str, Any]) -> dict[str, Any]:
        """Report the records of the trace map and empty it.

        Each record is made zeroes: a program that shares the cursor, but not the records, would else show old ones.
        """
        item = self._state.objects[step["object"]]
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
            self.reporter.hold("event", case=self.case["id"], phase=step["phase"], ours=True, event=event)
        zero = ctypes.c_uint32(0)
        self._lib.call("bpf_map_update_elem", cursor, ctypes.byref(key), ctypes.byref(zero), 0)
        return {"events": kept, "lost": count.value - kept, **self._programs(step)}

    def do_wait(self, step: dict[str, Any]) -> None:
        """Let time pass."""
        time.sleep(step["seconds"])

    def do_info(self, step: dict[str, Any]) -> dict[str, Any]:
        """Report what the kernel says of a link or a program, the ids of all programs, and some programs' infos."""
        if "link" in step:
            info = info_of(self._lib, LinkInfo(), self._state.links[step["link"]].fd())
        else:
            info = self._program_info(step["object"], step["program"])
        return {"info": info, "ids": self._ids(), **self._programs(step)}

    def _programs(self, step: dict[str, Any]) -> dict[str, Any]:
        """Return what is known of the programs that a step names beside its own."""
        if "programs" not in step:
            return {}
        return {"programs": {name: self._program_info(*name.split(".")) for name in step["programs"]}}

    def _program_info(self, owner: str, name: str) -> dict[str, Any]:
        return program_info(self._lib, self._state.program_fd(owner, name), name)

    def do_command(self, step: dict[str, Any]) -> dict[str, Any]:
        """Run a command; its output goes out while it runs."""

        return run_command(step, send=self._send_output)

    def _send_output(self, text: str, cut: int) -> None:
        self.reporter.send("output", case=self.case["id"], text=text, cut=cut)

    def do_collect(self, step: dict[str, Any]) -> dict[str, Any]:
        """Bring files that a command has written."""

        def send(path: str, text: str) -> None:
            self.reporter.send("file", case=self.case["id"], path=path, text=text)

        return collect(step["pattern"], send=send)

    def do_enable_stats(self, _step: dict[str, Any]) -> None:
        """Count the runs of programs until the case ends (BPF_STATS_RUN_TIME)."""
        self._lib.call("bpf_enable_stats", 0)

    def _ids(self) -> dict[str, int]:
        found = {}
        for owner, item in self._state.objects.items():
            for name, program in item.programs.items():
                with contextlib.suppress(Refused):
                    fd = self._lib.call("bpf_program__fd", program)
                    found[f"{owner}.{name}"] = info_of(self._lib, ProgInfo(), fd)["id"]
        return found
