// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Runs at the third page fault of the agent, once. */
#include "trace.h"

SEC("perf_event")
int target(struct bpf_perf_event_data *ctx)
{
	trace_kind(EVENT_TARGET);
	return 5;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
