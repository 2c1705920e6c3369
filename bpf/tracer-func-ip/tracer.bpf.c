// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Show where the kernel says that the traced function is. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct sk_buff *skb)
{
	trace_value(EVENT_FENTRY, bpf_get_func_ip(ctx));
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, struct sk_buff *skb, int retval)
{
	trace_value(EVENT_FEXIT, bpf_get_func_ip(ctx));
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
