// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Nothing uses the array, so that it takes the type of the first program that is put into it. */
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

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} idle SEC(".maps");

char LICENSE[] SEC("license") = "Dual MIT/GPL";
