// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A tracer that may sleep. */
#include "trace.h"

SEC("fentry.s/target")
int BPF_PROG(tracer, struct sk_buff *skb)
{
	trace_kind(EVENT_FENTRY);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
