// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * Its function is replaced by one that tail-calls it.
 * The function to be replaced changes packet data, so that its replacement may (a tail call counts as a change).
 */
#include "trace.h"

__attribute__((noinline)) int stub(struct __sk_buff *skb)
{
	int ret = 1;

	bpf_skb_pull_data(skb, 0);
	trace_kind(EVENT_SUBPROG);
	asm volatile("" : "+r"(ret));
	return ret;
}

SEC("tc")
int target(struct __sk_buff *skb)
{
	trace_kind(EVENT_TARGET);
	return stub(skb);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
