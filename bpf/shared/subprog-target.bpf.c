// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* The function's return value, 11, is not the program's, 5. */
#include "trace.h"

static __attribute__((noinline)) int subprog(struct __sk_buff *skb)
{
	int ret = 11;

	trace_kind(EVENT_SUBPROG);
	asm volatile("" : "+r"(ret), "+r"(skb));
	return ret;
}

SEC("tc")
int target(struct __sk_buff *skb)
{
	trace_kind(EVENT_TARGET);
	return subprog(skb) - 6;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
