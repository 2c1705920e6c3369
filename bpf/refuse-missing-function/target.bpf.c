// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Two programs. Both functions are in the BTF of each, and each has only its own. */
#include "trace.h"

SEC("tc")
int target(struct __sk_buff *skb)
{
	trace_kind(EVENT_TARGET);
	return 3;
}

SEC("tc")
int other(struct __sk_buff *skb)
{
	trace_kind(EVENT_BODY);
	return 5;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
