// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Its function is replaced. */
#include "trace.h"

__attribute__((noinline)) int stub(struct __sk_buff *skb)
{
	int ret = 1;

	trace_kind(EVENT_SUBPROG);
	asm volatile("" : "+r"(ret) : "r"(skb));
	return ret;
}

SEC("tc")
int target(struct __sk_buff *skb)
{
	trace_kind(EVENT_TARGET);
	return stub(skb);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
