// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* A tracer that may sleep. */
#include "trace.h"

SEC("fexit.s/target")
int BPF_PROG(tracer, struct sk_buff *skb, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
