// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Plain tracers of the target. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct sk_buff *skb)
{
	trace_kind(EVENT_FENTRY);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, struct sk_buff *skb, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
