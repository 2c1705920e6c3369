// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* An action of traffic control: drops (2, TC_ACT_SHOT) what the loopback device of an own network namespace receives. */
#include "trace.h"

SEC("action")
int target(struct __sk_buff *ctx)
{
	trace_value(EVENT_TARGET, ctx->len);
	return 2;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
