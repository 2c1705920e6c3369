"""What is measured of a BPF program: the name of each number in steps and reports, and what it is."""

from __future__ import annotations

INSTRUCTIONS, TOTAL_STATES, PEAK_STATES, STACK = "verified-instructions", "total-states", "peak-states", "stack"
JITED, TRANSLATED, RUNS = "jited-bytes", "translated-bytes", "runs"
LIMIT = "instruction-limit"

MEASURES = {
    INSTRUCTIONS: "instructions that the verifier processed (bpf_prog_info.verified_insns since 5.16, its log before)",
    LIMIT: "instructions that this kernel's verifier processes of a program at most (its log)",
    TOTAL_STATES: "states that the verifier stored in all (its log)",
    PEAK_STATES: "states that the verifier held at most at a time (its log)",
    STACK: "bytes of stack of the program and of what it calls, added up (the verifier's log)",
    JITED: "bytes of machine code (bpf_prog_info.jited_prog_len)",
    TRANSLATED: "bytes of BPF code as the kernel keeps it (bpf_prog_info.xlated_prog_len)",
    RUNS: "times that it ran while the workload did (bpf_prog_info.run_cnt)",
}
"""Each measure, in the order of reports."""
