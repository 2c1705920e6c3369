// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A function without a tail call, and the program that its replacement tail-calls. */
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

SEC("tc")
int callee(struct __sk_buff *skb)
{
	trace_kind(EVENT_CALLEE);
	return 9;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
