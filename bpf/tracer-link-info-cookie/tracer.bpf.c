// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Show the cookie of the link by which each is attached. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct sk_buff *skb)
{
	trace_value(EVENT_FENTRY, bpf_get_attach_cookie(ctx));
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, struct sk_buff *skb, int retval)
{
	trace_value(EVENT_FEXIT, bpf_get_attach_cookie(ctx));
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
