// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Runs when the agent, in a cgroup of its own, opens a device; 1 lets it. */
#include "trace.h"

SEC("cgroup/dev")
int target(struct bpf_cgroup_dev_ctx *ctx)
{
	trace_value(EVENT_TARGET, ctx->minor);
	return 1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
