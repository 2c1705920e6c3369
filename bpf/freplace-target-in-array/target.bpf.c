// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* An entry that tail-calls the program whose function is to be replaced. */
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
} progs SEC(".maps");

SEC("tc")
int entry(struct __sk_buff *skb)
{
	trace_kind(EVENT_BODY);
	bpf_tail_call(skb, &progs, 0);
	return 3;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
