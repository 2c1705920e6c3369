"""The commands of bpfmatrix for its users, as Invoke tasks: all that there are, from the modules that have them."""

from harness.cli.tasks_answers import compare, explain, github, history, judge, merge, precheck, release_report, support
from harness.cli.tasks_project import cases, clean, doctor, init, kernels, lock
from harness.cli.tasks_running import bench, bisect, check, exec, matrix, mutants, plan, shell, watch

__all__ = [
    "bench",
    "bisect",
    "cases",
    "check",
    "clean",
    "compare",
    "doctor",
    "exec",
    "explain",
    "github",
    "history",
    "init",
    "judge",
    "kernels",
    "lock",
    "matrix",
    "merge",
    "mutants",
    "plan",
    "precheck",
    "release_report",
    "shell",
    "support",
    "watch",
]
