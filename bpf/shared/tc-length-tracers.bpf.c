// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What a tracer of a traffic classifier sees is the kernel's own `struct sk_buff`. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct sk_buff *skb)
{
	trace_value(EVENT_FENTRY, skb->len);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, struct sk_buff *skb, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
