// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* Show whether the kernel knows the address of the traced function. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct sk_buff *skb)
{
	trace_value(EVENT_FENTRY, bpf_get_func_ip(ctx) != 0);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, struct sk_buff *skb, int retval)
{
	trace_value(EVENT_FEXIT, bpf_get_func_ip(ctx) != 0);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
