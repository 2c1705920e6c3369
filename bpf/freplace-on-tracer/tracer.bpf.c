// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Has a global function that could be replaced. */
#include "trace.h"

__attribute__((noinline)) int inner(int retval)
{
	trace_value(EVENT_BODY, retval);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, struct sk_buff *skb, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return inner(retval);
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
