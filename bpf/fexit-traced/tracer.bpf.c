// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* The tracer that is traced. */
#include "trace.h"

SEC("fexit/target")
int BPF_PROG(fexit, struct sk_buff *skb, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
