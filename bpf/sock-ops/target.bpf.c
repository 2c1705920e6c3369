// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Runs when the kernel asks something of a connection of the agent's cgroup. */
#include "trace.h"

SEC("sockops")
int target(struct bpf_sock_ops *ctx)
{
	trace_value(EVENT_TARGET, ctx->op);
	return 1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
