// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What a tracer of an sk_msg program sees is the kernel's own `struct sk_msg`. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct sk_msg *msg)
{
	trace_value(EVENT_FENTRY, msg->sg.size);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, struct sk_msg *msg, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
