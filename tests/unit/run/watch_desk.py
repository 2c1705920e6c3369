"""A project whose files are saved by the test."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from harness.supply.project import Project


class Desk:
    """A project whose files are saved by the test."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.saves = 0
        self.matrix(cases=["bpf/*"])
        for name in ("bpf/include/event.h", "bpf/expectations.yaml"):
            self.save(name, "")
        for case in "abc":
            self.save(f"bpf/{case}/case.yaml", "")
            self.save(f"bpf/{case}/target.bpf.c", "pass")

    @property
    def project(self) -> Project:
        return Project(matrix_file=self.folder / "matrix.yaml")

    def matrix(self, **keys: Any) -> None:
        kernel = {"name": "6.1", "arch": "x86_64", "source": "path", "image": "vmlinuz"}
        self.save("matrix.yaml", json.dumps({"kernels": [kernel], **keys}))

    def save(self, name: str, text: str) -> None:
        """Write a file. The size grows with every save, since the clock of a file's time may stand still meanwhile."""
        self.saves += 1
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + " " * self.saves)

    def text(self, name: str) -> str:
        return (self.folder / name).read_text().strip()
