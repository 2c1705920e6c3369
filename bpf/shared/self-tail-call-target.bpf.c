// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Tail-calls itself: 33 times (MAX_TAIL_CALL_CNT), so it runs 34 times. */
#include "trace.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} progs SEC(".maps");

SEC("tc")
int target(struct __sk_buff *skb)
{
	trace_kind(EVENT_TARGET);
	bpf_tail_call(skb, &progs, 0);
	return 3;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
