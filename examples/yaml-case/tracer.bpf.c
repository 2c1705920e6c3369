// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Attached to the packet program: one runs before it, the other behind it with what it returned. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(before, struct sk_buff *skb)
{
	trace_kind(EVENT_FENTRY);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(after, struct sk_buff *skb, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
