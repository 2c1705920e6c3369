// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A tracer of a function that the target does not have. */
#include "trace.h"

SEC("fentry/other")
int BPF_PROG(tracer, struct sk_buff *skb)
{
	trace_kind(EVENT_FENTRY);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
