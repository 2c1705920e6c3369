// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * A tracepoint program has no context type of the kernel's own, so its tracers get five bare numbers. The first is
 * the context: here 8 bytes of the kernel's own, the system call's number, and at 16 the first argument.
 */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, __u64 target_ctx)
{
	__u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)(target_ctx + 16));
	trace_value(EVENT_FENTRY, value);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, __u64 a1, __u64 a2, __u64 a3, __u64 a4, __u64 a5, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
