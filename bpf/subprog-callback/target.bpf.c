// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Loops ten times in principle; the callback ends the loop in its second turn. */
#include "trace.h"

static int callback(__u32 index, void *data)
{
	trace_value(EVENT_CALLEE, index);
	return index == 1;
}

SEC("tc")
int target(struct __sk_buff *skb)
{
	trace_kind(EVENT_TARGET);
	return bpf_loop(10, callback, 0, 0);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
