// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Drops (2) the one datagram that the agent sends over the loopback device of its own network namespace. */
#include "trace.h"

SEC("tcx/ingress")
int target(struct __sk_buff *ctx)
{
	trace_kind(EVENT_TARGET);
	return 2;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
