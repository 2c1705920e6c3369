// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Hands a number on that nobody uses, and one that is used. */
#include "trace.h"

static __attribute__((noinline)) int subprog(__u32 unused, __u32 value)
{
	int ret = 11;

	trace_value(EVENT_SUBPROG, value);
	asm volatile("" : "+r"(ret));
	return ret;
}

SEC("tc")
int target(struct __sk_buff *skb)
{
	__u32 value = 2222;

	/* The compiler must not know it, or it would put it into the function, too. */
	asm volatile("" : "+r"(value));
	/* Its calls of helpers leave nothing in the registers of arguments. */
	trace_kind(EVENT_TARGET);
	return subprog(1111, value) - 6;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
