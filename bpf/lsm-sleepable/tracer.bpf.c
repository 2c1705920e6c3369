// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * An LSM program has no context type of the kernel's own, so its tracers get five bare numbers, of which the first is
 * the context: the arguments of the hook, here the option.
 */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, __u64 target_ctx)
{
	__u64 option = 0;

	bpf_probe_read_kernel(&option, sizeof(option), (void *)target_ctx);
	trace_value(EVENT_FENTRY, (__u32)option);
	return 0;
}

SEC("fexit/target")
int BPF_PROG(fexit, __u64 a1, __u64 a2, __u64 a3, __u64 a4, __u64 a5, int retval)
{
	trace_retval(EVENT_FEXIT, retval);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
