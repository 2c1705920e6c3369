// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Runs when the agent, in a cgroup of its own, connects a socket; 1 lets it. */
#include "trace.h"

SEC("cgroup/connect4")
int target(struct bpf_sock_addr *ctx)
{
	trace_kind(EVENT_TARGET);
	return 1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
