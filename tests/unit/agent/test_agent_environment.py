"""What the guest says of itself."""

from __future__ import annotations

import json
import os
from pathlib import Path

from agent_samples import Played

from harness.agent.environment import environment
from harness.agent.files import read_text


def test_the_environment_is_what_the_machine_says() -> None:
    found = environment(Played())
    assert found["release"] == os.uname().release
    assert found["libbpf"] == "v0"
    assert found["btf"] == Path("/sys/kernel/btf/vmlinux").exists()
    assert read_text("/no/such/file") is None
    assert found["version_signature"] == read_text("/proc/version_signature")
    json.dumps(found)
