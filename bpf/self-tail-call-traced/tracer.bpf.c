// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* They see the first run and the end of the last: tail calls jump behind the place that calls them. */
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
