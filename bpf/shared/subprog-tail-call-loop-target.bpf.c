// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * The subprogram tail-calls the program that calls it: the kernel must end this after 33 tail calls
 * (MAX_TAIL_CALL_CNT), with the 34th run of the subprogram falling through.
 */
#include "trace.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} progs SEC(".maps");

__attribute__((noinline)) int subprog(struct __sk_buff *skb)
{
	int ret = 11;

	trace_kind(EVENT_SUBPROG);
	bpf_tail_call(skb, &progs, 0);
	asm volatile("" : "+r"(ret));
	return ret;
}

SEC("tc")
int target(struct __sk_buff *skb)
{
	trace_kind(EVENT_TARGET);
	return subprog(skb);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
