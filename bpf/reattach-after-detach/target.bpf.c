// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What the tracer is attached to, twice. */
#include "trace.h"

SEC("tc")
int target(struct __sk_buff *skb)
{
	trace_kind(EVENT_TARGET);
	return 5;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
