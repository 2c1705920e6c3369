"""libbpf as the agent calls it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from unit_samples import ROOT, X86

from harness.agent.libbpf import without_types
from harness.agent.libbpf_abi import PROTOTYPES
from harness.config.case_folders import load_case
from harness.host.cache import Cache
from harness.supply.objects import ObjectBuilder


def test_every_function_of_libbpf_that_is_called_has_its_types_declared() -> None:
    text = "".join(path.read_text() for path in sorted((ROOT / "harness/agent").glob("*.py")))
    called = set(re.findall(r'\b(?:call|pointer)\(\s*"(\w+)"', text)) | set(
        re.findall(r"\b_lib\.((?:lib)?bpf_\w+)", text)
    )
    assert len(called) > 40
    assert called <= set(PROTOTYPES)
    for name, (result, arguments) in PROTOTYPES.items():
        assert result is not None, name
        assert isinstance(arguments, list) and None not in arguments, name


def test_of_the_kernels_log_of_a_btf_the_last_line_is_kept() -> None:
    log = "libbpf: Error loading .BTF: -22\n-- BEGIN BTF LOAD LOG ---\n[1] INT int\n[6] ARRAY (anon) overflows\n\n"
    assert without_types(f"{log}-- END BTF LOAD LOG --") == "libbpf: Error loading .BTF: -22 [6] ARRAY (anon) overflows"
    assert without_types("libbpf: E\n-- BEGIN BTF LOAD LOG ---\n\n-- END BTF LOAD LOG --") == "libbpf: E"
    assert without_types("libbpf: map 'm': failed\n") == "libbpf: map 'm': failed\n"


LIBBPF = """
import json, sys
from harness.agent.bpf_object import BpfObject
from harness.agent.libbpf import DEBUG_BYTES, Libbpf
from harness.agent.refusal import Refused, errno_name
lib = Libbpf()
def refusal(act):
    try:
        act()
    except Refused as refused:
        return [errno_name(refused.number), refused.detail]
good = BpfObject(lib, sys.argv[1])
kprobe = good.programs["k_tcp_connect"]
said = Refused(22, log="R1 invalid mem access")
def asked_of_an_unknown_attach_type():
    lib.call("bpf_program__set_expected_attach_type", kprobe, 9999)
    return lib.asked_of_program(kprobe, said, loading=True, first=True)["attach_type"]
lib.messages.append("kept")
print(json.dumps({
    "asked of a program": lib.asked_of_program(kprobe, said, loading=True, first=True),
    "asked of a map": lib.asked_of_map(good.map("events"), Refused(12)),
    "a number": asked_of_an_unknown_attach_type(),
    "debug": bool(lib.debug) and max(map(len, lib.debug)) <= DEBUG_BYTES,
    "not found": [lib.found("bpf_object__find_map_by_name", good.handle, b"none"), lib.messages[:1]],
    "version": lib.version(),
    "programs": sorted(good.programs),
    "no program": refusal(lambda: good.program("none")),
    "no map": refusal(lambda: good.map("none")),
    "map": bool(good.map("events")),
    "no object": refusal(lambda: BpfObject(lib, sys.argv[2])),
    "no file": refusal(lambda: BpfObject(lib, "/no/such/file")),
}))
"""


def test_objects_are_opened_with_the_hosts_libbpf(tmp_path: Path) -> None:
    """Opening needs no privilege; libbpf.so.1 comes with the headers that the build needs."""
    case = load_case(ROOT / "bpf/kprobe-fentry-fexit")
    built = ObjectBuilder(cache=Cache(tmp_path), include=[ROOT / "bpf/include"]).build(case, X86)
    (tmp_path / "text").write_text("no object")
    argv = [sys.executable, "-c", LIBBPF, str(built[case.files["target"]].path), str(tmp_path / "text")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert re.match(r"v\d", found["version"])
    assert found["programs"] == ["handle_again", "handle_new_connection", "k_icsk_complete_hashdance", "k_tcp_connect"]
    assert found["no program"] == ["ENOENT", "the object has no program none"]
    assert found["no map"][0] == "ENOENT"
    assert found["asked of a program"] == {"section": "kprobe/tcp_connect", "type": "kprobe", "attach_type": ""}
    of_map = {
        "map_type": "perf_event_array",
        "key_size": 4,
        "value_size": 4,
        "max_entries": 0,
        "map_flags": 0,
        "bytes": 0,
    }
    assert found["asked of a map"] == of_map
    assert found["a number"] == "9999"
    assert found["debug"] is True
    assert found["not found"] == [None, ["kept"]]
    assert found["map"] is True
    assert found["no object"][0] not in ("E?0", None)
    assert found["no file"][0] == "ENOENT"
    assert "/no/such/file" in found["no file"][1]
