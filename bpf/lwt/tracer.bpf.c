// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What a tracer of a lightweight tunnel's program sees is the kernel's own `struct sk_buff`. */
#include "trace.h"

SEC("fentry/target_in")
int BPF_PROG(fentry_in, struct sk_buff *skb)
{
	trace_value(EVENT_FENTRY, skb->len);
	return 0;
}

SEC("fexit/target_in")
int BPF_PROG(fexit_in, struct sk_buff *skb, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

SEC("fentry/target_out")
int BPF_PROG(fentry_out, struct sk_buff *skb)
{
	trace_value(EVENT_FENTRY, skb->len);
	return 0;
}

SEC("fexit/target_out")
int BPF_PROG(fexit_out, struct sk_buff *skb, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

SEC("fentry/target_xmit")
int BPF_PROG(fentry_xmit, struct sk_buff *skb)
{
	trace_value(EVENT_FENTRY, skb->len);
	return 0;
}

SEC("fexit/target_xmit")
int BPF_PROG(fexit_xmit, struct sk_buff *skb, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
