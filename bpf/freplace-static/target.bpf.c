// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Two functions that differ in that one of them is static; only the global one is called. */
#include "trace.h"

__attribute__((noinline)) int stub(struct __sk_buff *skb)
{
	int ret = 1;

	trace_kind(EVENT_SUBPROG);
	asm volatile("" : "+r"(ret) : "r"(skb));
	return ret;
}

static __attribute__((noinline)) int quiet(struct __sk_buff *skb)
{
	int ret = 0;

	asm volatile("" : "+r"(ret), "+r"(skb));
	return ret;
}

SEC("tc")
int target(struct __sk_buff *skb)
{
	trace_kind(EVENT_TARGET);
	return stub(skb) + quiet(skb);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
