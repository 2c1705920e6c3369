// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Tail-calls a program of the target's type; falls through where the slot is empty. */
#include "trace.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} progs SEC(".maps");

SEC("freplace/stub")
int replacement(struct __sk_buff *skb)
{
	trace_kind(EVENT_FREPLACE);
	bpf_tail_call(skb, &progs, 0);
	return 7;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
