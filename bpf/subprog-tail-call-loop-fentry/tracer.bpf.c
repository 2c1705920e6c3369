// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* The trampoline must hand the number of tail calls on. */
#include "trace.h"

SEC("fentry/subprog")
int BPF_PROG(fentry, struct sk_buff *skb)
{
	trace_kind(EVENT_FENTRY);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
