// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* With fexit the trampoline calls the subprogram itself, and must hand the number of tail calls on. */
#include "trace.h"

SEC("fexit/subprog")
int BPF_PROG(fexit, struct sk_buff *skb, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
