// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A packet program that returns 3 for every packet, and says that it ran. */
#include "trace.h"

SEC("tc")
int target(struct __sk_buff *skb)
{
	trace_kind(EVENT_TARGET);
	return 3;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
