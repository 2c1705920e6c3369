// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Of the program and of its function. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct sk_buff *skb)
{
	trace_kind(EVENT_FENTRY);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, struct sk_buff *skb, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

SEC("fentry/subprog")
int BPF_PROG(subprog_fentry, __u32 value)
{
	trace_value(EVENT_FENTRY_2, value);
	return 0;
}

SEC("fexit/subprog")
int BPF_PROG(subprog_fexit, __u32 value, int retval)
{
	trace_retval(EVENT_FEXIT_2, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
