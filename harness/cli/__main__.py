"""`python -m harness.cli`: the command `bpfmatrix`, where its script is not on the PATH."""

from __future__ import annotations

from harness.cli.program import main

main()
