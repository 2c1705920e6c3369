// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Run when the agent, in a cgroup of its own, sets one option of a socket and gets another; 1 lets it. */
#include "trace.h"

SEC("cgroup/setsockopt")
int setsockopt(struct bpf_sockopt *ctx)
{
	trace_value(EVENT_TARGET, ctx->optname);
	return 1;
}

SEC("cgroup/getsockopt")
int getsockopt(struct bpf_sockopt *ctx)
{
	trace_value(EVENT_TARGET, ctx->optname);
	return 1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
