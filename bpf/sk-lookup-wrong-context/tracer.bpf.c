// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Believes the target and reads the packet's length: what it reads is some other part of the kernel's memory. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct sk_buff *skb)
{
	trace_value(EVENT_FENTRY, skb->len);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
