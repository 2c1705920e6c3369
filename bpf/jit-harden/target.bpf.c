// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Constants that are handed on, in the program and in its function: 0x45454545, 0x0badf00e. */
#include "trace.h"

static __attribute__((noinline)) int subprog(__u32 value)
{
	int ret = 0x0badf00e;

	trace_kind(EVENT_SUBPROG);
	asm volatile("" : "+r"(ret), "+r"(value));
	return ret;
}

SEC("tc")
int target(struct __sk_buff *skb)
{
	__u32 value = 0x45454545;

	trace_kind(EVENT_TARGET);
	/* The compiler must not know it, or it would put it into the function and take the argument away. */
	asm volatile("" : "+r"(value));
	return subprog(value) - 1;
}

/* Two instructions, of which blinding makes four: a constant takes three. */
SEC("tc")
int constant(struct __sk_buff *skb)
{
	return 0x0badf00e;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
