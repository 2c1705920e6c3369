// SPDX-License-Identifier: (GPL-2.0-only OR MIT)
/*
 * A tracing program's context is an array of numbers, so its tracer gets five of them, and then the result. The first is
 * the address of that array, in which the task stands first.
 */
#include "trace.h"

SEC("fentry/target")
int fentry(__u64 *ctx)
{
	__u64 task = 0;

	bpf_probe_read_kernel(&task, sizeof(task), (void *)ctx[0]);
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
