"""What a scenario.py imports: its types, and the exceptions that it may catch. docs/scenario.md describes it.

In a guest it is the agent's own module, on any other machine this one, for editors and type checkers.
"""

from harness.agent.scenario_api import *  # noqa: F403  (its __all__ is the list)
