// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * What a tracer of a raw tracepoint's program sees is a pointer to numbers (u64), which is no structure: it may not be
 * dereferenced, but read through a helper.
 */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, __u64 *args)
{
	__u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), args);
	/* The task's address is another each time: that there is one is shown as 1. */
	trace_value(EVENT_FENTRY, value == 23456 ? value : !!value);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, __u64 *args, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
