// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Run by BPF_PROG_TEST_RUN with one argument of the agent's, and when the agent changes its name. */
#include "trace.h"

SEC("raw_tp/task_rename")
int target(struct bpf_raw_tracepoint_args *ctx)
{
	trace_kind(EVENT_TARGET);
	return 5;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
