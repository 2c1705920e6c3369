// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Both trace the callee, not the entry. */
#include "trace.h"

SEC("fentry/callee")
int BPF_PROG(fentry, struct sk_buff *skb)
{
	trace_kind(EVENT_FENTRY);
	return 0;
}

SEC("fexit/callee")
int BPF_PROG(fexit, struct sk_buff *skb, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
