// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Drops (2, TC_ACT_SHOT) the one datagram that the loopback device of an own network namespace receives. */
#include "trace.h"

SEC("tc")
int target(struct __sk_buff *ctx)
{
	trace_value(EVENT_TARGET, ctx->len);
	return 2;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
