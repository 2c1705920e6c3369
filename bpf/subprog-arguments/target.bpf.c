// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Says whether what it is called with arrived, and returns a number that needs all 64 bits. */
#include "trace.h"

static __attribute__((noinline)) __s64 subprog(__u64 a, __u8 b, __u16 c, __u32 d)
{
	__s64 ret = -0x123456789abcdef0LL;

	trace_value(EVENT_SUBPROG, a == 0x1111111111111111ULL && b == 0x22 && c == 0x3333 && d == 0x44444444);
	asm volatile("" : "+r"(ret));
	return ret;
}

SEC("tc")
int target(struct __sk_buff *skb)
{
	__u64 a = 0x1111111111111111ULL, b = 0x22, c = 0x3333, d = 0x44444444;

	trace_kind(EVENT_TARGET);
	/* The compiler must not know them, or it would put them into the function. */
	asm volatile("" : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
	return subprog(a, b, c, d) == -0x123456789abcdef0LL ? 5 : 6;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
