// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* The quiet program at the bottom: one tracer traces it, and others trace that tracer. */
#include "trace.h"

SEC("tc")
int target(struct __sk_buff *skb)
{
	trace_kind(EVENT_TARGET);
	return 5;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
