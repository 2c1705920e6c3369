// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * A struct_ops program has no context type of the kernel's own, so its tracers get five bare numbers, of which the
 * first is the context: the arguments of the operation.
 */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, __u64 target_ctx)
{
	__u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (void *)target_ctx);
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
