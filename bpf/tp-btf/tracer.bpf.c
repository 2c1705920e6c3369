// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/* The target's context is the first of five bare numbers; what stands there is read through a helper. */
#include "trace.h"

SEC("fentry/target")
int BPF_PROG(fentry, __u64 *args)
{
	__u64 task = 0;

	bpf_probe_read_kernel(&task, sizeof(task), args);
	trace_value(EVENT_FENTRY, task == bpf_get_current_task());
	return 0;
}

SEC("fexit/target")
int fexit(__u64 *ctx)
{
	trace_retval(EVENT_FEXIT, (int)ctx[5]);
	return 0;
}

char LICENSE[] SEC("license") = "Dual MIT/GPL";
