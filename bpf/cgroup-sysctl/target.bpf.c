// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Runs when the agent, in a cgroup of its own, reads or writes a sysctl; 1 lets it. */
#include "trace.h"

SEC("cgroup/sysctl")
int target(struct bpf_sysctl *ctx)
{
	trace_value(EVENT_TARGET, ctx->write);
	return 1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
