// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Its return value tells it from the function that it replaces. */
#include "trace.h"

SEC("freplace/stub")
int replacement(struct __sk_buff *skb)
{
	trace_kind(EVENT_FREPLACE);
	return 7;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
