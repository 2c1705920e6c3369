// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Runs when the kernel asks something of a connection of the agent's cgroup, or tells it something, as that the client is
 * connected (BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB, 4): then it does not look at what is returned.
 */
#include "trace.h"

SEC("sockops")
int target(struct bpf_sock_ops *ctx)
{
	trace_value(EVENT_TARGET, ctx->op);
	return ctx->op != 4;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
