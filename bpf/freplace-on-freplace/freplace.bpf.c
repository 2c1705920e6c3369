// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Replaces, and has a global function of its own that could be replaced. */
#include "trace.h"

__attribute__((noinline)) int inner(int value)
{
	trace_value(EVENT_BODY, value);
	return value + 1;
}

SEC("freplace/stub")
int replacement(struct __sk_buff *skb)
{
	trace_kind(EVENT_FREPLACE);
	return inner(6);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
