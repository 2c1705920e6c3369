// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Two targets with different arguments: the other one's context is not known to the kernel, so it has five. */
#include "trace.h"

SEC("tc")
int target(struct __sk_buff *skb)
{
	trace_kind(EVENT_TARGET);
	return 5;
}

SEC("tc")
int other(void *ctx)
{
	trace_kind(EVENT_BODY);
	return 6;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
