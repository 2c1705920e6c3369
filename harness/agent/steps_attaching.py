"""The steps of a case that make things, attach programs, and do something with links and what is pinned."""

from __future__ import annotations

import collections
import contextlib
import os
import struct

from harness.agent.attachers import attacher_of
from harness.agent.attachers_network import attach_at
from harness.agent.attachers_targets import attach_to
from harness.agent.infos import function_btf_id, info_of
from harness.agent.kernel_abi import BPF_LINK_CREATE, PROG_TYPE_EXT, LinkInfo, bpf
from harness.agent.leftovers import LINK_IDS, bpf_ids, gone
from harness.agent.links import BpfLink, ElsewhereLink, FdLink, RegisteredMap
from harness.agent.refusal import Refused
from harness.agent.setup import make

TYPE_CHECKING = False  # `typing` takes a guest too long to import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from harness.agent.case_state import CaseState
    from harness.agent.links import Link

BPF_F_LINK = 1 << 13  # of a struct_ops map whose registration is a link (SEC(".struct_ops.link"), Linux 6.4)


class AttachingSteps:
    """The steps by which programs come to run, and stop."""

    def __init__(self, state: CaseState) -> None:
        self._state, self._lib = state, state.lib
        self._registered: set[str] = set()
        self._attached: collections.Counter[tuple[str, str]] = collections.Counter()
        self._pinned: dict[str, int] = {}

    def do_make(self, step: dict[str, Any]) -> None:
        """Make a thing of the case's setup."""
        make(self._state, step["thing"])

    def do_attach(self, step: dict[str, Any]) -> dict[str, Any]:
        """Attach a program as its section says, or by a command of bpf(2); the link has a name."""
        program = self._state.objects[step["object"]].program(step["program"])
        name = step.get("link", step["program"])
        if step.get("api") == "raw-tracepoint-open":
            fd = self._lib.call("bpf_raw_tracepoint_open", None, self._lib.call("bpf_program__fd", program))
            link: Link = FdLink(fd)
        elif step.get("api") == "link-create":
            link = self._link_create(program, step)
        else:
            link = self._attach(program, step)
        self._state.links[name] = link
        self._state.sections[name] = self._lib.section(program)
        self._attached[step["object"], step["program"]] += 1
        return link.found

    def refused_by(self, step: dict[str, Any]) -> str:
        """Return the link of the program by which an attachment is refused, "" where none does; detach those tried.

        They are detached one after the other, and each time the step is done again. Only for a case that ends here.
        """
        attachments: dict[str, Callable[[dict[str, Any]], object]]
        attachments = {"attach": self.do_attach, "attach-map": self.do_attach_map}
        if step["op"] not in attachments:
            return ""
        for name in self._state.refusers():
            try:
                self._state.links.pop(name).close()
                attachments[step["op"]](step)
            except (Refused, OSError):
                continue
            return name
        return ""

    def _attach(self, program: int, step: dict[str, Any]) -> Link:
        section = self._lib.section(program)
        attach = attacher_of(section)
        if "place" in step:
            return attach_at(self._state, program, step["place"])
        if "to" in step:
            return attach_to(self._state, program, step["to"])
        if attach is not None and step.get("apart"):
            with self._state.apart(step["apart"]):
                return ElsewhereLink(attach(self._state, program), lambda: self._state.apart(step["apart"]))
        if attach is not None:
            link = attach(self._state, program)
        else:
            link = BpfLink(self._lib, self._lib.pointer("bpf_program__attach", program))
        if section.startswith("iter"):
            self._state.iterators.append(link)
        return link

    def do_attach_map(self, step: dict[str, Any]) -> None:
        """Attach a struct_ops map, all its programs at once; the link is known by `link`, else by the map's name."""
        handle = self._state.objects[step["object"]].map(step["map"])
        link = self._lib.pointer("bpf_map__attach_struct_ops", handle)
        name = step.get("link", step["map"])
        linked = self._lib.found("bpf_map__map_flags", handle) & BPF_F_LINK
        self._state.links[name] = (BpfLink if linked else RegisteredMap)(self._lib, link)
        self._registered.add(name)

    def _link_create(self, program: int, step: dict[str, Any]) -> Link:
        target_fd = btf_id = 0
        if "target" in step:
            target_fd = self._state.program_fd(step["target_object"], step["target"])
            if self._lib.call("bpf_program__type", program) == PROG_TYPE_EXT:
                function = step["function"].encode()
                attached = self._lib.pointer("bpf_program__attach_freplace", program, target_fd, function)
                return BpfLink(self._lib, attached)
            btf_id = function_btf_id(self._lib, target_fd, step["function"])
        # union bpf_attr of BPF_LINK_CREATE: prog_fd, target_fd, attach_type, flags, then tracing's target_btf_id and
        # cookie. libbpf's bpf_link_create() would fall back on BPF_RAW_TRACEPOINT_OPEN.
        kind = self._lib.call("bpf_program__expected_attach_type", program)
        fd = self._lib.call("bpf_program__fd", program)
        cookie = step.get("cookie", 0)
        return FdLink(bpf(BPF_LINK_CREATE, struct.pack("=IIIIIIQ", fd, target_fd, kind, 0, btf_id, 0, cookie)))

    def do_detach(self, step: dict[str, Any]) -> None:
        """Close a link."""
        self._state.links.pop(step["link"]).close()

    def do_update_link(self, step: dict[str, Any]) -> None:
        """Put another program into the place of a link's, or another struct_ops map."""
        link, item = self._state.links[step["link"]], self._state.objects[step["object"]]
        if "map" in step:
            link.fd()  # or there is none to update
            self._lib.call("bpf_link__update_map", link.handle, item.map(step["map"]))
            return
        fd = self._lib.call("bpf_program__fd", item.program(step["program"]))
        self._lib.call("bpf_link_update", link.fd(), fd, None)

    def do_pin(self, step: dict[str, Any]) -> None:
        """Pin a link, a program or a map at a path of a bpffs; its folders are made."""
        if "link" in step:
            fd = self._state.links[step["link"]].fd()
        elif "map" in step:
            fd = self._lib.call("bpf_map__fd", self._state.objects[step["object"]].map(step["map"]))
        else:
            fd = self._state.program_fd(step["object"], step["program"])
        os.makedirs(os.path.dirname(step["path"]), exist_ok=True)
        self._lib.call("bpf_obj_pin", fd, step["path"].encode())
        if "link" in step:
            self._pinned[step["path"]] = info_of(self._lib, LinkInfo(), fd)["id"]

    def do_unpin(self, step: dict[str, Any]) -> None:
        """Remove what is pinned at a path, and wait until a link is gone that nobody else has: it goes with RCU."""
        try:
            os.unlink(step["path"])
        except OSError as error:
            raise Refused(error.errno or 0, f"unlink(2) of {step['path']}", api="unlink") from None
        link = self._pinned.pop(step["path"], None)
        if link is not None and link not in (*self._pinned.values(), *self._own_links()):
            gone(lambda: link in bpf_ids(LINK_IDS))

    def _own_links(self) -> list[int]:
        """Return the ids of the links that the case still has."""
        found = []
        for link in self._state.links.values():
            with contextlib.suppress(Refused):
                found.append(info_of(self._lib, LinkInfo(), link.fd())["id"])
        return found
