// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Throws in its function; behind it nothing runs, or the trace would show a `body`. */
#include "trace.h"

extern void bpf_throw(__u64 cookie) __attribute__((section(".ksyms")));

static __attribute__((noinline)) int subprog(struct __sk_buff *skb)
{
	trace_kind(EVENT_SUBPROG);
	bpf_throw(9);
	return 11;
}

SEC("tc")
int target(struct __sk_buff *skb)
{
	int ret;

	trace_kind(EVENT_TARGET);
	ret = subprog(skb);
	trace_kind(EVENT_BODY);
	return ret;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
