// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* What a tracer of a sock_ops program sees is the kernel's own `struct bpf_sock_ops_kern`. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, struct bpf_sock_ops_kern *ops)
{
	trace_value(EVENT_FENTRY, ops->op);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, struct bpf_sock_ops_kern *ops, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
