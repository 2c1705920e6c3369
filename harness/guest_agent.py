#!/usr/bin/python3
"""The agent's entry: in a guest it is pushed with harness/agent/ and loaded by harness/guest_service.py.

On any other machine it takes a job file, and reports to standard output. docs/agent-protocol.md describes both.
"""

from __future__ import annotations

import json
import os
import sys

if __name__ == "__main__":  # a file by itself: its package lies beside it
    sys.path[0] = os.path.dirname(sys.path[0])

from harness.agent.kernel_log import KernelLog
from harness.agent.libbpf import Libbpf
from harness.agent.serve import serve

__all__ = ["KernelLog", "Libbpf", "main", "serve"]


def main(path: str) -> None:
    """Run all cases of the job file `path`, reporting to standard output."""
    with open(path, encoding="utf-8") as file:
        serve(json.load(file), lib=Libbpf(), log=KernelLog(), fd=os.dup(1))


if __name__ == "__main__":
    main(sys.argv[1])
