// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Has an argument more than the function that it is for. */
#include "trace.h"

SEC("freplace/stub")
int replacement(struct __sk_buff *skb, int more)
{
	trace_kind(EVENT_FREPLACE);
	return 7;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
