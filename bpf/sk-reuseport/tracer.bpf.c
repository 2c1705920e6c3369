// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What a tracer of a reuseport program sees is the kernel's own `struct sk_reuseport_kern`. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct sk_reuseport_kern *reuse)
{
	trace_value(EVENT_FENTRY, reuse->skb->len);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, struct sk_reuseport_kern *reuse, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
