// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* An entry and what it tail-calls. */
#include "trace.h"

SEC("tc")
int callee(struct __sk_buff *skb)
{
	trace_kind(EVENT_CALLEE);
	return 9;
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
