// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What tracers of a stream parser and its verdict see is the kernel's own `struct sk_buff`. */
#include "trace.h"

SEC("fentry/parser")
int BPF_PROG(fentry_parser, struct sk_buff *skb)
{
	trace_value(EVENT_FENTRY, skb->len);
	return 0;
}

SEC("fexit/parser")
int BPF_PROG(fexit_parser, struct sk_buff *skb, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

SEC("fentry/verdict")
int BPF_PROG(fentry_verdict, struct sk_buff *skb)
{
	trace_value(EVENT_FENTRY, skb->len);
	return 0;
}

SEC("fexit/verdict")
int BPF_PROG(fexit_verdict, struct sk_buff *skb, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
