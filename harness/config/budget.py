"""The key `budget` of matrix.yaml, case.yaml and check.yaml: what programs may need at most."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, Strict, WithJsonSchema

from harness.config.reading.models import Expects, Model, unexpected
from harness.model.budgets import MEASURE_OF, Most

_SHARE = r"^(100(\.0+)?|[0-9]{1,2}(\.[0-9]+)?)%$"
_INSTRUCTIONS = 'a number of instructions of at least 1, or a share of the kernel\'s limit such as "85%"'

BUDGET = "What each program may need at most, on every kernel; what needs more makes a cell fail."


def _no_share(value: object) -> object:
    """Return what is no share; of what a kernel has no limit there is none."""
    if isinstance(value, str) and value.strip().endswith("%"):
        raise unexpected("a number of at least 1: a kernel's log names a limit of instructions alone")
    return value


Share = Annotated[str, Field(pattern=_SHARE)]
Instructions = Annotated[
    Annotated[int, Strict(), Field(ge=1)] | Share,
    Expects(_INSTRUCTIONS),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": _SHARE}]}),
]
Count = Annotated[int, Strict(), Field(ge=1), BeforeValidator(_no_share)]


class BudgetKeys(Model):
    """What each program may need at most. What is not named has no limit but the kernel's own."""

    max_insns: Instructions | None = Field(
        default=None,
        description="Instructions that the verifier processes of a program: a number, or a share of the limit that the "
        "kernel's log names, such as 85%.",
    )
    max_states: Count | None = Field(
        default=None, description="States that the verifier holds of a program at a time (peak_states of its log)."
    )
    max_jited_size: Count | None = Field(default=None, description="Bytes of a program's machine code.")

    def value(self) -> dict[str, Most]:
        """Return the budget as the judge has it."""
        named = {key: getattr(self, key.replace("-", "_")) for key in MEASURE_OF}
        return {
            MEASURE_OF[key]: Most(percent=float(most[:-1])) if isinstance(most, str) else Most(number=most)
            for key, most in named.items()
            if most is not None
        }
