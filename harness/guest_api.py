"""What a scenario.py imports: its types, and the exceptions that it may catch. docs/scenario.md describes it.

In a guest it is the agent's own module, on any other machine this one, for editors and type checkers.
"""

from harness.agent.scenario_api import (
    Connection,
    Ended,
    Globals,
    Guest,
    Link,
    Map,
    Mistake,
    Object,
    Records,
    StepRefused,
    Triggers,
)

__all__ = [
    "Connection",
    "Ended",
    "Globals",
    "Guest",
    "Link",
    "Map",
    "Mistake",
    "Object",
    "Records",
    "StepRefused",
    "Triggers",
]
