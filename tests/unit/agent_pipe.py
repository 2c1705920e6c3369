"""A pipe for the agent's lines, in place of a guest's."""

from __future__ import annotations

import json
import os
from typing import Any


class Pipe:
    """A pipe to give the agent, and its lines read back."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)

    def text(self) -> bytes:
        data = b""
        while True:
            try:
                more = os.read(self.reading, 65536)
            except BlockingIOError:
                return data
            if not more:
                return data
            data += more

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines() if line]

    def close(self) -> None:
        os.close(self.reading)
        os.close(self.writing)
