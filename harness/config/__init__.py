"""matrix.yaml and case.yaml: read, validated, explained; and the expectations in them."""

from harness.config.case import Case, load_case, load_cases
from harness.config.expectation import choose, kernel_version
from harness.config.matrix import DebianKernel, Kernel, Matrix, PathKernel, Settings, load_matrix
from harness.config.rules import Rule

__all__ = [
    "Case",
    "DebianKernel",
    "Kernel",
    "Matrix",
    "PathKernel",
    "Rule",
    "Settings",
    "choose",
    "kernel_version",
    "load_case",
    "load_cases",
    "load_matrix",
]
