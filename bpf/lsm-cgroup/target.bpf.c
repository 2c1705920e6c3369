// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Runs when the agent, in a cgroup of its own, binds a socket; 1 lets it. */
#include "trace.h"

SEC("lsm_cgroup/socket_bind")
int BPF_PROG(target, void *socket, void *address, int length)
{
	trace_value(EVENT_TARGET, length);
	return 1;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
