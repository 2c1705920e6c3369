"""An object file: how it is opened, prepared and loaded."""

from __future__ import annotations

import ctypes
import errno
import os

from harness.agent.libbpf_abi import TEXT, U32, options
from harness.agent.load_logs import BPF_LOG_STATS, LoadLogs
from harness.agent.refusal import Refused

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from harness.agent.libbpf import Libbpf


FAILED = "BPF program load failed"
"""What libbpf says of a program that the kernel has refused (libbpf.c, bpf_object_load_prog())."""


def open_options(btf: str) -> Any:
    """Return struct bpf_object_open_opts (libbpf.h) for a file with types of a kernel, None where there is none."""
    if not btf:
        return None
    # object_name, relaxed_maps, pin_root_path, 32 bits that mean nothing any more, kconfig, btf_custom_path
    before = ((TEXT, None), (ctypes.c_bool, False), (TEXT, None), (U32, 0), (TEXT, None))
    return ctypes.byref(options(*before, (TEXT, os.fsencode(btf))))


class BpfObject:
    """An opened object file and its programs."""

    def __init__(self, lib: Libbpf, path: str, only: list[str] | None = None, *, btf: str = "") -> None:
        """Open a file; `only` names the programs that are loaded, `btf` a file with types of a kernel for CO-RE."""
        self._lib, self._path, self._only, self._btf = lib, path, only, btf
        self._prepared: list[Callable[[BpfObject], object]] = []
        self._logs: LoadLogs | None = None
        self.loaded = False
        self.handle = lib.pointer("bpf_object__open_file", os.fsencode(path), open_options(btf))
        self.programs = lib.programs(self.handle)
        for name, program in self.programs.items():
            if only is not None:  # one that is named is loaded even where its section says `?`
                lib.call("bpf_program__set_autoload", program, name in only)
        for program in self.programs.values():
            # With a buffer and log level 0, libbpf asks for the log only when a load has failed, and loads again
            # (bpf_object_load_prog()): so errno is that of a load with the log.
            lib.call("bpf_program__set_log_buf", program, lib.log.address, lib.log.size)

    def prepare(self, act: Callable[[BpfObject], object]) -> None:
        """Do with this object what must be done before it is loaded, and remember it."""
        act(self)
        self._prepared.append(act)

    def load(self, *, stats: bool = False, again: bool = True) -> None:
        """Load all maps and programs; Refused names the program that was refused, with the verifier's log.

        With `stats` each program keeps what the verifier says of its work (`load_log`). Where the kernel refuses a
        program of such a load, or its small log is too small, the object is loaded `again` as it would be without.
        """
        self._load(stats=stats, again=again)
        self.loaded = True

    def _load(self, *, stats: bool, again: bool) -> None:
        if stats:
            logs = LoadLogs(self._lib, self.programs.values())
            try:
                self._lib.call("bpf_object__load", self.handle)
            except Refused as refusal:
                if not again:
                    raise
                if not any(FAILED in message for message in self._lib.messages):
                    refusal.log = ""  # no program has come to the verifier, and so it would be again
                    raise
                self._lib.messages.clear()
                self._lib.debug.clear()
                self._become(self._again())
            else:
                self._logs = logs
                return
        self._lib.log.clear()
        try:
            self._lib.call("bpf_object__load", self.handle)
        except Refused as refusal:
            refusal.log = self._lib.verifier_log()
            if refusal.number == errno.ENOSPC and self._lib.log.full():
                self._without_log(refusal)
            raise

    def _without_log(self, refusal: Refused) -> None:
        """Find out what a load is refused with whose log is longer than there is room for, which is ENOSPC by itself.

        With BPF_LOG_STATS alone the verifier writes no states, but still what is wrong (kernel/bpf/verifier.c,
        verbose()).
        """
        again = self._again()
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

    def _again(self) -> BpfObject:
        """Return another object of the same file, prepared in the same way: one is loaded but once."""
        again = BpfObject(self._lib, self._path, self._only, btf=self._btf)
        for act in self._prepared:
            act(again)
        return again

    def _become(self, other: BpfObject) -> None:
        self.handle, self.programs = other.handle, other.programs

    def load_log(self, name: str) -> str:
        """Return what the verifier said of a program that is loaded, "" where it was not asked for its statistics."""
        return self._logs.text(self.program(name)) if self._logs else ""

    def program(self, name: str) -> int:
        """Return a program by name; Refused with ENOENT where there is none."""
        if name not in self.programs:
            raise Refused(errno.ENOENT, f"the object has no program {name}", api="bpf_object__find_program_by_name")
        return self.programs[name]

    def map(self, name: str) -> int:
        """Return a map by name; Refused with ENOENT where there is none."""
        return self._lib.pointer("bpf_object__find_map_by_name", self.handle, name.encode())
